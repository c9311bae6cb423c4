package gossip

import (
	"context"
	"time"

	"github.com/daymark-lb/daymark/internal/core/detector"
	"github.com/daymark-lb/daymark/speaker/processors"
)

// sendHeartbeats pings, and has the detector come to its verdicts, whenever either is due, until ctx ends.
func (m *Membership) sendHeartbeats(ctx context.Context) {
	defer m.pause.update(time.Now(), func(p *detector.Pause, _ time.Duration) { p.Stop() })
	defer context.AfterFunc(ctx, m.alarm.Close)()
	m.pingNumber.Store(m.peers.incarnation()) // No other run of ours has used the numbers from here on.
	m.alarm.Set(time.Now())
	m.alarm.Run(m.beat)
}

// beat does what is due.
func (m *Membership) beat() {
	defer m.steps.Begin("sends heartbeats")()
	m.awake()
	m.lookForStop() // And what has come is no silence, however late we are.
	m.tick(time.Now(), m.pingNumber.Add(1))
	m.handleVerdicts()
}

// tick tells the detector and the pause that time has passed, and pings those whose turn it is: everybody, if we were
// stopped and do not know yet what we have missed.
func (m *Membership) tick(now time.Time, number uint64) {
	var gap, missed time.Duration
	m.peers.withDetector(func(d *detector.Detector) { gap = d.Tick(now) })
	others := len(m.peers.reachable()) > 0
	m.pause.update(now, func(p *detector.Pause, now time.Duration) { missed = p.Tick(now, gap, number, others) })
	targets := m.peers.pingTargets(now, missed > 0)
	if len(targets) == 0 {
		return
	}
	m.peers.pinged(number, targets)
	for _, to := range targets {
		asks := ping{
			number: number, at: m.at, missed: missed, digest: m.claims.digest.Load(), unanswered: max(0, m.peers.unanswered(to.Name)-1),
			has: m.peers.hasOf(to.Name),
		}
		if h, unknown := m.peers.greeting(to.Name); unknown {
			m.send(to, encode(h, asks.append(nil, h.version)))
		}
		if !m.postShort(kindPing, asks.short(), to) {
			m.post(kindPing, asks, to)
		}
	}
}

// handleVerdicts does what follows from an event or a tick: it notifies the receivers of Changes and Urgent, sends our votes, asks other
// observers, and sets the alarm for the next tick.
func (m *Membership) handleVerdicts() {
	out := m.peers.takeOutcome(time.Now())
	m.alarm.Set(out.next)
	if out.changed {
		processors.Urgent()
		notify(m.changes)
		notify(m.urgent)
	}
	for _, each := range out.missed {
		m.post(kindMissed, missed{each.Node, each.Incarnation}, m.peers.addressesIn(version2, each.Observers)...)
	}
	if len(out.votes) > 0 {
		m.sendVotes(out.votes)
	}
}

// sendVotes sends our votes to everybody.
func (m *Membership) sendVotes(unsent []detector.Vote) {
	everybody := m.peers.reachable()
	const (
		fit     = 2  // votes about the longest names there are fit in a datagram
		voteLen = 20 // bytes of a vote, but for the name
	)
	for len(unsent) > 0 {
		v := votes{number: m.voteSeq.Add(1)}
		size := maxHeader + len(m.cfg.Node) + maxText
		for len(unsent) > 0 && (len(v.votes) < fit || size+len(unsent[0].Node) < maxDatagram-maxText) {
			size += len(unsent[0].Node) + voteLen
			v.votes, unsent = append(v.votes, unsent[0]), unsent[1:]
		}
		m.post(kindVotes, v, everybody...)
	}
}
