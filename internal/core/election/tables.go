package election

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"github.com/daymark-lb/daymark/internal/core/shares"
)

// The holder of a shared address makes its tables. What the others work out by themselves it says at once; a table of an
// address that was just announced for the first time it makes at once, too, since there are no clients yet. All else moves
// clients for the sake of balance, and is done bit by bit.

const (
	// divideInterval is the shortest time between two rounds of new tables that even out, each for one of rebalanceSteps of the
	// addresses that need it.
	divideInterval = rebalanceInterval
	// soleTime is for how long at least an address that is to be shared is answered by its holder alone after others have answered
	// for it: until the holder has told all that it took the address over.
	soleTime = 5 * time.Second
	// shareAfter is for how long tables wait to be evened out if addresses are not.
	shareAfter = time.Minute
	// maxRevision is more than the revision of any table.
	maxRevision = 1 << 63
)

// makeTable makes the table of an address that this node holds, when it should be another one. What the others work out by
// themselves it says at once; what evens out it notes for later. It reports whether it made one.
func (s *serveRound) makeTable(i int, claim Claim, table shares.Table, before *serving) bool {
	contest, known := s.contests[i], s.Claims[s.contests[i].Addr]
	claim, pending, mayMake := s.ownClaim(i, claim)
	if !mayMake {
		return false
	}
	if pending >= 0 && claim.Term > known.Term {
		before.took = s.Now
	}
	s.prove(i, claim.Shares, before)
	wanted := shares.Table{}
	if contest.Shared {
		wanted = s.wanted(i, table, *before)
	}
	if first := wanted.Shared() && !s.goesOn(known.Shares, wanted); first && (known.Announced || pending < 0) {
		if before.sole.IsZero() {
			before.sole = s.Now
		}
		switch {
		case claim.Shares.Shared() || pending >= 0:
			s.wakeAfter(time.Millisecond)
		case !contest.Parts.Several():
			s.uneven = append(s.uneven, unevenTable{claim, wanted, before.sole})
		}
		wanted = shares.Table{}
	} else {
		before.sole = time.Time{}
	}
	// A claim that another node has made for this one, as one that gives the address back, may be lost with that node. Those who have
	// not heard of it would go on by the table before.
	unsaid := pending < 0 && before.told.Shared() && before.told != claim.Shares && before.said != claim
	if wanted == claim.Shares && !unsaid {
		s.awaitOwn(pending, known)
		before.said = claim
		s.noteUneven(i, claim, *before)
		return false
	}
	claim.Shares = wanted
	if pending < 0 || known.Term == claim.Term {
		claim = claim.revised()
	}
	before.said = claim
	s.say(claim, pending)
	return true
}

// ownClaim is the claim of this node to an address that it holds: one that is pending in this decision, by its place there, or the one that is
// known; -1. It reports whether this node may make a table for it.
func (s *serveRound) ownClaim(i int, known Claim) (own Claim, pending int, mayMake bool) {
	addr := s.contests[i].Addr
	pending = slices.IndexFunc(s.decision.Claims, func(c Claim) bool { return c.Addr == addr })
	if own = known; pending >= 0 {
		own = s.decision.Claims[pending]
	}
	ours := own.Node == s.node && own.Incarnation == s.incarnation
	return own, pending, ours && own.Announced && !s.Settling && (pending >= 0 || s.isOurs(s.holders[i]))
}

// awaitOwn wakes this node when its pending claim without a table is known: until then it goes by the table before.
func (s *serveRound) awaitOwn(pending int, known Claim) {
	if pending >= 0 && known.Shares.Shared() {
		s.wakeAfter(time.Millisecond)
	}
}

// say makes a claim in place of the pending one; -1: there is none.
func (s *serveRound) say(claim Claim, pending int) {
	if pending < 0 {
		s.decision.Claims = append(s.decision.Claims, claim)
	} else {
		s.decision.Claims[pending] = claim
	}
	s.wakeAfter(time.Millisecond) // Then the claim is known, and counts.
}

// revised is a claim with another table than it had. Should the revisions have run out, as when somebody sent the last one, a
// new term begins.
func (c Claim) revised() Claim {
	if c.Revision >= maxRevision-1 {
		c.Term, c.Revision = c.Term+1, 0
		return c
	}
	c.Revision++
	return c
}

// goesOn reports whether a server of a table is one of the next table, too.
func (s *serveRound) goesOn(table, next shares.Table) bool {
	return slices.ContainsFunc(table.Servers(), next.Has)
}

// wanted is the table that an address is to have now: without those who are gone. A part of a segment that is cut goes by
// its own table, which it does not say to the others.
func (s *serveRound) wanted(i int, table shares.Table, before serving) shares.Table {
	told := s.Claims[s.contests[i].Addr].Shares
	if told.Shared() {
		stay := slices.DeleteFunc(told.Servers(), func(node string) bool { return s.left(i, node, table) })
		left := slices.DeleteFunc(slices.Clone(stay), func(node string) bool { return s.refuses(before.proofs, node) })
		switch {
		case len(left) == len(told.Servers()):
			return told
		case len(left) > 0 && len(left) < len(stay):
			return s.divideAmong(told, left, s.silentOf(left))
		case len(left) > 0:
			return s.divide(told, left)
		}
	}
	return s.divide(before.table, s.servers(i, before.table, before.proofs))
}

// left reports whether a server must leave the table: it is not alive or no candidate, and has no shares by the effective one.
func (s *serveRound) left(i int, node string, effective shares.Table) bool {
	id := s.nodes.find(node)
	_, candidate := s.groups[i].find(id)
	return (id == nobody || !candidate) && !effective.Has(node)
}

// servers are the nodes that are to serve an address: of the preferred candidates, those of the table before first, then by
// rank and hash.
func (s *serveRound) servers(i int, before shares.Table, proofs []proof) []string {
	preferred, hash := slices.Clone(s.nodes.preferred(s.groups[i])), hashAddr(s.contests[i].Addr)
	if len(proofs) > 0 {
		preferred = slices.DeleteFunc(preferred, func(c indexedCandidate) bool { return s.refuses(proofs, s.nodes.names[c.id]) })
	}
	ranks := s.ranks(s.contests[i].Ranks)
	slices.SortFunc(preferred, func(a, b indexedCandidate) int {
		return cmp.Or(cmp.Compare(ranks.of(b.id), ranks.of(a.id)), cmp.Compare(b.score(hash), a.score(hash)), cmp.Compare(a.id, b.id))
	})
	names := make([]string, len(preferred))
	for place, c := range preferred {
		names[place] = s.nodes.names[c.id]
	}
	return shares.Choose(before, names)
}

// noteUneven notes an address whose table should be evened out, or should have other servers.
func (s *serveRound) noteUneven(i int, claim Claim, before serving) {
	if !s.contests[i].Shared || !claim.Shares.Shared() || s.contests[i].Parts.Several() || !s.allLive(claim.Shares) {
		return // A server that is silent keeps its clients as long as it answers.
	}
	if table := s.divide(claim.Shares, s.servers(i, claim.Shares, before.proofs)); table.Shared() && table != claim.Shares {
		s.uneven = append(s.uneven, unevenTable{claim: claim, table: table})
	}
}

// evenOut makes new tables for some of the addresses that need it, when they have needed it for a while. All nodes together
// make no more of them than maxMoves at a time. A first table waits for its own address only: it takes nothing from the others.
func (s *serveRound) evenOut() {
	if !slices.ContainsFunc(s.uneven, func(u unevenTable) bool { return u.since.IsZero() }) {
		s.unevenTables = time.Time{}
	} else if s.unevenTables.IsZero() && len(s.stillUnheld) == 0 {
		s.unevenTables = s.Now
	}
	after := cmp.Or(s.rebalanceAfter, shareAfter)
	interval := min(divideInterval, after)
	some := min((len(s.uneven)+s.rebalanceSteps-1)/s.rebalanceSteps, max(1, maxMoves/max(1, s.nodes.liveCount)))
	paced := interval - s.Now.Sub(s.evened)
	for _, u := range s.uneven {
		var wait time.Duration
		switch {
		case !u.since.IsZero():
			wait = max(after, soleTime) - s.Now.Sub(u.since)
		case len(s.stillUnheld) > 0:
			continue
		default:
			wait = after - s.Now.Sub(s.unevenTables)
		}
		if wait = max(wait, paced); wait > 0 {
			s.wakeAfter(wait)
			continue
		}
		if some == 0 {
			s.wakeAfter(interval)
			return
		}
		some--
		u.claim.Shares = u.table
		claim := u.claim.revised()
		s.say(claim, -1)
		if state, known := s.served[claim.Addr]; known {
			state.said = claim
			s.served[claim.Addr] = state
		}
		s.evened = s.Now
	}
}

// division is what DivideAmong is asked.
type division struct {
	before          shares.Table
	servers, untold string
}

// silentOf are those servers that are silent, and answer on the segment all the same. They work out by themselves what becomes of the shares of
// one that is gone. But they may not know whom the holder refuses: whom they hear they do not ask. If they do not hear it either, they ask it, and
// give themselves a part of its shares when it does not answer. The holder cannot know which is so. Then two answer those clients until the
// gossip heals, which is better than none.
func (s *serveRound) silentOf(servers []string) []string {
	return slices.DeleteFunc(slices.Clone(servers), func(node string) bool { return s.nodes.find(node) != nobody })
}

// divide returns what shares.Divide does.
func (s *serveRound) divide(before shares.Table, servers []string) shares.Table {
	return s.divideAmong(before, servers, nil)
}

// divideAmong returns what shares.DivideAmong does. Most addresses have one of a few tables, so it remembers some.
func (s *serveRound) divideAmong(before shares.Table, servers, untold []string) shares.Table {
	const most = 1024
	asked := division{before, strings.Join(shares.Choose(before, servers), "\x00"), strings.Join(untold, "\x00")}
	if table, known := s.divided[asked]; known {
		return table
	}
	if len(s.divided) >= most || s.divided == nil {
		s.divided = map[division]shares.Table{}
	}
	table := shares.DivideAmong(before, servers, untold)
	s.divided[asked] = table
	return table
}
