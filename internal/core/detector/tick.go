package detector

import (
	"slices"
	"time"
)

// Tick must be called at NextDeadline; what has been received must be reported before. It returns the time since the last call. When that was too long, every peer is given the time in which we did not listen,
// less one interval.
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
		p.forgetAlarms(now)
		d.expireVotes(now, p)
		d.noteUnheard(now, p)
		d.forgetDeaf(now, p)
		if p.alive || p.listed || p.lastAlive.IsZero() {
			p.lastAlive = now
		}
	}
	d.forget(now)
	d.Evaluate(now)
	for _, p := range d.order {
		d.retransmit(now, p)
	}
	return gap
}

// lateTick is the time after which a tick is late.
func (d *Detector) lateTick() time.Duration { return (idleTicks + 1) * d.tickInterval }

// listeningTime is now, but does not advance while we do not tick.
func (d *Detector) listeningTime(now time.Time) time.Time {
	if limit := d.lastTick.Add(d.lateTick()); now.After(limit) {
		return limit
	}
	return now
}

// extend takes the time in which we did not listen away from a peer's silence.
func (p *peer) extend(now time.Time, gap time.Duration) {
	for _, since := range []*time.Time{&p.lastHeard, &p.met, &p.suspectedSince} {
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
