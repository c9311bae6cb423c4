package detector

import (
	"slices"
	"time"
)

// fewAbsent is the number of absent peers up to which each is pinged often.
const fewAbsent = 16

// Tick must be called every TickInterval. It returns the time since the last call. When that was too long, every peer is
// given the time in which we did not listen, less one interval: so a process that is always late still detects a death.
func (d *Detector) Tick(now time.Time) (gap time.Duration) {
	if d.lastTick.IsZero() {
		d.lastTick = now
	}
	gap = now.Sub(d.lastTick)
	d.lastTick = now
	for _, p := range d.order {
		if gap > d.lateTick() {
			p.extend(now, gap-d.tickInterval)
		}
		if p.factor > 1 && now.Sub(p.factorChanged) >= factorDecayInterval {
			p.factor, p.factorChanged = p.factor/2, now
		}
		d.expireVotes(now, p)
		if p.alive || p.listed || p.lastAlive.IsZero() {
			p.lastAlive = now
		}
	}
	d.forget(now)
	for _, p := range d.order {
		if d.canVote(p) && now.Sub(p.lastHeard) > d.lateTick() {
			d.counters.MissedHeartbeats++
		}
	}
	d.Evaluate(now)
	for _, p := range d.order {
		d.retransmit(now, p)
	}
	return gap
}

// lateTick is the time after which a tick, or an answer, is late.
func (d *Detector) lateTick() time.Duration { return d.tickInterval * 3 / 2 }

// listeningTime is now, but does not advance while we do not tick.
func (d *Detector) listeningTime(now time.Time) time.Time {
	if limit := d.lastTick.Add(d.lateTick()); now.After(limit) {
		return limit
	}
	return now
}

// extend takes the time in which we did not listen away from a peer's silence.
func (p *peer) extend(now time.Time, gap time.Duration) {
	for _, since := range []*time.Time{&p.lastHeard, &p.suspectedSince} {
		if since.IsZero() {
			continue
		}
		if *since = since.Add(gap); since.After(now) {
			*since = now
		}
	}
}

// forget drops peers that have been away for long and are not expected.
func (d *Detector) forget(now time.Time) {
	d.order = slices.DeleteFunc(d.order, func(p *peer) bool {
		_, expected := d.expected[p.name]
		if expected || now.Sub(p.lastAlive) < forgetTimeout {
			return false
		}
		delete(d.peers, p.name)
		return true
	})
}

// PingTargets returns the peers to ping at the tick of a number: at each tick those that we observe, and those that are
// heard though memberlist has not taken them back; and absent ones in turn: each at every fourth tick when they are few,
// otherwise each about once a second.
func (d *Detector) PingTargets(tick uint64) []string {
	if d.detectionTime == 0 {
		return nil
	}
	var targets, absent []string
	for _, p := range d.order {
		_, expected := d.expected[p.name]
		switch {
		case !p.left && (p.listed && d.observes(p) || p.alive && !p.listed):
			targets = append(targets, p.name)
		case !p.alive && (!p.left || expected):
			absent = append(absent, p.name)
		}
	}
	turns := uint64(4)
	if len(absent) > fewAbsent {
		turns = max(turns, uint64(time.Second/d.tickInterval)) //nolint:gosec // Positive.
	}
	for i, name := range absent {
		if uint64(i)%turns == tick%turns {
			targets = append(targets, name)
		}
	}
	return targets
}
