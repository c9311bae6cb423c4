package cluster

import (
	"net/netip"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/daymark-lb/daymark/api/v1beta1"
	"github.com/daymark-lb/daymark/internal/core/announce"
	"github.com/daymark-lb/daymark/internal/core/lb"
)

// Report returns what the Speaker objects of those that are Present say of themselves: which speakers can hold layer-2 addresses, and by node
// and peer which BGP sessions are established. One that does not know the other speakers holds no address.
func Report(present []*v1beta1.Speaker) (announce.Members, map[string]map[string]bool) {
	members := announce.Members{Known: true}
	established := make(map[string]map[string]bool, len(present))
	for _, speaker := range present {
		if meta.IsStatusConditionTrue(speaker.Status.Conditions, v1beta1.ConditionMembershipKnown) {
			members.Alive = append(members.Alive, speaker.Name)
		}
		peers := map[string]bool{}
		for i := range speaker.Status.BGP {
			session := &speaker.Status.BGP[i]
			peers[session.Peer] = peers[session.Peer] || session.State == v1beta1.BGPEstablished
		}
		established[speaker.Name] = peers
	}
	return members, established
}

// StandIns returns who answers for an address in the place of its holder, as the Speaker objects of those that are Present say, in order of
// node.
func StandIns(present []*v1beta1.Speaker) map[netip.Addr][]announce.StandIn {
	found := map[netip.Addr][]announce.StandIn{}
	for _, speaker := range present {
		for _, held := range speaker.Status.Layer2.Held {
			if addr, err := lb.ParseAddr(held.Address); err == nil && held.StandsInFor != "" {
				found[addr] = append(found[addr], announce.StandIn{Node: speaker.Name, Holder: held.StandsInFor})
			}
		}
	}
	// order does not matter: each list is sorted by itself
	for _, standIns := range found {
		slices.SortFunc(standIns, func(a, b announce.StandIn) int { return strings.Compare(a.Node, b.Node) })
	}
	return found
}

// Conflicts returns the addresses that other hosts use, as the Speaker objects of those that are Present say. When several name the same address,
// the first by node counts, so that messages do not change with the holder. A speaker that would not announce an address has no say while
// another node holds it: it may take that node for a stranger, whose gossip it does not hear. Where a Speaker object has no room for all of
// them, the addresses of these Services that it only covers count as well, unless some node holds them.
func Conflicts(present []*v1beta1.Speaker, services []*lb.Service) map[netip.Addr]announce.Conflict {
	found := map[netip.Addr]announce.Conflict{}
	var held map[netip.Addr]bool
	for _, speaker := range present {
		for _, c := range speaker.Status.Layer2.Conflicts {
			addr, err := lb.ParseAddr(c.Address)
			known, exists := found[addr]
			if err != nil || exists && known.Node <= speaker.Name {
				continue
			}
			if held == nil {
				held = heldAddresses(present)
			}
			if !c.Announced && held[addr] {
				continue
			}
			found[addr] = announce.Conflict{
				Node: speaker.Name, Interface: c.Interface, MAC: c.MAC, By: c.Node, ByInterface: c.NodeInterface, Announced: c.Announced,
				Elsewhere: c.Elsewhere,
			}
		}
	}
	markProxies(found)
	addMoreConflicts(found, present, services)
	return found
}

// addMoreConflicts adds the conflicts of which only the addresses are reported.
func addMoreConflicts(found map[netip.Addr]announce.Conflict, speakers []*v1beta1.Speaker, services []*lb.Service) {
	var held map[netip.Addr]bool
	for _, speaker := range speakers {
		if len(speaker.Status.Layer2.MoreConflicts) == 0 {
			continue
		}
		if held == nil {
			held = heldAddresses(speakers)
		}
		for _, addr := range addressesIn(services, speaker.Status.Layer2.MoreConflicts) {
			known, exists := found[addr]
			if !held[addr] && (!exists || known.Unlisted && speaker.Name < known.Node) {
				found[addr] = announce.Conflict{Node: speaker.Name, Unlisted: true}
			}
		}
	}
}

// heldAddresses are the addresses that nodes hold, as far as their Speaker objects list them.
func heldAddresses(speakers []*v1beta1.Speaker) map[netip.Addr]bool {
	held := map[netip.Addr]bool{}
	for _, speaker := range speakers {
		for i := range speaker.Status.Layer2.Held {
			if addr, err := lb.ParseAddr(speaker.Status.Layer2.Held[i].Address); err == nil {
				held[addr] = true
			}
		}
	}
	return held
}

// addressesIn are the addresses of Services that are in ranges of a Speaker object.
func addressesIn(services []*lb.Service, texts []string) (found []netip.Addr) {
	var ranges []lb.Range
	for _, text := range texts {
		if r, err := lb.ParseRange(text); err == nil {
			ranges = append(ranges, r)
		}
	}
	ranges = lb.Merge(ranges)
	for _, s := range services {
		for _, addr := range s.Ingress {
			if lb.Containing(ranges, addr) >= 0 {
				found = append(found, addr)
			}
		}
	}
	return found
}

// markProxies marks the conflicts with hosts outside of the cluster that answer for so many addresses that they hardly have them.
func markProxies(conflicts map[netip.Addr]announce.Conflict) {
	const many = 3
	count := map[string]int{}
	for _, c := range conflicts {
		count[c.MAC]++
	}
	// order does not matter: each conflict is marked by itself.
	for addr, c := range conflicts {
		c.Proxy = count[c.MAC] >= many && c.By == ""
		conflicts[addr] = c
	}
}

// proxyUnhealthy are the nodes that announce nothing because of their service proxies, as the Speaker objects say. A speaker that
// is gone has no say.
func proxyUnhealthy(speakers []*v1beta1.Speaker) map[string]bool {
	found := map[string]bool{}
	for _, speaker := range speakers {
		c := meta.FindStatusCondition(speaker.Status.Conditions, v1beta1.ConditionServiceProxyUnhealthy)
		if c != nil && c.Status == metav1.ConditionTrue && c.Reason == v1beta1.ReasonAttractsNothing && !lb.SpeakerGone(speaker) {
			found[speaker.Name] = true
		}
	}
	return found
}

// downNodes are the nodes that are taken to be off: they are not ready, and nobody hears their speakers. One whose kubelet is stopped goes on
// announcing, and its kernel answering. What a speaker says that is gone, or is on a node that is not ready, is old perhaps, and no witness.
func downNodes(nodes []*lb.Node, speakers []*v1beta1.Speaker) map[string]bool {
	down := make(map[string]bool, len(nodes))
	for _, node := range nodes {
		down[node.Name] = node.Down
	}
	var heard []string
	for _, speaker := range speakers {
		if !down[speaker.Name] && !lb.SpeakerGone(speaker) {
			heard = append(heard, speaker.Status.HeardOnDownNodes...)
		}
	}
	for _, node := range heard {
		delete(down, node)
	}
	return down
}

// Present are the speakers that are not gone, nor on nodes that are down: what a node reported before it went down is over, unless others still
// hear its speaker.
func Present(nodes []*lb.Node, speakers []*v1beta1.Speaker) []*v1beta1.Speaker {
	down, found := downNodes(nodes, speakers), make([]*v1beta1.Speaker, 0, len(speakers))
	for _, speaker := range speakers {
		if !down[speaker.Name] && !lb.SpeakerGone(speaker) {
			found = append(found, speaker)
		}
	}
	return found
}

// nodeAddresses returns which addresses of Services the kernels of nodes have, as the Speaker objects say; of several nodes
// the first by name, but those that have lost it come last. A node that is down has none, unless its speaker is heard. Of those for which a Speaker object has no
// room the interface is not known.
func nodeAddresses(nodes []*lb.Node, speakers []*v1beta1.Speaker, services []*lb.Service) map[netip.Addr]announce.NodeAddress {
	down := downNodes(nodes, speakers)
	found := map[netip.Addr]announce.NodeAddress{}
	for _, speaker := range speakers {
		for _, own := range speaker.Status.Network.ServiceAddresses {
			addr, err := lb.ParseAddr(own.Address)
			known, exists := found[addr]
			if err == nil && !down[speaker.Name] && (!exists || known.Lost && !own.Lost || known.Lost == own.Lost && speaker.Name < known.Node) {
				found[addr] = announce.NodeAddress{Node: speaker.Name, Interface: own.Interface, Lost: own.Lost}
			}
		}
		if more := speaker.Status.Network.MoreServiceAddresses; len(more) > 0 && !down[speaker.Name] {
			for _, addr := range addressesIn(services, more) {
				if known, exists := found[addr]; !exists || known.Lost || speaker.Name < known.Node {
					found[addr] = announce.NodeAddress{Node: speaker.Name}
				}
			}
		}
	}
	return found
}

// ReportedLinks are the links of the nodes whose Speaker objects say which they have.
func (o *Objects) ReportedLinks() map[string][]lb.Link {
	all := make(map[string][]lb.Link, len(o.Speakers))
	for _, speaker := range o.Speakers {
		if links, reported := lb.ReportedLinks(speaker); reported {
			all[speaker.Name] = links
		}
	}
	return all
}
