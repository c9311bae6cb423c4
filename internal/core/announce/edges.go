package announce

import (
	"net/netip"
	"slices"

	"github.com/daymark-lb/daymark/api/v1beta1"
	"github.com/daymark-lb/daymark/internal/core/detector"
	"github.com/daymark-lb/daymark/internal/core/election"
	"github.com/daymark-lb/daymark/internal/core/lb"
)

// Layer2Edge asks a live node on a segment whether it is there.
type Layer2Edge struct {
	election.Edge
	Layer2Question
}

// Layer2Edges are the questions whether other nodes are there, on the subnets with contests of this node that the gossip does not
// use: on those it does, the gossip tells. Each node asks those that it would observe among the nodes of the subnet, so they are few,
// and together a connected graph. Links are those of the live nodes, and gossip says where they gossip.
func (p *Plan) Layer2Edges(self string, own []lb.Link, links map[string][]lb.Link, gossip map[string]netip.AddrPort) []Layer2Edge {
	var edges []Layer2Edge
	for i := range own {
		for _, prefix := range own[i].Addresses {
			subnet := prefix.Masked()
			if subnet.Contains(gossip[self].Addr()) {
				continue
			}
			if own[i].Up && !own[i].NoARP && own[i].MAC != "" && p.contested(own[i].Name, subnet) {
				edges = append(edges, edgesOn(self, &own[i], subnet, links, gossip)...)
			}
		}
	}
	return edges
}

// contested reports whether this node might answer on an interface for an address of a subnet, where others may be asked.
func (p *Plan) contested(interfaceName string, subnet netip.Prefix) bool {
	return slices.ContainsFunc(p.Contests, func(c Contest) bool {
		return subnet.Contains(c.Addr) && c.Detection != v1beta1.ConflictOff && slices.Contains(c.Interfaces, interfaceName)
	})
}

// edgesOn are the edges from an interface to others on a subnet.
func edgesOn(
	self string, from *lb.Link, subnet netip.Prefix, links map[string][]lb.Link, gossip map[string]netip.AddrPort,
) (edges []Layer2Edge) {
	members, questions := []string{self}, map[string]Layer2Question{}
	for node := range links {
		if q, found := questionTo(node, from, subnet, links[node]); found && node != self && !subnet.Contains(gossip[node].Addr()) {
			members, questions[node] = append(members, node), q
		}
	}
	slices.Sort(members)
	for _, node := range detector.Observed(self, members) {
		edges = append(edges, Layer2Edge{election.Edge{Node: node, Subnet: subnet}, questions[node]})
	}
	return edges
}

// questionTo asks a node for its own address in a subnet, if it has one; its kernel answers.
func questionTo(node string, from *lb.Link, subnet netip.Prefix, others []lb.Link) (Layer2Question, bool) {
	at, found := addressIn(subnet, others)
	if !found {
		return Layer2Question{}, false
	}
	path := Layer2Path{from.Name, at.mac, linkLocal(from)}
	return Layer2Question{election.Question{Node: node, Addr: at.addr}, []Layer2Path{path}}, true
}

// linkAddress is an address of a link, and the link's MAC address.
type linkAddress struct {
	addr netip.Addr
	mac  string
}

// addressIn finds an address in a subnet by which a node with these links can be asked.
func addressIn(subnet netip.Prefix, links []lb.Link) (linkAddress, bool) {
	for i := range links {
		link := &links[i]
		for _, prefix := range link.Addresses {
			if link.MAC != "" && !link.NoARP && link.Up && prefix.Masked() == subnet {
				return linkAddress{prefix.Addr(), link.MAC}, true
			}
		}
	}
	return linkAddress{}, false
}
