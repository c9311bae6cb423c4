package reconcile

import (
	"net/netip"
	"slices"

	"github.com/daymark-lb/daymark/internal/core/announce"
	"github.com/daymark-lb/daymark/internal/core/handover"
)

// mostAway is how many nodes are away at most that may have held any address: a packet is passed on to no more nodes. Where more are, as when
// the speakers of a large cluster begin all at once, none counts.
const mostAway = 8

// away are the nodes of the cluster that are on segments of this one and whose speakers are not among the peers, as far as they are expected or
// an earlier process passed packets on to them. A kernel knows its connections whatever its speaker does.
func (l *Loop) away(seen *snapshot, peers map[string]handover.Peer, led []handover.Passage) (away []handover.Away) {
	any := 0
	outer := announce.OuterLinks(seen.world.OwnLinks, seen.world.L2Advertisements, seen.kubernetes(l.cfg.Node))
	for _, node := range seen.world.Nodes {
		if _, heard := peers[node.Name]; heard || node.Name == l.cfg.Node || node.Down {
			continue
		}
		_, expected := seen.speakers[node.Name]
		a := handover.Away{Node: node.Name, Any: expected}
		for _, p := range led {
			if slices.Contains(node.Addresses, p.Via) {
				if a.Led == nil {
					a.Led = map[netip.Addr]bool{}
				}
				a.Led[p.Addr] = true
			}
		}
		if a.Any || len(a.Led) > 0 {
			a.Vias = announce.NeighborAddresses(seen.world.OwnLinks, outer, node.Addresses)
		}
		if len(a.Vias) == 0 {
			continue
		}
		if away = append(away, a); a.Any {
			any++
		}
	}
	if any > mostAway {
		for i := range away {
			away[i].Any = false
		}
	}
	return away
}

// kubernetes are the addresses that Kubernetes has of a node.
func (s *snapshot) kubernetes(name string) []netip.Addr {
	if node := s.node(name); node != nil {
		return node.Addresses
	}
	return nil
}
