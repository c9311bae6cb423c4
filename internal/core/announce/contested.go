package announce

import (
	"maps"
	"net/netip"
	"slices"

	"github.com/daymark-lb/daymark/internal/core/election"
	"github.com/daymark-lb/daymark/internal/core/lb"
)

// contested are the contests of this node, kept as long as only few Services change.
type contested struct {
	members membersBasis
	demands []demand
	// list is in the order of the demands; a new one is made when it changes.
	list []Contest
	// elections are those of the list; nil: they have not been asked for.
	elections []election.Contest
	// unheld says in words which addresses no node can answer for, though there are endpoints.
	unheld  map[netip.Addr]string
	proxied map[netip.Addr]bool
	places  *places
}

// membersBasis is what contests follow from beside the objects.
type membersBasis struct {
	known bool
	alive []string
	links map[string][]lb.Link
	own   []lb.Link
}

func worldMembers(w *World) membersBasis {
	return membersBasis{w.Members.Known, w.Members.Alive, w.Links, w.OwnLinks}
}

// equal reports whether two are the same. Links never change, so the same lists are the same links.
func (b *membersBasis) equal(other *membersBasis) bool {
	return b.known == other.known && slices.Equal(b.alive, other.alive) && sameList(b.own, other.own) &&
		(b.links == nil) == (other.links == nil) && maps.EqualFunc(b.links, other.links, sameList)
}

func sameList(a, b []lb.Link) bool { return len(a) == len(b) && (len(a) == 0 || &a[0] == &b[0]) }

// contest works out the contests: the addresses that layer 2 announces, each with its candidates, if any, and the interfaces of this node
// to answer on, given what is demanded of it. Until the membership is known there are none: a speaker that wrongly thinks itself alone
// would be a second holder on the segment.
func (r *rules) contest(demands []demand, numbers *segmentNumbers) *contested {
	c := &contested{
		members: worldMembers(r.world), unheld: map[netip.Addr]string{}, proxied: proxiedAddresses(r.world.OwnLinks),
		places: &places{rules: r, me: r.nodeIndex(r.world.Node), known: map[candidateKey]*place{}, numbers: numbers},
	}
	if !c.members.known || len(demands) == 0 {
		return c
	}
	c.demands, c.list = demands, make([]Contest, len(demands))
	for i := range demands {
		c.list[i] = c.of(&demands[i])
	}
	return c
}

// of makes the contest of a demand.
func (c *contested) of(d *demand) Contest {
	r := c.places.rules
	here := c.places.of(candidateKey{d.matches, r.segments.of(d.addr)})
	here.uses++
	group, served := r.candidatesOf(d, here.segment)
	if served && len(group.Candidates()) == 0 {
		c.unheld[d.addr] = unheldText(d.addr, names(d.matches, func(i int) string { return r.l2[i].Name }))
	}
	return Contest{election.Contest{
		Addr: d.addr, Group: group, Ranks: d.ranks, HasInterface: len(here.Interfaces) > 0, Segment: here.number, Shared: here.shared,
	}, &here.Answering, c.proxied[d.addr], d.disputed}
}

// update returns what contest does, given that the members are the same, and that nothing has changed of the Services at other addresses
// than some, which are in order. Contests never change, so those who got the list before keep it.
func (c *contested) update(r *rules, demands []demand, at []netip.Addr) *contested {
	if len(at) == 0 || !c.members.known {
		return c
	}
	r.segments, r.candidateSets = c.places.segments, c.places.candidateSets
	c.places.rules = r
	next := *c
	next.demands = demands
	var anew []Contest
	for _, addr := range at {
		delete(next.unheld, addr)
		if before := demandAt(c.demands, addr); before != nil {
			c.places.of(candidateKey{before.matches, r.segments.of(addr)}).uses--
		}
		if now := demandAt(demands, addr); now != nil {
			anew = append(anew, next.of(now))
		}
	}
	var changed bool
	next.list, changed = replacedAt(c.list, anew, at, func(x *Contest) netip.Addr { return x.Addr }, (*Contest).same)
	if changed {
		next.elections = nil
	}
	return &next
}

// demandAt finds the demand of an address; nil: there is none.
func demandAt(demands []demand, addr netip.Addr) *demand {
	i := firstAt(demands, addr, func(d *demand) netip.Addr { return d.addr })
	if i == len(demands) || demands[i].addr != addr {
		return nil
	}
	return &demands[i]
}

// electionContests are those of the list; the same as before if it is.
func (c *contested) electionContests() []election.Contest {
	if c.elections == nil {
		c.elections = electionContests(c.list)
	}
	return c.elections
}

// unheldTexts are those of all addresses, sorted.
func (c *contested) unheldTexts() []string { return slices.Sorted(maps.Values(c.unheld)) }

// same reports whether two are equal.
func (c *Contest) same(other *Contest) bool {
	return c.Contest == other.Contest && c.KernelsAnswer == other.KernelsAnswer && c.Disputed == other.Disputed &&
		(c.Answering == other.Answering || slices.Equal(c.Interfaces, other.Interfaces) && c.Detection == other.Detection && c.Draining == other.Draining)
}
