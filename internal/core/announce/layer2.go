package announce

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/daymark-lb/daymark/api/v1beta1"
	"github.com/daymark-lb/daymark/internal/core/election"
	"github.com/daymark-lb/daymark/internal/core/lb"
)

// contests are the addresses that layer 2 announces, each with its candidates, if any, and the interfaces of this node to
// answer on. Until the membership is known there are none: a speaker that wrongly thinks itself alone would be a second
// holder on the segment.
func (r *rules) contests() (contests []Contest, unheld []string, detours []Detour) {
	if !r.world.Members.Known || len(r.l2) == 0 {
		return nil, nil, nil
	}
	pending := pendingContests{byAddr: map[netip.Addr]*pendingContest{}}
	for _, s := range r.world.Services {
		for _, addr := range s.Ingress {
			r.addService(&pending, r.address(s, addr))
		}
	}
	me := r.nodeIndex(r.world.Node)
	contests = make([]Contest, 0, len(pending.list))
	segments, proxied := map[*string]int{}, proxiedAddresses(r.world.OwnLinks)
	for _, c := range pending.list {
		if c.served && len(c.group.Candidates()) == 0 {
			unheld = append(unheld, fmt.Sprintf("%s is held by no node: none of those that may hold it has an interface that is up and matches the advertisement (%s)",
				c.addr, names(c.matches, func(i int) string { return r.l2[i].Name })))
		}
		interfaces := c.segment.interfaces(r, c.matches, me)
		contests = append(contests, Contest{election.Contest{
			Addr: c.addr, Group: c.group, HasInterface: len(interfaces) > 0, Segment: segmentNumber(segments, interfaces),
		}, interfaces, r.detection(c.matches), proxied[c.addr]})
	}
	slices.SortFunc(contests, func(a, b Contest) int { return a.Addr.Compare(b.Addr) })
	slices.Sort(unheld)
	return contests, unheld, r.detours(pending.list, me)
}

// detours of all contests on this node, by its index, each once, in order.
func (r *rules) detours(contests []*pendingContest, me int) []Detour {
	links, _ := r.linksOf(me)
	asked := map[*segment]map[advertisementSet]bool{}
	var all []Detour
	for _, c := range contests {
		if asked[c.segment] == nil {
			asked[c.segment] = map[advertisementSet]bool{}
		}
		if !asked[c.segment][c.matches] {
			asked[c.segment][c.matches] = true
			all = append(all, c.segment.detours(links, c.segment.interfaces(r, c.matches, me))...)
		}
	}
	slices.SortFunc(all, func(a, b Detour) int {
		return cmp.Or(a.Subnet.Compare(b.Subnet), strings.Compare(a.Answers, b.Answers))
	})
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

// segmentNumber numbers the lists of interfaces, each of which is shared by the contests of a segment.
func segmentNumber(segments map[*string]int, interfaces []string) int {
	if len(interfaces) == 0 {
		return 0
	}
	n, known := segments[&interfaces[0]]
	if !known {
		n = len(segments) + 1
		segments[&interfaces[0]] = n
	}
	return n
}

// pendingContests are the contests while Services are added, in the order in which their addresses first occur.
type pendingContests struct {
	byAddr map[netip.Addr]*pendingContest
	list   []*pendingContest
}

// of finds the contest for an address, or begins it in a segment.
func (p *pendingContests) of(addr netip.Addr, segments *segments) *pendingContest {
	c := p.byAddr[addr]
	if c == nil {
		c = &pendingContest{addr: addr, group: noCandidates, segment: segments.of(addr)}
		p.byAddr[addr], p.list = c, append(p.list, c)
	}
	return c
}

// pendingContest collects the candidates for an address over all Services that share it.
type pendingContest struct {
	addr netip.Addr
	// served: some node can serve a Service of the address.
	served  bool
	group   *election.Group
	matches advertisementSet
	segment *segment
}

// noCandidates is the group for a Service without endpoints. Its address is a contest all the same, so that the node that
// held it gets it back.
var noCandidates = election.NewGroup(nil)

// addService narrows the candidates for an address to those that can serve all Services that share it: the address has one
// holder, which gets the traffic of all. A Service that no node can serve at the moment narrows nothing.
func (r *rules) addService(pending *pendingContests, a address) {
	matches := r.l2Matches(a)
	if len(matches) == 0 {
		return
	}
	c := pending.of(a.addr, r.segments)
	c.matches = c.matches.union(matches)
	group := r.servingGroup(a, matches, c.segment)
	switch {
	case group == nil:
	case !c.served:
		c.served, c.group = true, group
	case c.group != group:
		if both := intersect(c.group, group); len(both) > 0 {
			c.group = election.NewGroup(both)
		}
	}
}

// servingGroup are the candidates for an address, in a segment, that can serve its Service; nil if the Service cannot be
// served at all.
func (r *rules) servingGroup(a address, matches advertisementSet, segment *segment) *election.Group {
	if r.askAddress(a, len(matches) > 0) != nil {
		return nil
	}
	candidates := r.candidatesFor(matches, segment)
	if !a.service.Local {
		return candidates.group
	}
	q := r.serviceQuery(a)
	var serving []member
	for i := range candidates.members {
		m := &candidates.members[i]
		q.node = &r.nodes[m.index]
		if q.ask(ofLocalService) == Eligible {
			serving = append(serving, *m)
		}
	}
	if len(serving) > 0 {
		return bestConnected(serving)
	}
	for _, i := range candidates.unconnected {
		if q.node = &r.nodes[i]; q.ask(ofLocalService) == Eligible {
			return noCandidates
		}
	}
	return nil
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
