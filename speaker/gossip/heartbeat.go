package gossip

import (
	"context"
	"time"

	"github.com/daymark-lb/daymark/internal/core/detector"
)

// sendHeartbeats pings, and has the detector come to its verdicts, at every tick and whenever a verdict may change by the
// passing of time alone, until ctx ends.
func (m *Membership) sendHeartbeats(ctx context.Context) {
	ticks, stop := m.newTicker(m.cfg.Timing.detection().TickInterval())
	defer stop()
	defer m.pause.update(time.Now(), func(p *detector.Pause, _ time.Duration) { p.Stop() })
	deadline := time.NewTimer(0)
	defer deadline.Stop()
	var seq uint64
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticks:
			seq++
			m.tick(time.Now(), seq)
		case <-deadline.C:
			m.peers.withDetector(func(d *detector.Detector) { d.Evaluate(time.Now()) })
		}
		m.handleVerdicts()
		var next time.Time
		now := time.Now()
		m.peers.withDetector(func(d *detector.Detector) { next = d.NextDeadline(now) })
		if next.IsZero() {
			deadline.Stop()
		} else {
			deadline.Reset(next.Sub(now))
		}
	}
}

// newTicker ticks at an interval until it is stopped.
func newTicker(interval time.Duration) (ticks <-chan time.Time, stop func()) {
	ticker := time.NewTicker(interval)
	return ticker.C, ticker.Stop
}

// tick tells the detector and the pause that time has passed, and pings those whose turn it is: everybody, if we were
// stopped and do not know yet what we have missed.
func (m *Membership) tick(now time.Time, seq uint64) {
	var gap, missed time.Duration
	m.peers.withDetector(func(d *detector.Detector) { gap = d.Tick(now) })
	others := len(m.peers.reachable()) > 0
	m.pause.update(now, func(p *detector.Pause, now time.Duration) { missed = p.Tick(now, gap, seq, others) })
	targets := m.peers.pingTargets(seq, missed > 0)
	if len(targets) == 0 {
		return
	}
	m.post(kindPing, ping{number: seq, at: m.at, missed: missed}, targets...)
}

// handleVerdicts does what follows from the detector's verdicts: it notifies the receiver of Changes, and sends our votes.
func (m *Membership) handleVerdicts() {
	changed, unsent := m.peers.takeChanges()
	if changed {
		notify(m.changes)
	}
	if len(unsent) == 0 {
		return
	}
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
