package announce

import (
	"fmt"
	"net/netip"
	"slices"

	"github.com/daymark-lb/daymark/internal/core/election"
	"github.com/daymark-lb/daymark/internal/core/lb"
)

// contests are the addresses that layer 2 announces, each with the nodes that may answer for it, if any, and the
// interfaces of this node to answer on. A speaker that has not met the others has none: to think itself alone would put two holders on the
// segment.
func (r *rules) contests() (contests []Contest, unheld []string) {
	if !r.world.Members.Known || len(r.l2) == 0 {
		return nil, nil
	}
	found := map[netip.Addr]*contest{}
	for _, s := range r.world.Services {
		for _, addr := range s.Ingress {
			r.addContest(found, r.address(s, addr))
		}
	}
	for addr, c := range found {
		if c.served && len(c.group.Candidates()) == 0 {
			unheld = append(unheld, fmt.Sprintf("%s is held by no node: none of those that may hold it has an interface that is up and matches the advertisement (%s)",
				addr, names(c.matches, func(i int) string { return r.l2[i].Name })))
		}
		interfaces := r.segments.of(addr).interfaces(r, c.matches, r.place(r.world.Node))
		contests = append(contests, Contest{election.Contest{Addr: addr, Group: c.group, Here: len(interfaces) > 0}, interfaces})
	}
	slices.SortFunc(contests, func(a, b Contest) int { return a.Addr.Compare(b.Addr) })
	slices.Sort(unheld)
	return contests, unheld
}

// contest gathers the nodes that may hold an address, over all Services that share it.
type contest struct {
	// served: a Service of the address can be served by some node.
	served  bool
	group   *election.Group
	matches set
}

// nobody can serve a Service without endpoints. Its address is a contest all the same: it keeps its place.
var nobody = election.NewGroup(nil)

// addContest narrows the candidates of an address to those that can serve all Services that share it: it has one holder,
// and that one gets the traffic of all. A Service that nobody can serve at the moment narrows nothing.
func (r *rules) addContest(contests map[netip.Addr]*contest, a address) {
	matches := r.l2Matches(a)
	if len(matches) == 0 {
		return
	}
	c := contests[a.addr]
	if c == nil {
		c = &contest{group: nobody}
		contests[a.addr] = c
	}
	c.matches = c.matches.union(matches)
	group := r.servers(a, r.crowd(matches, a.addr))
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

// servers are the candidates of a crowd that can serve an address; nil when the address cannot be served at all.
func (r *rules) servers(a address, c *crowd) *election.Group {
	endpoints, family := r.world.Endpoints[a.service.Key], lb.FamilyOf(a.addr)
	if !a.service.Local {
		if !endpoints.Any(family) {
			return nil
		}
		return c.group
	}
	var local []member
	for _, m := range c.members {
		if endpoints.On(m.Node).Of(family).Serving > 0 {
			local = append(local, m)
		}
	}
	if len(local) == 0 {
		return nil
	}
	return nearest(local)
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

// crowd are the nodes that advertisements select and that are there and willing.
type crowd struct {
	members []member
	// group of the nearest of them.
	group *election.Group
}

// member of a crowd, with its way to the segment in question.
type member struct {
	election.Candidate
	way way
}

// occasion is what a crowd depends on.
type occasion struct {
	matches set
	segment *segment
}

// crowd are the nodes that a set of layer-2 advertisements selects for an address, in order of name.
func (r *rules) crowd(matches set, addr netip.Addr) *crowd {
	key := occasion{matches, r.segments.of(addr)}
	if known, ok := r.crowds[key]; ok {
		return known
	}
	c := &crowd{}
	for i, n := range r.nodes {
		if weight := r.weight(matches, i); weight >= 0 && n.refusal == Eligible && n.alive {
			c.members = append(c.members, member{election.NewCandidate(n.Name, weight), key.segment.way(r, matches, i)})
		}
	}
	c.group = nearest(c.members)
	r.crowds[key] = c
	return c
}

// nearest are the members with the best way: a node without the address's subnet is no candidate when another has it.
// Those without any way never are.
func nearest(members []member) *election.Group {
	best := reachable
	var candidates []election.Candidate
	for _, m := range members {
		if m.way > best {
			candidates, best = nil, m.way
		}
		if m.way == best {
			candidates = append(candidates, m.Candidate)
		}
	}
	return election.NewGroup(candidates)
}

// weight of a node by its place: the sum over the advertisements that select it, -1 when none does.
func (r *rules) weight(matches set, place int) int {
	weight := -1
	for i := range matches.all() {
		if gain := r.l2[i].weights[place]; gain >= 0 {
			weight = max(weight, 0) + gain
		}
	}
	return weight
}
