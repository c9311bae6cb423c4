package election

import (
	"math/bits"
	"math/rand/v2"
	"net/netip"
	"slices"
	"time"

	"github.com/daymark-lb/daymark/internal/core/shares"
)

// Shared addresses in a simulated cluster, and the rules for them.

const (
	// maxDoubleShare is how long two nodes that can hear each other may both answer one client, and maxLostShare how long nobody
	// may, when no fault is left.
	maxDoubleShare, maxLostShare = maxDoubleHold + lingering, time.Second
	// Where the gossip and the segment have different faults, claims settle it.
	maxLyingShare = maxClaimTime + rivalTimeout + 2*lingering
)

// shareByLot lets some addresses be shared, in every second cluster. Some of them begin or end to be meanwhile.
func (s *scenario) shareByLot(lot *rand.Rand) {
	if s.sharing = lot.IntN(2) == 0 && len(s.nodes) < 10; !s.sharing {
		return
	}
	for i := range s.api.shared {
		if s.api.shared[i] = lot.IntN(2) == 0; lot.IntN(10) > 0 {
			continue
		}
		s.after(time.Duration(lot.Int64N(int64(30*time.Second))), func() {
			if s.ending {
				return
			}
			s.change(func(a *api) { a.shared[i] = !a.shared[i] })
			s.log("%d is shared: %t", i, s.api.shared[i])
			s.toggled[i] = s.now
		})
	}
}

// mayShare reports whether all speakers that a node knows of understand shares.
func (n *node) mayShare() bool {
	return !slices.ContainsFunc(n.nodes, func(o *node) bool { return o.old && (o == n || n.live[o.name] != 0) })
}

// serve answers some clients of these addresses, and of no others.
func (n *node) serve(services []Service) {
	next := map[netip.Addr]shares.Table{}
	for _, s := range services {
		next[s.Addr] = s.Shares
		if n.services[s.Addr] != s.Shares {
			n.log("%s serves %d by %s", n.name, number(s.Addr), s.Shares)
			if n.strangers[number(s.Addr)] {
				n.violate("%s serves %d, which a stranger has", n.name, number(s.Addr))
			}
		}
	}
	for a := range n.services {
		if _, still := next[a]; !still && n.verbose {
			n.log("%s does not serve %d", n.name, number(a))
		}
	}
	n.services = next
}

// serves reports whether a node answers some clients of an address that it does not hold.
func (n *node) serves(a netip.Addr) bool {
	return n.up && !n.frozen && !n.stale && n.services[a].Has(n.name)
}

// shares are those of the clients that a node answers.
func (n *node) shares(a netip.Addr) shares.Set {
	switch {
	case n.answersFor(a) && n.tables[a].Shared():
		return n.tables[a].Of(n.name)
	case n.answersFor(a):
		return shares.All
	case n.serves(a):
		return n.services[a].Of(n.name)
	}
	return 0
}

// sharesChecks check the rules for shared addresses.
type sharesChecks struct {
	// doubleSince is since when two nodes have both answered a client of an address, and lostSince since when nobody has; 0: not so.
	doubleSince map[[3]int]time.Duration
	lostSince   []time.Duration
	// toggled is when an address last began or ended to be shared.
	toggled []time.Duration
	// tabledAt is when the last table of each address was made, and tables counts all.
	tabledAt []time.Duration
	tables   int
}

func newSharesChecks(addresses int) sharesChecks {
	return sharesChecks{map[[3]int]time.Duration{}, make([]time.Duration, addresses), make([]time.Duration, addresses), make([]time.Duration, addresses), 0}
}

// onTable is called when a node makes a claim: a table of it moves no more than it must from the one before.
func (c *checks) onTable(n *node, claim Claim) {
	known := n.claims[claim.Addr]
	if claim.Shares == known.Shares || claim.free() || claim.Node != n.name {
		return
	}
	c.tables++
	c.tabledAt[number(claim.Addr)] = c.now
	c.log("%s makes table %d of term %d for %d: %s", n.name, claim.Revision, claim.Term, number(claim.Addr), claim.Shares)
	if !claim.Announced && claim.Shares.Shared() {
		c.violate("%s shares %d, which it has not announced", n.name, number(claim.Addr))
	}
	if same := claim.Term == known.Term; same && claim.Revision <= known.Revision {
		c.violate("%s makes revision %d of %d after %d", n.name, claim.Revision, number(claim.Addr), known.Revision)
	}
	goesOn := slices.ContainsFunc(claim.Shares.Servers(), known.Shares.Has)
	untold := slices.DeleteFunc(claim.Shares.Servers(), func(server string) bool { return n.live[server] != 0 }) // of whom the holder refuses
	if goesOn && shares.Divide(known.Shares, claim.Shares.Servers()) != claim.Shares &&
		(len(untold) == 0 || shares.DivideAmong(known.Shares, claim.Shares.Servers(), untold) != claim.Shares) {
		c.violate("%s divides %d as %s after %s", n.name, number(claim.Addr), claim.Shares, known.Shares)
	}
	for _, server := range claim.Shares.Servers() {
		fresh := goesOn && !known.Shares.Has(server)
		if fresh && (n.live[server] == 0 || !n.candidate(claim.Addr, server) || c.now-n.unchangedSince < rebalanceAfter) {
			c.violate("%s gives %s a part of %d without cause", n.name, server, number(claim.Addr))
		}
	}
}

// checkShares checks that every client is answered, and by one node.
func (c *checks) checkShares() {
	for i := range c.lostSince {
		var all shares.Set
		for _, n := range c.nodes {
			ours := n.shares(addr(i))
			all |= ours
			for _, other := range c.nodes[:n.index] {
				c.checkDouble(i, n, other, ours&other.shares(addr(i)) != 0)
			}
		}
		possible := c.possible(i) && (!c.lying || c.mayAnswer(i)) && !c.strangers[i] && (c.orderly == nil || c.takesPart(i))
		switch {
		case all == shares.All || !possible || len(c.cut) > 0: // A new table may take seconds to reach a server, by way of others.
			c.lostSince[i] = 0
		case c.lostSince[i] == 0:
			c.lostSince[i] = c.now
		case c.now-max(c.lostSince[i], c.lastFault+settleTime, c.possibleSince[i]+settleTime) > maxLostShare+c.untilProvenAgain(i):
			c.violate("%d of the clients of %d have no answer", shares.Count-bits.OnesCount64(uint64(all)), i)
		}
	}
}

func (c *checks) checkDouble(i int, a, b *node, both bool) {
	key := [3]int{i, a.index, b.index}
	switch {
	case !both || !c.hears(a, b) || !c.hears(b, a) || !c.lying && (!c.reach(a, b) || len(c.cut) > 0) || c.holdersApart(i, a, b):
		delete(c.doubleSince, key)
		return
	case c.doubleSince[key] == 0:
		c.doubleSince[key] = c.now
	}
	bound := maxDoubleShare
	if c.lying {
		bound = maxLyingShare
	}
	bound += c.lateness(a, b, i)
	if c.lastWords(a, b, i) {
		bound += heirTimeout + time.Duration(len(c.nodes))*nextHeirDelay
	}
	if since := max(c.doubleSince[key], c.lastFault, c.changed); c.now-since > bound {
		c.violate("%s and %s both answer %d of the clients of %d for %s", a.name, b.name, (a.shares(addr(i)) & b.shares(addr(i))).Len(), i, c.now-since)
	}
}

// holdersApart reports whether two nodes go by the claims of two holders that do not hear each other, as when the gossip and the
// segment are cut in different ways, or that one of them does not hear in the gossip. Then both answer wherever they are.
func (c *checks) holdersApart(i int, a, b *node) bool {
	one, other := a.claims[addr(i)].Node, b.claims[addr(i)].Node
	if known := a.claims[addr(i)]; one == other && known != b.claims[addr(i)] {
		return a.silent[b.name] != 0 || b.silent[a.name] != 0 // One of them does not hear of the new table.
	}
	if one == other || one == "" || other == "" {
		return false
	}
	return !c.hears(c.nodes[nodeNumber(one)], c.nodes[nodeNumber(other)]) || !c.hears(c.nodes[nodeNumber(other)], c.nodes[nodeNumber(one)])
}

// lastWords reports whether two nodes go by different claims of a speaker that has crashed: each has heard another one of the last that it
// made, and cannot know which the other has. So both go by their own, until an heir claims the address, and the first in turn may have heard none.
func (c *checks) lastWords(a, b *node, i int) bool {
	one, other := a.claims[addr(i)], b.claims[addr(i)]
	return one != other && one.same(other) && !one.free() && !c.nodes[nodeNumber(one.Node)].up
}

// movesClients reports whether clients of an address go from one node to another, and may be answered by both.
func (c *checks) movesClients(i int) bool {
	return c.now-max(c.claimedAt[i], c.tabledAt[i]) <= maxTries*maxMessageDelay+lingering
}

// claimUnderWay reports whether a claim or a table has been made so short a time ago that not all need know it.
func (c *checks) claimUnderWay() bool {
	recent := func(at time.Duration) bool { return at > 0 && c.now-at <= maxTries*maxMessageDelay }
	return slices.ContainsFunc(c.tabledAt, recent) || slices.ContainsFunc(c.claimedAt, recent)
}

// untilProvenAgain is how much longer than others clients of an address may wait whose holder is not heard in the gossip. The one that it has
// taken it from cedes it when it hears that on the segment, and those who hear of that serve no more. The holder finds that out.
func (c *checks) untilProvenAgain(i int) time.Duration {
	if slices.ContainsFunc(c.nodes, func(n *node) bool { return n.up && c.mute[n.index] && n.owns(n.claims[addr(i)]) }) {
		return takerTimeout + proofTimeout
	}
	return 0
}

// checkTables checks the shared addresses when all is quiet: every client has one node that answers, all nodes know the same
// table, which is even, and has the nodes that may serve.
func (c *checks) checkTables() {
	if !c.sharing {
		return
	}
	for i, holders := range c.holders {
		if len(holders) != 1 || c.now-c.toggled[i] < 2*settleTime+rebalanceAfter || c.movesClients(i) {
			continue
		}
		table := holders[0].claims[addr(i)].Shares
		if table.Shared() != (c.api.shared[i] && holders[0].mayShare()) {
			c.violate("%d is shared: %t, and has the table %s", i, c.api.shared[i], table)
		}
		if want := c.serversOf(i); table.Shared() && (!table.Balanced() || !slices.Equal(table.Servers(), want)) {
			c.violate("%d has the table %s, and may be served by %v", i, table, want)
		}
		var all shares.Set
		for _, n := range c.nodes {
			if !n.up {
				continue
			}
			if ours := n.shares(addr(i)); all&ours != 0 {
				c.violate("%s and another node answer %d clients of %d", n.name, (all & ours).Len(), i)
			} else {
				all |= ours
			}
			if n.old {
				continue // It knows neither tables nor revisions.
			}
			if known := n.claims[addr(i)]; !table.Shared() && known.same(holders[0].claims[addr(i)]) && !known.Shares.Shared() {
				continue // The revision counts only with a table.
			}
			if c.claimUnderWay() {
				continue // One address after the other moves, or has another table, so some node has not heard of the last.
			}
			if n.claims[addr(i)] != holders[0].claims[addr(i)] || n.digest != holders[0].digest && !c.mixed {
				c.violate("%s knows another table of %d: %s", n.name, i, n.claims[addr(i)].Shares)
			}
		}
		if all != shares.All {
			c.violate("%d shares of %d have no answer", shares.Count-all.Len(), i)
		}
	}
}

// serversOf are the nodes that may serve an address: those of the highest weight.
func (c *checks) serversOf(i int) (names []string) {
	highest := -1
	for _, n := range c.nodes {
		if !c.eligible(n, i) {
			continue
		}
		if weight := c.api.eligible[i].weights[n.index]; weight > highest {
			highest, names = weight, nil
		}
		if c.api.eligible[i].weights[n.index] == highest {
			names = append(names, n.name)
		}
	}
	slices.Sort(names)
	return names
}

// checkPartShares checks that each part of a segment with a node that may serve an address has one that answers each client.
func (s *scenario) checkPartShares(i int, eligible map[int]bool) {
	if !s.sharing || s.movesClients(i) || s.toggledShortlyBefore(i) || s.now-s.changed < maxPartTime {
		return // Who serves whom follows from what the nodes say of the segment, each about once a second.
	}
	for part := range len(s.nodes) {
		var all, twice shares.Set
		for _, n := range s.nodes {
			if s.parts[n.index] == part {
				twice |= all & n.shares(addr(i))
				all |= n.shares(addr(i))
			}
		}
		if eligible[part] && (all != shares.All || twice != 0) {
			s.violate("in part %d of %v %d clients of %d have no answer, and %d have two", part, s.parts, shares.Count-all.Len(), i, twice.Len())
		}
	}
}

// toggledShortlyBefore reports whether an address has just begun or ended to be shared. A part may then wait for a stand-in.
func (s *scenario) toggledShortlyBefore(i int) bool {
	return s.toggled[i] > 0 && s.now-s.toggled[i] <= settleTime
}

// partServes reports whether a server of a shared address is in a part of the segment.
func (s *scenario) partServes(i, part int) bool {
	return slices.ContainsFunc(s.nodes, func(n *node) bool { return s.parts[n.index] == part && n.shares(addr(i)) != 0 })
}
