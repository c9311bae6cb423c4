package gossip

import (
	"context"
	"time"
)

// sweepEvery is how often claims that nobody wants are looked for.
const sweepEvery = time.Minute

// pulse pings, judges and keeps the fence, at every beat and whenever a verdict falls by time alone, until ctx ends.
func (m *Membership) pulse(ctx context.Context) {
	ticks, stop := m.ticker(m.cfg.Timing.beat())
	defer stop()
	defer m.fence.stop()
	verdict := time.NewTimer(0)
	defer verdict.Stop()
	var seq uint64
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticks:
			seq++
			m.tick(time.Now(), seq)
		case <-verdict.C:
			m.roster.use(func(w *watch) { w.judgeAll(time.Now()) })
		}
		m.follow()
		var next time.Time
		now := time.Now()
		m.roster.use(func(w *watch) { next = w.deadline(now) })
		if next.IsZero() {
			verdict.Stop()
		} else {
			verdict.Reset(next.Sub(now))
		}
	}
}

// newTicker ticks until it is stopped.
func newTicker(interval time.Duration) (ticks <-chan time.Time, stop func()) {
	ticker := time.NewTicker(interval)
	return ticker.C, ticker.Stop
}

// tick does what is due at a beat: time is accounted for, and those whose turn it is are pinged; everybody, if we were
// stopped and do not know yet what we have missed.
func (m *Membership) tick(now time.Time, seq uint64) {
	var gap time.Duration
	m.roster.use(func(w *watch) { gap = w.tick(now) })
	missed := m.fence.tick(m.since(now), gap, seq, len(m.roster.reachable()) > 0)
	targets := m.roster.targets(seq, missed > 0)
	if len(targets) == 0 {
		return
	}
	message := ping{seq: seq, at: m.at, missed: missed}.append(m.heading(kindPing))
	for _, to := range targets {
		m.send(to, message)
	}
}

// follow does what follows from what the watch was told: votes are cast, and View's receiver is woken.
func (m *Membership) follow() {
	changed, ballots := m.roster.take()
	if changed {
		notify(m.changes)
	}
	if len(ballots) == 0 {
		return
	}
	everybody := m.roster.reachable()
	const most = 4 // of the longest names there are fit in a datagram
	for len(ballots) > 0 {
		v := votes{seq: m.cast.Add(1)}
		head := m.heading(kindVotes)
		size := len(head)
		for len(ballots) > 0 && (len(v.ballots) < most || size+len(ballots[0].node) < datagram-longest) {
			size += len(ballots[0].node) + 12
			v.ballots, ballots = append(v.ballots, ballots[0]), ballots[1:]
		}
		message := v.append(head)
		for _, to := range everybody {
			m.send(to, message)
		}
	}
}

// since is the time since this speaker was made, for the fence.
func (m *Membership) since(now time.Time) time.Duration { return now.Sub(m.made) }

// Stale reports whether this process was stopped (by a signal, or with its machine) until just now, and cannot know
// yet whether others have taken its place: what it holds by the others' leave it had better not act on. It is false again
// as soon as another speaker has told what was missed and there was time to act on that, after half a second without an
// answer, and when there are no others. It costs a few nanoseconds.
func (m *Membership) Stale() bool { return m.fence.doubtful(time.Since(m.made)) }
