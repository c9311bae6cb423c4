package announce

import (
	"net/netip"

	"github.com/daymark-lb/daymark/internal/core/lb"
	"github.com/daymark-lb/daymark/internal/core/reason"
)

// Reason is the reason with its name and remedy; that of Eligible is zero.
func (r IneligibleReason) Reason() reason.Reason {
	if r == Eligible || int(r) > len(chain) {
		return reason.Reason{}
	}
	return chain[r-1].Reason
}

// Answers say of one address of a Service what Explain sums up: each advertisement, each node, each peer.
type Answers struct {
	Addr netip.Addr
	// Pool that the address belongs to; nil: none.
	Pool *lb.Pool
	// Against is what stands against the address whichever node is asked, and Message says it in words; zero: nothing.
	Against reason.Reason
	Message string
	// Shared: all its L2Advertisements have several nodes answer for it, each for other clients.
	Shared bool
	// Advertisements of both protocols, the older first within each.
	Advertisements []AdvertisementAnswer
	// Nodes in order of name.
	Nodes []NodeAnswer
}

// AdvertisementAnswer says whether an advertisement announces an address.
type AdvertisementAnswer struct {
	Name string
	// BGP: it is a BGPAdvertisement; else an L2Advertisement.
	BGP bool
	// Pool and Service: it selects the pool of the address, and the Service. It announces the address if both are true.
	Pool, Service bool
}

// Announces reports whether the advertisement announces the address.
func (a AdvertisementAnswer) Announces() bool { return a.Pool && a.Service }

// NodeAnswer says whether a node may announce an address.
type NodeAnswer struct {
	Node string
	// ByLayer2: some L2Advertisement announces the address; Layer2 is why the node may not hold it.
	ByLayer2 bool
	Layer2   IneligibleReason
	// Nearness is what it has of the endpoints, which counts where weights and loads are equal; empty: nothing, or that does not count.
	Nearness string
	// Peers in order, when some BGPAdvertisement announces the address.
	Peers []PeerAnswer
}

// PeerAnswer is why a node does not announce an address to a peer.
type PeerAnswer struct {
	Peer   string
	Reason IneligibleReason
}

// Announces reports whether the node announces the address by BGP to some peer.
func (n *NodeAnswer) Announces() bool {
	for _, peer := range n.Peers {
		if peer.Reason == Eligible {
			return true
		}
	}
	return false
}

// Answer for an address in the status of a Service. Of nodes only those that wanted names are asked; nil: all.
func (e *Explainer) Answer(s *lb.Service, addr netip.Addr, wanted map[string]bool) Answers {
	r := e.rules
	a := r.address(s, addr)
	key := addressKey{l2: r.l2Matches(a), bgp: r.bgpMatches(a), family: lb.FamilyOf(addr)}
	answers := Answers{Addr: addr, Pool: a.pool, Shared: r.shared(key.l2), Advertisements: e.advertisements(a)}
	if c := r.askAddress(a, key.l2 != "" || key.bgp != ""); c != nil {
		answers.Against, answers.Message = c.Reason, c.message(r, a)
	}
	nearness := r.nearnessOf(a, key.l2)
	for i := range r.nodes {
		if wanted == nil || wanted[r.nodes[i].Name] {
			answers.Nodes = append(answers.Nodes, e.nodeAnswer(a, key, i, nearness))
		}
	}
	return answers
}

func (e *Explainer) advertisements(a address) (answers []AdvertisementAnswer) {
	r := e.rules
	for i := range r.l2 {
		answers = append(answers, AdvertisementAnswer{
			Name: r.l2[i].Name, Pool: a.pool != nil && r.l2[i].pools[a.pool], Service: r.l2[i].ServiceSelectors.MatchLabels(a.service.Labels),
		})
	}
	for i := range r.bgp {
		answers = append(answers, AdvertisementAnswer{
			Name: r.bgp[i].Name, BGP: true, Pool: a.pool != nil && r.bgp[i].pools[a.pool], Service: r.bgp[i].ServiceSelectors.MatchLabels(a.service.Labels),
		})
	}
	return answers
}

// nodeAnswer of a node, by its index.
func (e *Explainer) nodeAnswer(a address, key addressKey, node int, nearness func(node int) string) NodeAnswer {
	answer := NodeAnswer{Node: e.rules.nodes[node].Name, ByLayer2: key.l2 != ""}
	if answer.ByLayer2 {
		answer.Layer2, answer.Nearness = e.ineligibleLayer2(a, key, node), nearness(node)
	}
	if key.bgp != "" {
		for _, peer := range e.rules.peers {
			answer.Peers = append(answer.Peers, PeerAnswer{peer.Name, e.ineligibleBGP(a, key, peer, node)})
		}
	}
	return answer
}

// NodeReason is why a node announces nothing at all, whichever the address; Eligible: nothing stands against it. known is false
// when the World does not have the node.
func (e *Explainer) NodeReason(name string) (why IneligibleReason, known bool) {
	i := e.rules.nodeIndex(name)
	if i < 0 {
		return Eligible, false
	}
	return e.rules.nodes[i].ineligible, true
}
