package detector

import "time"

const (
	// maxFactor is the most that false alarms multiply the detection time of a peer; each doubles it.
	maxFactor = 4
	// factorDecayInterval is how long no false alarm must come before the factor is halved again.
	factorDecayInterval = time.Minute
)

// Evaluate comes to a verdict on every peer, for when time alone may change one.
func (d *Detector) Evaluate(now time.Time) {
	for _, p := range d.order {
		d.evaluate(now, p)
	}
}

// evaluate decides on our own vote about a peer, and comes to the verdicts.
func (d *Detector) evaluate(now time.Time, p *peer) {
	listening := d.listeningTime(now)
	heard := !p.lastHeard.IsZero() && !d.overdue(listening, p)
	if suspect := d.canVote(p) && !heard; suspect != p.suspected {
		p.suspected, p.ticksSinceVote = suspect, 0
		if suspect && p.suspectedSince.IsZero() {
			p.suspectedSince = listening
		}
		d.queueVote(now, p)
	}
	silent := d.majoritySuspects(now, p)
	d.changed = d.changed || silent != p.silent
	p.silent = silent
	d.setAlive(now, p, !p.left && (heard || p.listed && !silent))
}

// setAlive notes the verdict on a peer. A death by silence from which the peer returns soon was a false alarm, and doubles
// the detection time of the peer.
func (d *Detector) setAlive(now time.Time, p *peer, alive bool) {
	switch {
	case alive && !p.alive && p.wasAlive:
		d.counters.Returned++
		if p.diedSilent && now.Sub(p.heardBeforeDeath) < 2*d.detectionTimeOf(p) {
			d.counters.FalseAlarms++
			p.factor, p.factorChanged = min(2*p.factor, maxFactor), now
		}
	case !alive && p.alive:
		p.diedSilent, p.heardBeforeDeath, p.lastAlive = p.silent && p.listed && !p.left, p.lastHeard, now
	}
	if alive != p.alive {
		d.changed, d.candidatesOutdated = true, true
	}
	p.alive, p.wasAlive = alive, p.wasAlive || alive
}

// detectionTimeOf is how long a peer may be silent.
func (d *Detector) detectionTimeOf(p *peer) time.Duration {
	return d.detectionTime * time.Duration(p.factor)
}

// overdue reports whether a peer was not heard for its detection time.
func (d *Detector) overdue(now time.Time, p *peer) bool {
	return d.detectionTime == 0 || now.Sub(p.lastHeard) >= d.detectionTimeOf(p)
}

// NextDeadline is when a verdict may next change by the passing of time alone; zero: never.
func (d *Detector) NextDeadline(now time.Time) time.Time {
	var next time.Time
	consider := func(at time.Time) {
		if at.After(now) && (next.IsZero() || at.Before(next)) {
			next = at
		}
	}
	for _, p := range d.order {
		if p.alive && !p.lastHeard.IsZero() {
			consider(p.lastHeard.Add(d.detectionTimeOf(p)))
		}
		if !p.suspectedSince.IsZero() {
			consider(p.suspectedSince.Add(d.detectionTime))
		}
	}
	return next
}
