package detector

import "time"

const (
	// maxFactor is the most that false alarms multiply the detection time of a peer.
	maxFactor = 4
	// maxAlarms is how many false alarms bring that about: the first has no effect, the second doubles the detection time,
	// the third doubles it again.
	maxAlarms = 3
	// alarmTimeout is how long no false alarm must come before one is forgotten.
	alarmTimeout = time.Minute
	// oneWayTimeout is how long a peer that does not hear us may be silent: it looks for us once in absentInterval at least.
	oneWayTimeout = 5 * absentInterval / 2
)

// factor multiplies the detection time of a peer. One false alarm may come by, and must not cost the next crash twice its
// time; a peer that has several is on a network or a machine that needs more.
func (p *peer) factor() int { return min(maxFactor, max(1, 1<<max(0, p.alarms-1))) }

// noteAlarm counts a false alarm, or one that nearly was: on a busy machine many of those come before the first real one.
func (p *peer) noteAlarm(now time.Time) {
	p.alarms, p.alarmsChanged = min(p.alarms+1, maxAlarms), now
}

// forgetAlarms forgets a false alarm when there was none for long.
func (p *peer) forgetAlarms(now time.Time) {
	if p.alarms > 0 && now.Sub(p.alarmsChanged) >= alarmTimeout {
		p.alarms, p.alarmsChanged = p.alarms-1, now
	}
}

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
		p.suspected, p.timesSent = suspect, 0
		if suspect && p.suspectedSince.IsZero() {
			p.suspectedSince = listening
		}
		if suspect || p.listed { // When memberlist has confirmed the death, our suspicion stands until theirs has, too.
			d.queueVote(now, p)
		}
	}
	silent := d.majoritySuspects(now, p)
	d.changed = d.changed || silent != p.silent
	p.silent = silent
	d.setAlive(now, p, !p.left && !(d.deaf(p) && d.acquainted(listening, p)) && (heard || p.listed && !silent && !p.oneWay))
	d.noteDoubt(p)
}

// noteDoubt notes whether a peer is doubtful: half of the pings that make it silent are out without an answer.
func (d *Detector) noteDoubt(p *peer) {
	doubtful := p.alive && (!p.suspectedSince.IsZero() || d.canVote(p) && 2*p.unanswered > d.needed(p))
	d.changed = d.changed || doubtful != p.doubtful
	p.doubtful = doubtful
}

// setAlive notes the verdict on a peer. A death by silence from which the peer returns soon was a false alarm, unless only votes
// have changed or the peer did not hear us.
func (d *Detector) setAlive(now time.Time, p *peer, alive bool) {
	switch {
	case alive && !p.alive && p.wasAlive:
		d.counters.Returned++
		p.returned = now
		if heard := p.lastHeard.After(p.heardBeforeDeath); p.diedSilent && heard && !p.oneWay && now.Sub(p.heardBeforeDeath) < 2*d.detectionTimeOf(p) {
			d.counters.FalseAlarms++
			p.noteAlarm(now)
		}
	case !alive && p.alive:
		p.diedSilent, p.heardBeforeDeath, p.lastAlive = p.silent && p.listed && !p.left, p.lastHeard, now
	}
	if alive != p.alive {
		d.changed, d.candidatesOutdated = true, true
	}
	p.alive, p.wasAlive = alive, p.wasAlive || alive
}

// silenceOf is how long a peer about which we have no vote may be silent.
func (d *Detector) silenceOf(p *peer) time.Duration {
	if p.oneWay {
		return max(d.detectionTimeOf(p), oneWayTimeout)
	}
	return d.detectionTimeOf(p)
}

// detectionTimeOf is how long a peer may be silent.
func (d *Detector) detectionTimeOf(p *peer) time.Duration {
	return d.detectionTime + d.timing.ProbeTime()*time.Duration(p.factor()-1)
}

// overdue reports whether a peer is silent to us. Of one that we observe, only pings without an answer count, each of which
// has had its time: so a time in which we did not run, or did not ask, is never taken for its silence.
func (d *Detector) overdue(now time.Time, p *peer) bool {
	if d.detectionTime == 0 {
		return true
	}
	if !d.canVote(p) {
		return now.Sub(p.lastHeard) >= d.silenceOf(p)
	}
	needed := d.needed(p)
	return p.unanswered > needed || p.unanswered == needed && now.Sub(p.lastPing) >= d.timing.retryInterval()
}
