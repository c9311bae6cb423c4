package detector

import "time"

const (
	// fewAbsent is the number of absent peers up to which each is pinged often.
	fewAbsent = 16
	// absentInterval is the time between two pings of an absent peer when there are many, absentTurns that when there are
	// few, in intervals.
	absentInterval, absentTurns = time.Second, 4
	// idleTicks is how many intervals may pass without a tick when nothing is due.
	idleTicks = 4
)

// Missed says that a peer has not answered a ping: its other observers ask it at once, and do not wait for their own turn.
type Missed struct {
	Node        string
	Incarnation uint64
	// Observers are the others that observe it.
	Observers []string
}

// pinged reports whether we ping a peer at every interval: we observe it, or it is heard though memberlist has not taken it
// back.
func (d *Detector) pinged(p *peer) bool {
	return d.detectionTime > 0 && !p.left && (p.listed && d.observes(p) || p.alive && !p.listed)
}

// absent reports whether a peer is looked for.
func (d *Detector) absent(p *peer) bool {
	_, expected := d.expected[p.name]
	return d.detectionTime > 0 && !p.alive && (!p.left || expected)
}

// pingDue is when a peer is to be pinged next; zero: never.
//
// Of two that observe each other one pings, and the other one hears that; it waits a little longer than the interval. A peer that does not answer is pinged again after the retry interval, until it is silent.
func (d *Detector) pingDue(p *peer) time.Time {
	switch {
	case d.pinged(p):
		return d.nextPing(p)
	case !d.absent(p):
		return time.Time{}
	case d.countAbsent > fewAbsent:
		return p.lastPing.Add(absentInterval)
	default:
		return p.lastPing.Add(absentTurns * d.tickInterval)
	}
}

func (d *Detector) nextPing(p *peer) time.Time {
	switch {
	case p.asked:
		return p.lastPing.Add(d.timing.retryInterval() / 2)
	case !p.answered || p.unanswered > d.needed(p):
		return p.lastPing.Add(d.tickInterval)
	case p.unanswered > 0:
		return p.lastPing.Add(d.timing.retryInterval())
	case d.asksFirst(p):
		return p.lastHeard.Add(d.tickInterval)
	default:
		return p.lastHeard.Add(d.tickInterval + d.timing.turnDelay())
	}
}

// asksFirst reports whether we are the one of a pair that pings when both observe each other: half of all pairs, by hash.
func (d *Detector) asksFirst(p *peer) bool {
	lower := d.self.name < p.name
	return lower == ((d.self.hash^p.hash)&1 == 0)
}

// needed is how many pings in a row a peer must leave unanswered to be silent.
func (d *Detector) needed(p *peer) int { return d.timing.HeartbeatMultiplier * p.factor() }

// TakePings returns the peers to ping now, and counts them as pinged. Pings that are due soon are due now: to wake up is most
// of the work. They must be sent at once.
func (d *Detector) TakePings(now time.Time) []string {
	var targets []string
	soon := now.Add(d.tickInterval / 8)
	d.countAbsent = d.count(d.absent)
	for _, p := range d.order {
		due := d.pingDue(p)
		if due.IsZero() || due.After(now) && (p.unanswered > 0 || !d.asksFirst(p) || due.After(soon)) {
			continue
		}
		d.notePing(now, p)
		targets = append(targets, p.name)
	}
	return targets
}

// notePing counts a ping. When the one before was not answered, the other observers are asked to ping, too.
func (d *Detector) notePing(now time.Time, p *peer) {
	if p.unanswered > 0 && d.canVote(p) && !p.asked {
		d.counters.MissedHeartbeats++
		d.ask(p)
	}
	if p.lastPing.IsZero() && !p.alive {
		now = now.Add(-time.Duration(p.hash % uint64(absentInterval))) // Not all of the absent at once.
	}
	p.lastPing, p.asked = now, false
	p.unanswered++
	p.unreplied++
	d.noteDoubt(p)
}

// ask has the other observers of a peer asked to ping it, once for each of its silences.
func (d *Detector) ask(p *peer) {
	if p.unanswered != 1 {
		return
	}
	missed := Missed{Node: p.name, Incarnation: p.incarnation}
	for _, name := range observersOf(p.member, d.observerCandidates()) {
		if name != d.self.name {
			missed.Observers = append(missed.Observers, name)
		}
	}
	d.missed = append(d.missed, missed)
}

// Asked notes that another observer has not had an answer from a peer. It is pinged as soon as possible, and the ping that
// the other one missed counts for us, too: so all observers come to their verdicts together.
func (d *Detector) Asked(node string, incarnation uint64) {
	if p := d.peers[node]; p != nil && p.incarnation == incarnation && d.canVote(p) && p.unanswered == 0 {
		p.asked, p.unanswered = true, 1
	}
}

// Unanswered is how many pings in a row a peer that we observe has not answered.
func (d *Detector) Unanswered(node string) int {
	if p := d.peers[node]; p != nil && d.canVote(p) {
		return p.unanswered
	}
	return 0
}

// TakeMissed returns what the other observers must be told now.
func (d *Detector) TakeMissed() []Missed {
	missed := d.missed
	d.missed = nil
	return missed
}

func (d *Detector) count(is func(*peer) bool) (n int) {
	for _, p := range d.order {
		if is(p) {
			n++
		}
	}
	return n
}

// NextDeadline is when Tick must be called next at the latest, because a ping is due or a verdict may change by the passing
// of time alone. What comes from others may make it sooner, so it must be asked for again after every event.
func (d *Detector) NextDeadline(now time.Time) time.Time {
	next := d.lastTick.Add(idleTicks * d.tickInterval)
	consider := func(at time.Time) {
		if !at.IsZero() && at.Before(next) {
			next = at
		}
	}
	for _, p := range d.order {
		consider(d.pingDue(p))
		consider(d.verdictDue(now, p))
		if p.suspected {
			consider(d.voteDue(p))
		}
	}
	if next.Before(now) {
		return now
	}
	return next
}

// verdictDue is when time alone may change the verdict on a peer; zero: never.
func (d *Detector) verdictDue(now time.Time, p *peer) time.Time {
	var due time.Time
	consider := func(at time.Time) {
		if at.After(now) && (due.IsZero() || at.Before(due)) {
			due = at
		}
	}
	if d.canVote(p) && p.unanswered == d.needed(p) {
		consider(p.lastPing.Add(d.timing.retryInterval()))
	} else if p.alive && !p.lastHeard.IsZero() && !d.canVote(p) {
		consider(p.lastHeard.Add(d.silenceOf(p)))
	}
	if !p.suspectedSince.IsZero() {
		consider(p.suspectedSince.Add(d.voteWait()))
	}
	return due
}
