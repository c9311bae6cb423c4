package reconcile

import (
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/daymark-lb/daymark/internal/core/announce"
	"github.com/daymark-lb/daymark/internal/core/lb"
)

// The API server takes a node for down whose kubelet is stopped. Its kernel answers for its addresses all the same, as its speaker says.
func TestLoop_NodeWhoseKubeletIsStoppedKeepsItsAddresses(t *testing.T) {
	inTime(t, func(t *testing.T, f *fixture) {
		f.untilHeld(t)
		f.addNode()
		peer := f.gossip.view.Peers["n2"]
		peer.State.Links = append(links(), lb.Link{Name: "lo", NoARP: true, Addresses: []netip.Prefix{netip.PrefixFrom(vip, 32)}})
		f.gossip.view.Peers["n2"] = peer
		f.pass(t)
		f.kubeletStopped = true
		f.settle(t, announce.LostFor+time.Second)
		if len(f.layer2.desired) > 0 || len(f.bgp.desired[0].Paths) > 0 {
			t.Errorf("n2's kernel has the address, announced are %v and %v", f.layer2.desired, f.bgp.desired[0].Paths)
		}
		if heard := f.reporter.newest.Status.HeardOnDownNodes; !slices.Equal(heard, []string{"n2"}) {
			t.Errorf("the controller is told that the speakers of %v are alive", heard)
		}
		f.removeNode()
		f.pass(t)
		if heard := f.reporter.newest.Status.HeardOnDownNodes; len(heard) > 0 {
			t.Errorf("when it has crashed, the controller is told that the speakers of %v are alive", heard)
		}
	})
}
