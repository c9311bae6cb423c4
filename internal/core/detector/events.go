package detector

import (
	"slices"
	"time"
)

// Heard notes a sign of life that came by datagram from a peer itself; answer: it answers a ping of ours.
//
// recovered: there may be things that we have not told each other, since the peer was not alive before, or this incarnation has not been
// heard before, or not for the detection time, whatever others said of it meanwhile. before is when it was heard last.
func (d *Detector) Heard(now time.Time, name string, incarnation uint64, answer bool) (recovered bool, before time.Time) {
	p := d.findIncarnation(name, incarnation)
	if p == nil || p.left {
		return false, time.Time{}
	}
	was, before := p.alive && p.wasAlive && !p.met.IsZero(), p.lastHeard
	d.observes(p) // What is heard belongs to the observation of now.
	parted := d.canVote(p) && !before.IsZero() && d.overdue(now, p)
	if p.alive && !p.suspected && d.canVote(p) && p.unanswered >= d.needed(p)-1 {
		p.noteAlarm(now) // One more ping, and it would have been a false alarm.
	}
	p.noteAnswer(answer, d.needed(p))
	if p.met.IsZero() {
		p.met = now
	}
	p.lastHeard, p.unanswered, p.asked = now, 0, false
	d.evaluate(now, p)
	return (!was || parted) && p.alive, before
}

// noteAnswer notes whether a sign of life answers a ping of ours. A peer that was silent and comes back twice, each time by
// one message that is no answer, does not hear us: when a link is up again, our kernel may wait for a second until it asks for the peer's MAC address again, while the
// peer still has ours. Its pings alone are then too few for our detection time.
func (p *peer) noteAnswer(answer bool, needed int) {
	switch {
	case answer:
		p.answered, p.oneWay, p.unreplied, p.returns = true, false, 0, 0
	case p.alive:
		p.returns = 0
	case p.wasAlive && p.unreplied >= needed:
		p.returns++
		p.oneWay = p.returns > 1
		p.answered = p.answered && !p.oneWay
	}
}

// Listed notes whether memberlist counts a peer as alive.
func (d *Detector) Listed(now time.Time, name string, incarnation uint64, alive bool) {
	p := d.find(name)
	if p == nil {
		return
	}
	if alive && (incarnation > p.incarnation || incarnation == 0 && p.incarnation != 0) {
		d.restart(p, incarnation)
	}
	d.candidatesOutdated = d.candidatesOutdated || p.listed != alive
	p.listed = alive
	p.diedSilent = p.diedSilent && alive // memberlist confirms the death: it was no false alarm, whatever comes.
	d.evaluate(now, p)
}

// Left notes that a peer has said that it leaves.
func (d *Detector) Left(now time.Time, name string, incarnation uint64) {
	if p := d.findIncarnation(name, incarnation); p != nil {
		p.left = true
		d.evaluate(now, p)
	}
}

// Mentioned notes that somebody else knows an incarnation of a peer.
func (d *Detector) Mentioned(now time.Time, name string, incarnation uint64) {
	if p := d.findIncarnation(name, incarnation); p != nil {
		d.evaluate(now, p)
	}
}

// Expect sets which peers there should be, besides those that are known. The map is kept.
func (d *Detector) Expect(expected map[string]struct{}) {
	d.expected = expected
	var unknown []string
	for name := range expected {
		if d.peers[name] == nil {
			unknown = append(unknown, name)
		}
	}
	slices.Sort(unknown)
	for _, name := range unknown {
		d.find(name)
	}
}

// Voted notes the vote of another observer; a higher seq makes it a newer one. A suspicion that we can confirm or deny is
// answered by our own vote.
func (d *Detector) Voted(now time.Time, from string, seq uint64, v Vote) {
	if d.peers[from] == nil || d.peers[v.Node] == nil {
		return // Neither may fill our memory.
	}
	p := d.findIncarnation(v.Node, v.Incarnation)
	if p == nil {
		return
	}
	if last, voted := p.votes[from]; voted && last.seq >= seq {
		return
	}
	if p.votes == nil {
		p.votes = map[string]receivedVote{}
	}
	p.votes[from] = receivedVote{seq, now, v.Suspect}
	if v.Suspect && p.suspectedSince.IsZero() {
		p.suspectedSince = d.listeningTime(now)
	}
	d.evaluate(now, p)
	if v.Suspect && d.canVote(p) && now.Sub(p.lastSent) >= d.tickInterval/2 {
		d.queueVote(now, p)
	}
}
