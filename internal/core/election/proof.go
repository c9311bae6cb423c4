package election

import (
	"maps"
	"slices"
	"time"

	"github.com/daymark-lb/daymark/internal/core/shares"
)

// A node serves by a table of the holder, but it may know less than the holder does: it has not heard of the Service yet, or
// has just been restarted. Nobody would answer its clients. So the holder asks each server of its tables on the segment about
// the address, until it has answered once. Who does not answer is taken out of the table, and is given a part later.

const (
	// proofTimeout is how long a server has to answer for the first time. That is how long the heir of an address has, too.
	proofTimeout = heirTimeout
	// takerTimeout is how long after this node has taken an address over its servers are asked once more. Who holds it until then, if that
	// does not hear of it, answers until it hears this node announce the address, 4 s later at last. Then it and the others may stop.
	takerTimeout = 9 * time.Second / 2
	// minRefusal is for how long a server that has not answered is out of the table: a busy node may just not have come to it. It doubles
	// each time, up to so many times that.
	minRefusal  = 15 * time.Second
	maxRefusals = 240
	// maxProving is how many addresses a server is asked about at a time, of those of one family on one segment.
	maxProving = 64
)

// proof is what the holder of a shared address knows of a server of its table.
type proof struct {
	node string
	// incarnation of the speaker that this is about, and segment on which it is asked.
	incarnation uint64
	segment     int
	// asked is since when it has been asked; zero: it has not.
	asked time.Time
	// answered: it has answered, at that time.
	answered bool
	at       time.Time
	// queued: it is asked when others have been.
	queued bool
	// until is until when it is out of the table, and refusal for how long that is.
	until   time.Time
	refusal time.Duration
}

// muteness is that a server has answered nothing yet, and since when that is known.
type muteness struct {
	incarnation uint64
	since       time.Time
}

// open reports whether it is to be found out whether a server answers.
func (p proof) open() bool { return !p.answered && (p.until.IsZero() || !p.asked.IsZero()) }

// refuses reports whether a node is not to be a server for now.
func (r *round) refuses(proofs []proof, node string) bool {
	for _, p := range proofs {
		if p.node != node || !p.until.After(r.Now) {
			continue
		}
		if id := r.nodes.find(node); id == nobody || r.nodes.incarnations[id] == p.incarnation {
			r.wakeAfter(p.until.Sub(r.Now))
			return true
		}
	}
	return false
}

// proven reports whether the servers of a table have all answered. What is known of others does not matter.
func (r *round) proven(table shares.Table, proofs []proof) bool {
	return !slices.ContainsFunc(proofs, func(p proof) bool { return !p.answered && table.Has(p.node) })
}

// nextRefusalEnd is when the first of the nodes that are refused may be a server again; zero: none is refused.
func (r *round) nextRefusalEnd(proofs []proof) (end time.Time) {
	for _, p := range proofs {
		if p.until.After(r.Now) && (end.IsZero() || p.until.Before(end)) {
			end = p.until
		}
	}
	return end
}

// prove asks the servers of a table of this node that have not answered yet.
func (s *serveRound) prove(i int, table shares.Table, state *serving) {
	var proofs []proof
	for _, p := range state.proofs {
		if !table.Has(p.node) && s.Now.Sub(p.until) < maxRefusals*s.minRefusal && !p.until.IsZero() && !s.isNoCandidate(i, p.node) {
			p.asked, p.answered = time.Time{}, false
			proofs = append(proofs, p) // It is refused, or was.
		}
	}
	for _, server := range table.Servers() {
		if server == s.node {
			continue
		}
		p := proof{node: server}
		if known := slices.IndexFunc(state.proofs, func(p proof) bool { return p.node == server }); known >= 0 {
			p = state.proofs[known]
		}
		proofs = append(proofs, s.proveServer(i, p, state.took))
	}
	state.proofs = proofs
}

// isNoCandidate reports whether a node is alive and may not serve an address.
func (s *serveRound) isNoCandidate(i int, node string) bool {
	id := s.nodes.find(node)
	_, candidate := s.groups[i].find(id)
	return id != nobody && !candidate
}

// proveServer asks one server, if it has to be asked. One that is silent is: the table may be later than what it has heard, and what it
// answers for another address tells nothing of this one. What is known of others that are not alive, or apart, is settled elsewhere.
func (s *serveRound) proveServer(i int, p proof, took time.Time) proof {
	contest := s.contests[i]
	incarnation, runs := s.Live[p.node]
	if !runs {
		incarnation, runs = s.Silent[p.node]
	}
	p.queued = false
	if !runs || contest.Parts.Apart(s.node, p.node) {
		p.asked = time.Time{}
		return p
	}
	q := Question{p.node, contest.Addr}
	if p.incarnation != incarnation || p.segment != contest.Segment {
		p = proof{node: p.node, incarnation: incarnation, segment: contest.Segment}
		if _, asked := s.Answers[q]; asked {
			s.wakeAfter(time.Millisecond) // By then the question is forgotten, and with it what another speaker has answered.
			return p
		}
	}
	// One that is asked for another reason may not answer any more, as when it held the address itself for a while and has given it back.
	if p.answered && (s.Answers[q] == NoAnswer || s.answeredEarly(p, took)) {
		p.asked, p.answered = time.Time{}, false
	}
	if p.answered || p.until.After(s.Now) {
		return p
	}
	key := testimonyKey{p.node, contest.Segment, contest.Addr.Is4()}
	if s.Answers[q] == Answered && !p.asked.IsZero() {
		p.answered, p.at, p.refusal = true, s.Now, 0
		s.heard[key] = p.incarnation
		s.answeredEarly(p, took) // which wakes this node when it is to ask once more
		return p
	}
	if m, mute := s.mute[key]; mute && m.incarnation == p.incarnation && p.asked.IsZero() && p.until.IsZero() {
		return s.refuse(p)
	}
	if p.queued = s.proving[key] >= maxProving; p.queued {
		return p
	}
	s.proving[key]++
	return s.askServer(p, q, key)
}

// answeredEarly reports whether a server has answered about an address before it was settled who holds that, which this node took at a time.
// When it will be it wakes this node.
func (s *serveRound) answeredEarly(p proof, took time.Time) bool {
	settled := took.Add(takerTimeout)
	if took.IsZero() || !p.at.Before(settled) {
		return false
	}
	left := settled.Sub(s.Now)
	if left > 0 {
		s.wakeAfter(left)
	}
	return left <= 0
}

// askServer asks a server, and heeds what it answers, or that it has not in time.
func (s *serveRound) askServer(p proof, q Question, key testimonyKey) proof {
	if p.asked.IsZero() {
		p.asked = s.Now
	}
	if !slices.Contains(s.decision.Ask, q) {
		s.decision.Ask = append(s.decision.Ask, q)
	}
	left := proofTimeout - s.Now.Sub(p.asked)
	switch {
	case s.Answers[q] == Answered:
		s.wakeAfter(time.Millisecond) // It has been asked for another reason. From then on the answer counts.
	case left > 0:
		s.wakeAfter(left)
	case s.Answers[q] == Unasked:
		p.answered, p.at = true, s.Now // There is nothing to doubt it for.
		s.wakeAfter(time.Millisecond)
	case s.Answers[q] == NoAnswer:
		p = s.refuse(p)
		s.failed[key] = p.incarnation
	}
	return p
}

// refuse has a server left out of the table for a while.
func (r *round) refuse(p proof) proof {
	p.refusal = min(max(2*p.refusal, r.minRefusal), maxRefusals*r.minRefusal)
	p.until, p.asked = r.Now.Add(p.refusal), time.Time{}
	return p
}

// noteSegment notes that there are shared addresses on a segment. Those of one segment mostly follow each other.
func (s *serveRound) noteSegment(contest Contest) {
	if key := (testimonyKey{"", contest.Segment, contest.Addr.Is4()}); key != s.segment || len(s.segments) == 0 {
		s.segments[key], s.segment = true, key
	}
}

// noteMute notes which servers have answered nothing that they were asked about on a segment, and were asked in vain. What they would
// be asked next they are refused for without: their clients need not wait for that. What belongs to a speaker or a segment that is not there any
// more is forgotten: the number of a segment does not come again.
func (s *serveRound) noteMute() {
	// order does not matter: each is noted alone
	for key, incarnation := range s.failed {
		if s.heard[key] != incarnation {
			s.mute[key] = muteness{incarnation, s.Now}
			s.wakeAfter(time.Millisecond)
		}
	}
	outdated := func(key testimonyKey, incarnation uint64) bool {
		return s.Live[key.node] != incarnation || !s.segments[testimonyKey{"", key.segment, key.ipv4}]
	}
	maps.DeleteFunc(s.heard, outdated)
	maps.DeleteFunc(s.mute, func(key testimonyKey, m muteness) bool {
		return outdated(key, m.incarnation) || s.heard[key] == m.incarnation || s.Now.Sub(m.since) >= s.minRefusal
	})
}
