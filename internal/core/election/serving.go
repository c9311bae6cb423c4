package election

import (
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

// lingering is for how long a node goes on answering clients that a table has given to others, who may not know it yet.
const lingering = 200 * time.Millisecond

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
	// sole is since when this node has held the address without a table though it is to be shared; zero: not so.
	sole time.Time
	// took is when this node last took the address over with the table of the holder before; zero: it does not hold it by such a claim.
	took time.Time
	// said is the claim with the last table that this node has told the others.
	said Claim
	// proofs are of the servers of a table of this node, and of those that it refuses.
	proofs []proof
	// settled is what all this was worked out for, when nothing is left to do before due; zero: something is. A zero due is never.
	settled basis
	due     time.Time
}

// basis is what the work on a shared address depends on while nothing happens.
type basis struct {
	claim   Claim
	segment int
	group   *groupIndex
	ranks   *Ranks
	version uint64
	holds   bool
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
	// heard is which speakers have answered when they were to be proven, and mute which have not.
	heard map[testimonyKey]uint64
	mute  map[testimonyKey]muteness
	// unevenTables is since when a table of this node has not been as it should.
	unevenTables time.Time
	// evened is when this node last made tables to even out.
	evened time.Time
	// divided are the tables that Divide has made of late.
	divided map[division]shares.Table
}

func newServings() servings {
	return servings{
		served: map[netip.Addr]serving{}, apart: map[testimonyKey]time.Time{}, former: map[loss]time.Time{},
		heard: map[testimonyKey]uint64{}, mute: map[testimonyKey]muteness{},
	}
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

// servesOrDid reports whether a node is a server of a shared address, or was shortly before: it answers whoever asks it. One that is silent may
// go by a table of long ago.
func (r *round) servesOrDid(node string, addr netip.Addr) bool {
	_, did := r.former[loss{node, addr}]
	table := r.Claims[addr].Shares
	return did || table.Has(node) || table.Shared() && r.isSilent(node)
}

// serveRound is the work on the shared addresses in one decision.
type serveRound struct {
	*round
	apart map[testimonyKey]time.Time
	asked map[testimonyKey]Question
	// verdicts are those of this round.
	verdicts map[testimonyKey]bool
	// proving is how many addresses each server is asked about, to find out whether it answers at all.
	proving map[testimonyKey]int
	// failed are the speakers that have not answered in time about an address, in this round.
	failed map[testimonyKey]uint64
	// segments are those of the shared addresses, without a node, and segment is the one that was added last.
	segments map[testimonyKey]bool
	segment  testimonyKey
	// seen is how many of the addresses known before there are.
	seen int
	// uneven are the contests whose tables should be evened out, with what they should be.
	uneven []unevenTable
}

// unevenTable is a table that a claim should have, since is since when at least; zero: it has another one.
type unevenTable struct {
	claim Claim
	table shares.Table
	since time.Time
}

// serveShares says which clients of the shared addresses this node answers, and makes the tables of those that it holds.
func (r *round) serveShares() {
	s := &serveRound{
		round: r, apart: map[testimonyKey]time.Time{}, asked: map[testimonyKey]Question{},
		verdicts: map[testimonyKey]bool{}, proving: map[testimonyKey]int{}, failed: map[testimonyKey]uint64{},
		segments: map[testimonyKey]bool{},
	}
	known := len(r.served)
	holds := r.decision.Hold
	for i, contest := range r.contests {
		for len(holds) > 0 && holds[0].Addr.Less(contest.Addr) {
			holds = holds[1:]
		}
		before, known := r.served[contest.Addr]
		if known {
			s.seen++
		}
		claim := r.counted(r.Claims[contest.Addr])
		if !contest.Shared && !claim.Shares.Shared() && !known {
			continue
		}
		s.noteSegment(contest)
		var hold *Hold
		if len(holds) > 0 && holds[0].Addr == contest.Addr {
			hold = &holds[0]
		}
		s.serve(i, claim, before, hold)
	}
	if s.seen < known {
		maps.DeleteFunc(r.served, func(addr netip.Addr, _ serving) bool { _, contested := r.contestOf(addr); return !contested })
	}
	r.apart, r.verdicts = s.apart, s.verdicts
	s.noteMute()
	s.evenOut()
}

// serve decides about one address. The hold is what this node holds of it; nil: it does not.
func (s *serveRound) serve(i int, claim Claim, before serving, hold *Hold) {
	contest := &s.contests[i]
	now := basis{claim, contest.Segment, s.groups[i], contest.Ranks, s.nodes.version, hold != nil}
	if before.settled == now && s.isQuiet(contest) && (before.due.IsZero() || before.due.After(s.Now)) {
		if !before.due.IsZero() {
			s.wakeAfter(before.due.Sub(s.Now))
		}
		s.goOn(contest, before, hold)
		return
	}
	table, left := s.effective(i, claim.Shares), len(s.uneven)
	before.settled, before.due = basis{}, time.Time{}
	var made bool
	if hold != nil {
		made = s.makeTable(i, claim, table, &before)
	} else {
		before.proofs, before.sole, before.took = nil, time.Time{}, time.Time{}
	}
	state := s.linger(contest.Addr, table, before, hold != nil)
	state.told, state.proofs, state.sole, state.said, state.took = claim.Shares, before.proofs, before.sole, before.said, before.took
	state.barred = s.barredSince(i, before)
	may := state.barred.IsZero() || s.Now.Sub(state.barred) < successorTimeout
	state.serves = state.table.Has(s.node) &&
		(hold != nil || contest.HasInterface && may && (before.serves || !s.Settling && state.barred.IsZero()))
	if !state.barred.IsZero() && state.serves && hold == nil {
		s.wakeAfter(successorTimeout - s.Now.Sub(state.barred))
	}
	s.goOn(contest, state, hold)
	unsettled := takerTimeout - s.Now.Sub(state.took)
	if !state.took.IsZero() && unsettled > 0 {
		s.wakeAfter(unsettled) // There may be no other server whose proof does.
	}
	done := unsettled <= 0 && !made && left == len(s.uneven) && state.losing.IsZero() && state.barred.IsZero() && state.sole.IsZero() &&
		state.table == claim.Shares && contest.Shared == claim.Shares.Shared() && s.proven(claim.Shares, state.proofs) && s.isQuiet(contest)
	if done && (hold != nil || state.serves == state.table.Has(s.node)) && s.allLive(claim.Shares) {
		state.settled, state.due = now, s.nextRefusalEnd(state.proofs)
	}
	if state.table.Shared() || state.told.Shared() || !state.sole.IsZero() || len(state.proofs) > 0 {
		s.served[contest.Addr] = state
	} else {
		delete(s.served, contest.Addr)
	}
}

// goOn has an address answered as is remembered of it.
func (s *serveRound) goOn(contest *Contest, state serving, hold *Hold) {
	switch {
	case hold != nil:
		hold.Shares = state.table
	case state.serves:
		s.decision.Serve = append(s.decision.Serve, Service{contest.Addr, state.table, s.Claims[contest.Addr].Node})
	}
}

// isQuiet reports whether nothing makes it necessary to look at a shared address whose claim and candidates are the same.
func (s *serveRound) isQuiet(contest *Contest) bool {
	return len(s.Doubtful) == 0 && !s.Settling && contest.Shared && contest.HasInterface && !contest.Parts.Several()
}

// allLive reports whether all servers of a table are alive.
func (s *serveRound) allLive(table shares.Table) bool {
	return !slices.ContainsFunc(table.Servers(), func(node string) bool { return s.nodes.find(node) == nobody })
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
// may not know it yet. Two may then answer a client; that is better than none. A holder that has answered all clients, and
// gives others their parts, goes on until each of those has answered it, or has had the time.
func (s *serveRound) linger(addr netip.Addr, table shares.Table, before serving, holds bool) serving {
	var ours shares.Set
	whole := holds && !before.table.Shared() && s.answered[addr]
	switch {
	case whole:
		ours = shares.All
	case before.serves:
		ours = before.table.Of(s.node)
	}
	next := table.Of(s.node)
	if holds && !table.Shared() {
		next = shares.All
	}
	state := serving{table: table}
	if ours&^next == 0 || next&^ours != 0 {
		return state
	}
	if before.losing.IsZero() {
		before.losing = s.Now
	}
	left := lingering - s.Now.Sub(before.losing)
	if whole {
		left = max(left, s.untilProven(before))
	}
	if left <= 0 {
		return state
	}
	s.wakeAfter(left)
	state.table, state.losing = before.table, before.losing
	return state
}

// untilProven is how long those that this node gives their parts may take to answer, from when each of them is asked.
func (s *serveRound) untilProven(state serving) (left time.Duration) {
	for _, p := range state.proofs {
		asked := p.asked
		switch {
		case !p.open():
			continue
		case p.queued:
			asked = s.Now
		case asked.IsZero():
			asked = state.losing
		}
		left = max(left, lingering+proofTimeout-s.Now.Sub(asked))
	}
	return left
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
	return s.divide(table, left)
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
	verdict := s.Answers[q].none() || s.Answers[q] != Answered && s.servings.verdicts[key]
	s.verdicts[key] = verdict
	return verdict
}
