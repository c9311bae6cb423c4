package e2e_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/daymark-lb/daymark/e2e/lab"
)

// Promise: a router that is not on the nodes' own segment is peered with, with BFD too, like any other.

func TestBGP_MultihopPeerWithBFD(t *testing.T) {
	lab.Need(t, lab.BIRD)
	cluster := daymark(t)
	far := cluster.FarRouter(lab.RouterSettings{BFD: bfdInterval, Extra: "multihop 2;"})
	cluster.Pod("far", "n1")
	// BIRD sends with a TTL of 64, of which the router between takes one.
	cluster.Apply(strings.Replace(bfdProfile("far", bfdInterval, 3), "spec: {", "spec: {minimumTTL: 63, ", 1))
	cluster.Apply(strings.Replace(peer("far", "ebgpMultiHop: true", "bfdProfile: far"), lab.RouterV4.String(), lab.FarClientV4.String(), 1))
	cluster.Apply(routedPool("far", "198.19.21.0/24"))
	cluster.Apply(service("far", "far"))
	address, _ := cluster.Service("far").AwaitAddress()

	// knows waits until the router has routes from these nodes alone, and BFD sessions with them alone.
	knows := func(nodes ...string) {
		t.Helper()
		lab.Eventually(t, waitTimeout, fmt.Sprintf("the far router has %s from %v, and watches them", address, nodes), func() error {
			var from []string
			for _, node := range cluster.Nodes() {
				if strings.Contains(far.View(), "BGP.next_hop: "+node.V4.String()+"\n") {
					from = append(from, node.Name)
				}
			}
			bfd := slices.Sorted(slices.Values(far.BFDUp()))
			if !slices.Equal(from, nodes) || !slices.Equal(bfd, nodes) || !strings.Contains(far.View(), address.String()+"/32") {
				return fmt.Errorf("it has next hops %v, and BFD sessions with %v", from, bfd)
			}
			return nil
		})
	}
	knows("n1", "n2", "n3")
	awaitObjectCondition(t, cluster, "BGPPeer", "far", "SessionsEstablished", "True Established", "3 of 3 nodes")
	began := time.Now()
	cluster.Node("n3").Crash()
	knows("n1", "n2")
	mustBeUnder(t, "the withdrawal", time.Since(began))
	cluster.Node("n3").Return()
	knows("n1", "n2", "n3")
}
