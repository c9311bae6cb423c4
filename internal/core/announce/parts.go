package announce

import (
	"maps"
	"net/netip"
	"slices"

	"github.com/daymark-lb/daymark/api/v1beta1"
	"github.com/daymark-lb/daymark/internal/core/detector"
	"github.com/daymark-lb/daymark/internal/core/election"
	"github.com/daymark-lb/daymark/internal/core/lb"
)

// SegmentParts works out the parts of segments on which edges are cut, again only when what they follow from has changed: who asks whom
// of a thousand nodes takes a million comparisons. The zero value is ready for use, by one goroutine.
type SegmentParts struct {
	bySubnet map[netip.Prefix]*segmentParts
}

// segmentParts are the parts of a segment, and what they follow from.
type segmentParts struct {
	members []string
	// asks is whom each of the members asks.
	asks  map[string][]string
	said  map[string]election.SegmentEdges
	parts *election.Parts
}

// Update returns the parts of the subnets on which edges are cut, given what each live node says of its own (see Layer2Edges),
// their links and where they gossip. All who know the same come to the same parts.
func (p *SegmentParts) Update(
	said map[string][]election.SegmentEdges, links map[string][]lb.Link, gossip map[string]netip.AddrPort,
) map[netip.Prefix]*election.Parts {
	bySubnet, cut := map[netip.Prefix]map[string]election.SegmentEdges{}, map[netip.Prefix]bool{}
	for node, segments := range said {
		for _, edges := range segments {
			if bySubnet[edges.Subnet] == nil {
				bySubnet[edges.Subnet] = map[string]election.SegmentEdges{}
			}
			bySubnet[edges.Subnet][node] = edges
			cut[edges.Subnet] = cut[edges.Subnet] || len(edges.Cut) > 0
		}
	}
	parts, now := map[netip.Prefix]*election.Parts{}, map[netip.Prefix]*segmentParts{}
	for subnet, isCut := range cut {
		if isCut {
			now[subnet] = p.bySubnet[subnet].update(membersOf(subnet, links, gossip), bySubnet[subnet])
			parts[subnet] = now[subnet].parts
		}
	}
	p.bySubnet = now
	return parts
}

// update returns the parts for some members and what they say; nil: there were none before.
func (p *segmentParts) update(members []string, said map[string]election.SegmentEdges) *segmentParts {
	var asks map[string][]string
	switch {
	case p == nil || !slices.Equal(p.members, members):
		asks = detector.Observations(members)
	case maps.EqualFunc(p.said, said, election.SegmentEdges.Equal):
		return p
	default:
		asks = p.asks
	}
	return &segmentParts{members, asks, said, election.NewParts(asks, said)}
}

// membersOf a subnet are the nodes that may be asked there, in order.
func membersOf(subnet netip.Prefix, links map[string][]lb.Link, gossip map[string]netip.AddrPort) (members []string) {
	for node, of := range links {
		if _, found := addressIn(subnet, of); found && !subnet.Contains(gossip[node].Addr()) {
			members = append(members, node)
		}
	}
	slices.Sort(members)
	return members
}

// SetParts tells the contests of the parts of their segments: those of the smallest subnet that has any. Where nobody may be
// asked, or kernels answer for all nodes, nobody is to stand in for the holder, since he would not be heard.
func (p *Plan) SetParts(parts map[netip.Prefix]*election.Parts) {
	if len(parts) == 0 {
		return
	}
	p.Contests, p.elections = slices.Clone(p.Contests), nil // those of other plans stay as they are
	for i := range p.Contests {
		c := &p.Contests[i]
		bits := -1
		// order does not matter: no two subnets of one size contain the address
		for subnet, of := range parts {
			if subnet.Contains(c.Addr) && subnet.Bits() > bits && c.Detection != v1beta1.ConflictOff && !c.KernelsAnswer {
				c.Parts, bits = of, subnet.Bits()
			}
		}
	}
}
