package handover

import (
	"net/netip"
	"slices"
	"time"
)

// awayTime is for how long a node counts as one that may have connections to any address of layer 2 because its speaker has not been heard since
// this one has started: a restart takes less, with the time to pull an image. The kernel keeps as long what it was told.
const awayTime = 3 * time.Minute

// Away is a node that is in the cluster and whose speaker this process has not heard. Its kernel may know connections nevertheless, of a
// time that this process knows nothing of. The segment tells whether it is there.
type Away struct {
	Node string
	// Vias are the addresses that Kubernetes has of it on segments that this node is on, as those of a Peer.
	Vias []Via
	// Led are the addresses whose packets the process before this one passed on to it.
	Led map[netip.Addr]bool
	// Any: its speaker is expected. It may have held any address when all speakers restarted.
	Any bool
}

// unheard takes the nodes that are away for former holders: of the addresses that the process before this one passed on to them, and, if they
// are expected, of those by layer 2. In a ring, as by BGP, they would not be asked: others pass on.
func (t *track) unheard(in *Input, a *Address) {
	for i := range in.Away {
		away := &in.Away[i]
		_, heard := in.Peers[away.Node]
		if heard || in.Dead(away.Node) || slices.Contains(a.Holders, away.Node) {
			continue
		}
		switch {
		case away.Led[a.Addr]:
			t.add(former{node: away.Node, since: in.Now})
		case away.Any && len(a.Links) > 0:
			t.add(former{node: away.Node, since: in.Now.Add(min(0, awayTime-a.Draining))})
		}
	}
}
