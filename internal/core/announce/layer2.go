package announce

import (
	"fmt"
	"net/netip"
	"slices"
	"time"

	"github.com/daymark-lb/daymark/api/v1beta1"
	"github.com/daymark-lb/daymark/internal/core/election"
	"github.com/daymark-lb/daymark/internal/core/lb"
	"github.com/daymark-lb/daymark/internal/core/shares"
)

// place is what this node has for all addresses of a segment that the same advertisements announce.
type place struct {
	Answering

	segment *segment
	// number of the segment and the interfaces.
	number int
	shared bool
	// uses is how many addresses have it.
	uses int
}

// places of this node, by its index. Addresses come in order, so that most have the place of the one before.
type places struct {
	*rules
	me    int
	known map[candidateKey]*place
	last  candidateKey
	here  *place
	// numbers are kept from one plan to the next.
	numbers *segmentNumbers
}

func (p *places) of(key candidateKey) *place {
	if p.here != nil && key == p.last {
		return p.here
	}
	here := p.known[key]
	if here == nil {
		interfaces := key.segment.interfaces(p.rules, key.matches, p.me)
		links, _ := p.linksOf(p.me)
		here = &place{
			Answering: Answering{interfaces, p.detection(key.matches), p.draining(key.matches)},
			segment:   key.segment, number: p.numbers.of(key.segment, interfaces, links), shared: p.shared(key.matches),
		}
		p.known[key] = here
	}
	p.last, p.here = key, here
	return here
}

// detours of all places, each once, in order.
func (p *places) detours() []Detour {
	links, _ := p.linksOf(p.me)
	var all []Detour
	// order does not matter: they are sorted
	for _, here := range p.known {
		if here.uses > 0 {
			all = append(all, here.segment.detours(links, here.Interfaces)...)
		}
	}
	slices.SortFunc(all, Detour.compare)
	return slices.Compact(all)
}

// detection of conflicts about an address: the least of what its advertisements say, on all nodes alike.
func (r *rules) detection(matches advertisementSet) (least v1beta1.ConflictDetection) {
	for i := range matches.all() {
		switch said := r.l2[i].Detection; said {
		case v1beta1.ConflictOff:
			return said
		case v1beta1.ConflictWarn:
			least = said
		case v1beta1.ConflictProbe:
		}
	}
	return least
}

// draining is how long connections are passed on after an address has moved: the longest of what its advertisements say.
func (r *rules) draining(matches advertisementSet) (longest time.Duration) {
	for i := range matches.all() {
		longest = max(longest, r.l2[i].ConnectionDraining)
	}
	return longest
}

// shared reports whether an address is to be shared: all its advertisements say so.
func (r *rules) shared(matches advertisementSet) bool {
	for i := range matches.all() {
		if !r.l2[i].Shared {
			return false
		}
	}
	return len(matches) > 0
}

// sharedText says in the condition how an address is to be shared, or why it is not though an advertisement says so; "": none does.
func (r *rules) sharedText(a address, matches advertisementSet) string {
	if r.shared(matches) {
		with := ""
		if a.service.Local {
			with = " with ready endpoints"
		}
		return fmt.Sprintf(", each client of the segment by one of up to %d nodes%s; a router is one client", shares.MaxServers, with)
	}
	for i := range matches.all() {
		if r.l2[i].Shared {
			return ", by one node for all clients, because not all of these advertisements say sharing: PerClient"
		}
	}
	return ""
}

// proxiedAddresses are those of Services for which the kernel answers on all links, because a service proxy has put them on one
// of its own. The other nodes are as this one is.
func proxiedAddresses(links []lb.Link) map[netip.Addr]bool {
	proxied := map[netip.Addr]bool{}
	for i := range links {
		if !links[i].OfServiceProxy() || !links[i].AnsweredElsewhere {
			continue
		}
		for _, prefix := range links[i].Addresses {
			proxied[prefix.Addr()] = prefix.Addr().Is4()
		}
	}
	return proxied
}

// demand is an address that advertisements of layer 2 announce, and what is demanded of its holder. It follows from the objects alone.
type demand struct {
	addr    netip.Addr
	matches advertisementSet
	// by the Services that share the address and can be served.
	by []demanding
	// disputed: one of all its Services says that another host uses an address.
	disputed bool
	// ranks of the nodes for all of them; nil: all nodes are alike.
	ranks *election.Ranks
}

// demanding is a Service, the advertisements that announce its address for it, and the candidates that it had last, which it keeps as long
// as they are the same: an Elector works out much for a new group.
type demanding struct {
	service *lb.Service
	matches advertisementSet
	last    *election.Group
}

// demands of all Services, in order of address.
func (r *rules) demands(near *nearness) []demand {
	if len(r.l2) == 0 {
		return nil
	}
	var demands []demand
	place := map[netip.Addr]int{}
	for _, s := range r.world.Services {
		for _, addr := range s.Ingress {
			a := r.address(s, addr)
			matches := r.l2Matches(a)
			if len(matches) == 0 {
				continue
			}
			i, known := place[addr]
			if !known {
				i = len(demands)
				place[addr], demands = i, append(demands, demand{addr: addr})
			}
			d := &demands[i]
			d.matches = d.matches.union(matches)
			d.disputed = d.disputed || s.Disputed
			if r.askAddress(a, true) == nil {
				d.by = append(d.by, demanding{service: s, matches: matches})
			}
		}
	}
	slices.SortFunc(demands, func(a, b demand) int { return a.addr.Compare(b.addr) })
	for i := range demands {
		demands[i].ranks = near.ranks(&demands[i])
	}
	return withoutRoom(demands)
}

// noCandidates is the group for a Service without endpoints. Its address is a contest all the same, so that the node that
// held it gets it back.
var noCandidates = election.NewGroup(nil)

// candidatesOf are the candidates for an address: those that can serve all Services that share it, because it has one holder, which
// gets the traffic of all. A Service that no node can serve at the moment narrows nothing; served: some node can serve another.
func (r *rules) candidatesOf(d *demand, segment *segment) (all *election.Group, served bool) {
	all = noCandidates
	for i := range d.by {
		by := &d.by[i]
		group := r.servingGroup(address{service: by.service, addr: d.addr}, by.matches, segment)
		if group != nil && by.last != nil && slices.Equal(group.Candidates(), by.last.Candidates()) {
			group = by.last
		}
		by.last = group
		switch {
		case group == nil:
		case !served:
			served, all = true, group
		case all != group:
			if both := intersect(all, group); len(both) > 0 {
				all = election.NewGroup(both)
			}
		}
	}
	return all, served
}

// servingGroup are the candidates for an address, in a segment, that can serve its Service, against which nothing stands; nil if no
// node can. Of a Service with externalTrafficPolicy Local only those nodes are asked that have endpoints.
func (r *rules) servingGroup(a address, matches advertisementSet, segment *segment) *election.Group {
	candidates := r.candidatesFor(matches, segment)
	if !a.service.Local {
		return candidates.group
	}
	q := r.serviceQuery(a)
	var serving []member
	unconnected := false
	for name := range q.endpoints.ServingNodes(q.family) {
		i := r.nodeIndex(name)
		if i < 0 {
			continue
		}
		if q.node = &r.nodes[i]; q.ask(ofLocalService) != Eligible {
			continue
		}
		if m, found := candidates.member(i); found {
			serving = append(serving, m)
		}
		unconnected = unconnected || slices.Contains(candidates.unconnected, i)
	}
	switch {
	case len(serving) > 0:
		return bestConnected(serving)
	case unconnected:
		return noCandidates
	default:
		return nil
	}
}

func intersect(a, b *election.Group) []election.Candidate {
	var both []election.Candidate
	for _, c := range a.Candidates() {
		if _, found := b.Find(c.Node); found {
			both = append(both, c)
		}
	}
	return both
}

// candidateSet are the nodes that may hold an address as far as its Service is not asked.
type candidateSet struct {
	members []member
	// unconnected are nodes, by index, that only the checks ofSegment stand against.
	unconnected []int
	// group of those that are best connected.
	group *election.Group
}

// member of a node, by its index; false when it is none.
func (c *candidateSet) member(node int) (member, bool) {
	i, found := slices.BinarySearchFunc(c.members, node, func(m member, node int) int { return m.index - node })
	if !found {
		return member{}, false
	}
	return c.members[i], true
}

// member of a candidateSet, with its index in rules.nodes and how it is connected to the segment in question.
type member struct {
	election.Candidate
	index        int
	reachability reachability
}

// candidateKey is what a candidateSet depends on.
type candidateKey struct {
	matches advertisementSet
	segment *segment
}

// candidatesFor are the nodes that may hold an address of a segment which a set of layer-2 advertisements announces, in order
// of name.
func (r *rules) candidatesFor(matches advertisementSet, segment *segment) *candidateSet {
	key := candidateKey{matches, segment}
	if known, ok := r.candidateSets[key]; ok {
		return known
	}
	c := &candidateSet{}
	for i := range r.nodes {
		switch reason := r.ineligibleL2(matches, segment, i); {
		case reason == Eligible:
			candidate := election.NewCandidate(r.nodes[i].Name, r.weight(matches, i))
			c.members = append(c.members, member{candidate, i, segment.reachabilityOf(r, matches, i)})
		case chain[reason-1].scope == ofSegment:
			c.unconnected = append(c.unconnected, i)
		}
	}
	c.group = bestConnected(c.members)
	r.candidateSets[key] = c
	return c
}

// ineligibleL2 says why a node, by its index, may not hold an address, as far as the Service is not asked.
func (r *rules) ineligibleL2(matches advertisementSet, segment *segment, node int) IneligibleReason {
	if reason := r.nodes[node].ineligible; reason != Eligible {
		return reason
	}
	q := query{
		rules: r, node: &r.nodes[node], layer2: true, advertisements: r.l2Selecting(matches, node),
		segment: segment, matches: matches, index: node,
	}
	if reason := q.ask(ofAdvertisements); reason != Eligible {
		return reason
	}
	return q.ask(ofSegment)
}

// bestConnected are the members with the best reachability: a node without the address's subnet is no candidate while
// another one has it, and one without any interface never is.
func bestConnected(members []member) *election.Group {
	best := reachable
	var candidates []election.Candidate
	for _, m := range members {
		if m.reachability > best {
			candidates, best = nil, m.reachability
		}
		if m.reachability == best {
			candidates = append(candidates, m.Candidate)
		}
	}
	return election.NewGroup(candidates)
}

// weight of a node, by its index: the sum over the advertisements that select it.
func (r *rules) weight(matches advertisementSet, node int) int {
	weight := 0
	for i := range r.l2Selecting(matches, node).all() {
		weight += r.l2[i].weights[node]
	}
	return weight
}
