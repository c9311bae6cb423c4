package detector

import (
	"maps"
	"time"
)

// quickVotes is how often a suspicion is sent again at the retry interval, and fastVotes how often at retry or heartbeat
// intervals; afterwards it is sent just often enough that it does not expire.
const quickVotes, fastVotes = 3, 20

// Vote is what an observer says of a peer.
type Vote struct {
	Node        string
	Incarnation uint64
	// Suspect: the observer does not hear it. Otherwise it hears it after all.
	Suspect bool
}

// receivedVote is the last vote of another observer.
type receivedVote struct {
	seq     uint64
	at      time.Time
	suspect bool
}

// queueVote has our vote about a peer sent.
func (d *Detector) queueVote(now time.Time, p *peer) {
	p.lastSent = now
	d.outbox = append(d.outbox, Vote{p.name, p.incarnation, p.suspected})
}

// voteTimeout is how long a vote counts unless it is sent again.
func (d *Detector) voteTimeout() time.Duration { return max(time.Second, 3*d.tickInterval) }

// expireVotes forgets the votes that were not sent again.
func (d *Detector) expireVotes(now time.Time, p *peer) {
	suspected := p.suspected
	maps.DeleteFunc(p.votes, func(_ string, v receivedVote) bool {
		expired := now.Sub(v.at) >= d.voteTimeout()
		suspected = suspected || !expired && v.suspect
		return expired
	})
	if !suspected {
		p.suspectedSince = time.Time{}
	}
}

// retransmit has our suspicion of a peer sent again when that is due.
func (d *Detector) retransmit(now time.Time, p *peer) {
	if p.suspected && !now.Before(d.voteDue(p)) {
		p.timesSent++
		d.queueVote(now, p)
	}
}

// voteDue is when a suspicion must be sent again.
func (d *Detector) voteDue(p *peer) time.Time {
	switch {
	case p.timesSent < quickVotes:
		return p.lastSent.Add(d.timing.retryInterval())
	case p.timesSent < fastVotes:
		return p.lastSent.Add(d.tickInterval)
	default:
		return p.lastSent.Add(d.voteTimeout() / 3)
	}
}

// voteWait is how long the vote of an observer is waited for: as long as it takes to come to one.
func (d *Detector) voteWait() time.Duration { return d.timing.ProbeTime() + 2*d.timing.retryInterval() }

// canVote reports whether we have a vote about a peer: we observe it, and it has answered us since we do. When memberlist has given it
// up, there is nothing to vote about.
func (d *Detector) canVote(p *peer) bool {
	return d.detectionTime > 0 && p.answered && p.listed && !p.left && d.observes(p)
}

// majoritySuspects counts the votes about a peer.
func (d *Detector) majoritySuspects(now time.Time, p *peer) bool {
	if p.suspectedSince.IsZero() || d.detectionTime == 0 {
		return false
	}
	var suspicions, votes int
	for _, observer := range observersOf(p.member, d.observerCandidates()) {
		counts, suspects := d.voteOf(now, p, observer)
		if counts {
			votes++
		}
		if counts && suspects {
			suspicions++
		}
	}
	return 2*suspicions > votes
}

// voteOf reports whether an observer has a vote about a peer, and whether it suspects it.
func (d *Detector) voteOf(now time.Time, p *peer, name string) (counts, suspects bool) {
	if name == d.self.name {
		return d.canVote(p), p.suspected
	}
	observer := d.peers[name]
	if observer == nil || observer.left || d.deaf(observer) || d.silentToUs(d.listeningTime(now), observer) {
		return false, false
	}
	if last, voted := p.votes[name]; voted && now.Sub(last.at) < d.voteTimeout() {
		return true, last.suspect
	}
	return d.listeningTime(now).Sub(p.suspectedSince) < d.voteWait(), false
}

// silentToUs reports whether an observer is silent: by what we hear when we observe it, otherwise by the votes.
func (d *Detector) silentToUs(now time.Time, p *peer) bool {
	if d.canVote(p) {
		return d.overdue(now, p)
	}
	return !p.alive
}
