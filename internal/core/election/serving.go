package election

import (
	"cmp"
	"maps"
	"net/netip"
	"slices"
	"time"

	"github.com/daymark-lb/daymark/internal/core/shares"
)

// A shared address has a holder like any other, who makes a table of which node answers which clients, and puts it into the
// claim. The servers of the table answer their shares, whoever holds the address and whether anybody does. Each node works out
// by itself what becomes of the shares of a server that is gone (effective): so they have heirs as soon as the holder of an
// address would have one, and the table that the holder then makes says the same. A server that is new takes its part only by
// a table of the holder, who makes it after a while, as addresses are moved to even out.

const (
	// lingering is for how long a node goes on answering clients that a table has given to others, who may not know it yet.
	lingering = 200 * time.Millisecond
	// divideInterval is the shortest time between two rounds of new tables that even out, each for one of rebalanceSteps of the
	// addresses that need it.
	divideInterval = rebalanceInterval
)

// serving is what is remembered of a shared address.
type serving struct {
	// told is the table of the claim, and table the one that this node went by.
	told, table shares.Table
	// serves: this node answered clients by it.
	serves bool
	// losing is since when the present table takes shares from this node; zero: it does not.
	losing time.Time
	// barred is since when this node may not serve the address any more; zero: it may.
	barred time.Time
}

// servings are what an Elector remembers of shared addresses.
type servings struct {
	served map[netip.Addr]serving
	// apart is since when each node has been in another part and has not answered.
	apart map[testimonyKey]time.Time
	// verdicts say which nodes were gone by what was last known of them, so that a new question does not bring them back.
	verdicts map[testimonyKey]bool
	// former are the servers that tables had of late, and when that was last so. They go on for a moment.
	former map[loss]time.Time
	// unevenTables is since when a table of this node has not been as it should.
	unevenTables time.Time
	// evened is when this node last made tables to even out.
	evened time.Time
}

func newServings() servings {
	return servings{served: map[netip.Addr]serving{}, apart: map[testimonyKey]time.Time{}, former: map[loss]time.Time{}}
}

// noteServers notes who serves, and forgets who served long ago.
func (r *round) noteServers() {
	// order does not matter: each address is noted alone
	for addr, state := range r.served {
		if now := r.Claims[addr].Shares; now != state.told {
			for _, server := range state.told.Servers() {
				r.former[loss{server, addr}] = r.Now
			}
		}
	}
	maps.DeleteFunc(r.former, func(_ loss, at time.Time) bool { return r.Now.Sub(at) > successorTimeout })
}

// servesOrDid reports whether a node is a server of a shared address, or was shortly before: it answers whoever asks it.
func (r *round) servesOrDid(node string, addr netip.Addr) bool {
	_, did := r.former[loss{node, addr}]
	return did || r.Claims[addr].Shares.Has(node)
}

// serveRound is the work on the shared addresses in one decision.
type serveRound struct {
	*round
	served map[netip.Addr]serving
	apart  map[testimonyKey]time.Time
	asked  map[testimonyKey]Question
	// verdicts are those of this round.
	verdicts map[testimonyKey]bool
	// uneven are the contests whose tables should be evened out, with what they should be.
	uneven []unevenTable
}

type unevenTable struct {
	claim Claim
	table shares.Table
}

// serveShares says which clients of the shared addresses this node answers, and makes the tables of those that it holds.
func (r *round) serveShares() {
	s := &serveRound{
		round: r, served: map[netip.Addr]serving{}, apart: map[testimonyKey]time.Time{}, asked: map[testimonyKey]Question{},
		verdicts: map[testimonyKey]bool{},
	}
	holds := r.decision.Hold
	for i, contest := range r.contests {
		for len(holds) > 0 && holds[0].Addr.Less(contest.Addr) {
			holds = holds[1:]
		}
		before, known := r.served[contest.Addr]
		claim := r.Claims[contest.Addr]
		if !contest.Shared && !claim.Shares.Shared() && !known {
			continue
		}
		var hold *Hold
		if len(holds) > 0 && holds[0].Addr == contest.Addr {
			hold = &holds[0]
		}
		s.serve(i, claim, before, hold)
	}
	r.served, r.apart, r.verdicts = s.served, s.apart, s.verdicts
	s.evenOut()
}

// serve decides about one address. The hold is what this node holds of it; nil: it does not.
func (s *serveRound) serve(i int, claim Claim, before serving, hold *Hold) {
	table := s.effective(i, claim.Shares)
	if hold != nil {
		s.makeTable(i, claim, table, before)
	}
	state := s.linger(table, before, hold != nil)
	state.told = claim.Shares
	if claim.Node != s.node || hold == nil {
		state.barred = s.barredSince(i, before)
	}
	may := state.barred.IsZero() || s.Now.Sub(state.barred) < successorTimeout
	state.serves = false
	switch contest := &s.contests[i]; {
	case hold != nil:
		hold.Shares = state.table
		state.serves = state.table.Has(s.node)
	case state.table.Has(s.node) && contest.HasInterface && may && (before.serves || !s.Settling && state.barred.IsZero()):
		s.decision.Serve = append(s.decision.Serve, Service{contest.Addr, state.table, claim.Node})
		state.serves = true
	}
	if !state.barred.IsZero() && state.serves {
		s.wakeAfter(successorTimeout - s.Now.Sub(state.barred))
	}
	if state.table.Shared() || state.told.Shared() {
		s.served[s.contests[i].Addr] = state
	}
}

// barredSince is since when this node may not serve an address any more. It then does so until its shares have heirs, for a
// limited time.
func (s *serveRound) barredSince(i int, before serving) time.Time {
	if _, candidate := s.groups[i].find(s.me); candidate {
		return time.Time{}
	}
	if !before.barred.IsZero() {
		return before.barred
	}
	return s.Now
}

// linger goes by the table before for a moment when the present one only takes shares from this node: who they are given to
// may not know it yet. Two may then answer a client; that is better than none.
func (s *serveRound) linger(table shares.Table, before serving, holds bool) serving {
	ours, next := before.table.Of(s.node), table.Of(s.node)
	if holds && !table.Shared() {
		next = shares.All
	}
	state := serving{table: table}
	if !before.serves || ours&^next == 0 || next&^ours != 0 {
		return state
	}
	if before.losing.IsZero() {
		before.losing = s.Now
	}
	left := lingering - s.Now.Sub(before.losing)
	if left <= 0 {
		return state
	}
	s.wakeAfter(left)
	state.table, state.losing = before.table, before.losing
	return state
}

// effective is what a table comes to when the servers that are gone have heirs. A node that may not serve the address any more
// is heir to nobody: it goes on with its own shares.
func (s *serveRound) effective(i int, table shares.Table) shares.Table {
	if _, candidate := s.groups[i].find(s.me); !candidate {
		return table
	}
	servers := table.Servers()
	left := slices.DeleteFunc(slices.Clone(servers), func(node string) bool { return s.gone(i, node) })
	if len(left) == len(servers) {
		return table
	}
	return shares.Divide(table, left)
}

// gone reports whether a server does not answer its clients any more, or need not. One that is silent or apart is asked first.
func (s *serveRound) gone(i int, node string) bool {
	contest := s.contests[i]
	id := s.nodes.find(node)
	if id == nobody {
		if !s.isSilent(node) {
			return true
		}
		return s.unanswered(node, contest)
	}
	if _, candidate := s.groups[i].find(id); !candidate {
		return true
	}
	if node != s.node && contest.Parts.Apart(s.node, node) {
		return s.goneApart(node, contest)
	}
	if slices.Contains(s.Doubtful, node) {
		s.askOnce(node, contest, s.asked) // So the answer is there with the verdict.
	}
	return false
}

// goneApart reports whether a server has been in another part for a while and does not answer.
func (s *serveRound) goneApart(node string, contest Contest) bool {
	q, first := s.askOnce(node, contest, s.asked)
	key := testimonyKey{node, contest.Segment, contest.Addr.Is4()}
	since, known := s.apart[key]
	if first {
		since, known = s.servings.apart[key]
	}
	if !known || s.Answers[q] == Answered || s.pauses[node].until.After(s.Now) {
		since = s.Now
	}
	s.apart[key] = since
	left := standInAfter - s.Now.Sub(since)
	if left > 0 {
		s.wakeAfter(left)
	}
	return s.unanswered(node, contest) && left <= 0
}

// unanswered asks a node about an address, and reports whether it has not answered. As long as the question is open, what was
// known before counts.
func (s *serveRound) unanswered(node string, contest Contest) bool {
	q, _ := s.askOnce(node, contest, s.asked)
	key := testimonyKey{node, contest.Segment, contest.Addr.Is4()}
	verdict := s.Answers[q] == NoAnswer || s.Answers[q] != Answered && s.servings.verdicts[key]
	s.verdicts[key] = verdict
	return verdict
}

// makeTable makes the table of an address that this node holds, when it should be another one. What the others work out by
// themselves it says at once; what evens out it notes for later.
func (s *serveRound) makeTable(i int, claim Claim, table shares.Table, before serving) {
	contest := s.contests[i]
	pending := slices.IndexFunc(s.decision.Claims, func(c Claim) bool { return c.Addr == contest.Addr })
	if pending >= 0 {
		claim = s.decision.Claims[pending]
	}
	ours := claim.Node == s.node && claim.Incarnation == s.incarnation
	if !ours || !claim.Announced || s.Settling || pending < 0 && s.holders[i] != s.me {
		return
	}
	wanted := shares.Table{}
	if contest.Shared {
		wanted = s.wanted(i, table, before)
	}
	if wanted == claim.Shares {
		s.noteUneven(i, claim)
		return
	}
	claim.Shares = wanted
	s.wakeAfter(time.Millisecond) // Then the claim is known, and counts.
	if pending >= 0 && s.Claims[contest.Addr].Term < claim.Term {
		s.decision.Claims[pending] = claim
		return
	}
	claim.Revision++
	if pending >= 0 {
		s.decision.Claims[pending] = claim
		return
	}
	s.decision.Claims = append(s.decision.Claims, claim)
}

// wanted is the table that an address is to have now: without those who are gone. A part of a segment that is cut goes by
// its own table, which it does not say to the others.
func (s *serveRound) wanted(i int, table shares.Table, before serving) shares.Table {
	told := s.Claims[s.contests[i].Addr].Shares
	if told.Shared() {
		left := slices.DeleteFunc(told.Servers(), func(node string) bool { return s.left(i, node, table) })
		switch {
		case len(left) == len(told.Servers()):
			return told
		case len(left) > 0:
			return shares.Divide(told, left)
		}
	}
	return shares.Divide(before.table, s.servers(i, before.table))
}

// left reports whether a server must leave the table: it is not alive or no candidate, and has no shares by the effective one.
func (s *serveRound) left(i int, node string, effective shares.Table) bool {
	id := s.nodes.find(node)
	_, candidate := s.groups[i].find(id)
	return (id == nobody || !candidate) && !effective.Has(node)
}

// servers are the nodes that are to serve an address: of the preferred candidates, those of the table before first, then by
// rank and hash.
func (s *serveRound) servers(i int, before shares.Table) []string {
	preferred, hash := slices.Clone(s.nodes.preferred(s.groups[i])), hashAddr(s.contests[i].Addr)
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
func (s *serveRound) noteUneven(i int, claim Claim) {
	if !s.contests[i].Shared || s.rebalanceAfter == 0 || s.contests[i].Parts.Several() {
		return
	}
	if slices.ContainsFunc(claim.Shares.Servers(), func(node string) bool { return s.nodes.find(node) == nobody }) {
		return // It is silent, and keeps its clients as long as it answers.
	}
	servers := s.servers(i, claim.Shares)
	if table := shares.Divide(claim.Shares, servers); table.Shared() && table != claim.Shares {
		s.uneven = append(s.uneven, unevenTable{claim, table})
	}
}

// evenOut makes new tables for some of the addresses that need it, when they have needed it for a while.
func (s *serveRound) evenOut() {
	if len(s.uneven) == 0 || len(s.stillUnheld) > 0 {
		s.unevenTables = time.Time{}
		return
	}
	if s.unevenTables.IsZero() {
		s.unevenTables = s.Now
	}
	interval := min(divideInterval, s.rebalanceAfter)
	if wait := max(s.rebalanceAfter-s.Now.Sub(s.unevenTables), interval-s.Now.Sub(s.evened)); wait > 0 {
		s.wakeAfter(wait)
		return
	}
	some := (len(s.uneven) + s.rebalanceSteps - 1) / s.rebalanceSteps
	for _, u := range s.uneven[:some] {
		u.claim.Shares = u.table
		u.claim.Revision++
		s.decision.Claims = append(s.decision.Claims, u.claim)
	}
	s.evened = s.Now
	s.wakeAfter(time.Millisecond) // Then the claims are known, and count.
}
