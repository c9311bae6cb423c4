package layer2

import "time"

// Times of address conflict detection. RFC 5227 section 1.1 probes for 3 to 7 s before an address is used, and RFC 4862
// section 5.1 for 1 s: that is made for a host that starts on a network with slow switches and sleepy radios. Here the
// node and its link have long been up, a wired neighbor answers within a millisecond, and somebody waits for the
// Service. So the probes follow each other closely, and what an owner fails to say in time is still heard later: an
// address stays watched for as long as it is held.
const (
	// probeNumber is PROBE_NUM of RFC 5227.
	probeNumber = 3
	// probeGap follows each probe, the last one too: less or more by a fifth, so that two who probe together part.
	probeGap = 50 * time.Millisecond
	// stall: a probe's answer that is looked for so much later than planned proves nothing by its absence. The process
	// stood still, and the answer may not have been read yet.
	stall = 100 * time.Millisecond
	// probeAgain is the wait before a foreign host's address is probed again, up to twice as long.
	probeAgain = 5 * time.Second
	// unheardAfter is the wait before another attempt when no interface could carry a probe. One that appears ends it.
	unheardAfter = time.Second
	// defendInterval is DEFEND_INTERVAL of RFC 5227.
	defendInterval = 10 * time.Second
	// conflictOver is how long a foreign host must be silent about an address that we hold.
	conflictOver = time.Minute
)

// acd is address conflict detection for one address (RFC 5227, RFC 4862 section 5.4): looked for, held, or left to a
// foreign host. It knows no clock and sends nothing; it is told the time and says what to do. Scatter is in [0, 1).
type acd struct {
	// holding: the address is answered and announced. It is never given up again: RFC 5227 section 2.4 (c) permits that
	// to a host that must keep its address, and ours is the cluster's by configuration; traffic to it has no other way.
	holding bool
	// probes sent in this round; 0 when none runs.
	probes int
	// due is when step has something to do; zero: never.
	due time.Time
	// rival is the foreign host of a conflict; nil: there is none.
	rival *rival
	// defended is when the address was last defended.
	defended time.Time
}

// rival is a foreign host that claims an address.
type rival struct {
	mac mac
	// on is the interface where it was heard.
	on          string
	since, seen time.Time
}

// action is what step wants done.
type action uint8

const (
	doNothing action = iota
	// doProbe: send a probe, and call unheard when no interface could carry it.
	doProbe
	// doTake: the address is free. It is held from now on, and a conflict is over.
	doTake
	// doSettle: a conflict over an address that is held is over.
	doSettle
)

// newACD begins with an address: by looking for a foreign owner, or by holding it at once.
func newACD(now time.Time, look bool) acd {
	if look {
		return acd{due: now}
	}
	return acd{holding: true}
}

// step says what is to be done now.
func (d *acd) step(now time.Time, scatter float64) action {
	switch {
	case d.due.IsZero() || now.Before(d.due):
		return doNothing
	case d.holding:
		if d.due = d.rival.seen.Add(conflictOver); now.Before(d.due) {
			return doNothing
		}
		d.rival, d.due = nil, time.Time{}
		return doSettle
	case d.unsure(now):
		d.probes++
		d.due = now.Add(time.Duration(float64(probeGap) * (0.8 + 0.4*scatter)))
		return doProbe
	default:
		*d = acd{holding: true}
		return doTake
	}
}

// unsure: another probe is needed before the address may be taken. A machine that is always late gets no more than twice
// as many, so that it comes to an end.
func (d *acd) unsure(now time.Time) bool {
	late := now.Sub(d.due) > stall
	return !d.holding && (d.probes < probeNumber || late && d.probes < 2*probeNumber)
}

// unheard notes that no interface could carry the last probe: the round begins again, later.
func (d *acd) unheard(now time.Time) {
	if d.probes > 0 {
		d.probes, d.due = 0, now.Add(unheardAfter)
	}
}

// restart begins the round anew, because an interface has come that has heard no probe yet. An address that is known to
// be another's waits for its turn.
func (d *acd) restart(now time.Time) {
	if !d.holding && d.rival == nil {
		d.probes, d.due = 0, now
	}
}

// claimed notes that a foreign host says that it has the address: began, when that is a new conflict; defend, when the
// address is to be announced once. That is done no more often than every defendInterval, so that two who both defend
// do not flood the segment (RFC 5227 section 2.4).
func (d *acd) claimed(now time.Time, by mac, on string, scatter float64) (began, defend bool) {
	inRound := !d.holding && (d.probes > 0 || d.rival == nil)
	if began = d.rival == nil; began {
		d.rival = &rival{mac: by, on: on, since: now}
		if d.holding {
			d.due = now.Add(conflictOver)
		}
	}
	d.rival.seen = now
	if inRound {
		d.probes, d.due = 0, now.Add(time.Duration(float64(probeAgain)*(1+scatter)))
	}
	if defend = d.holding && (d.defended.IsZero() || now.Sub(d.defended) >= defendInterval); defend {
		d.defended = now
	}
	if inRound || defend {
		d.rival.mac, d.rival.on = by, on // The latest one; not more often, so that a crowd of them makes no crowd of news.
	}
	return began, defend
}

// probedBy notes that a foreign host looks for an owner. Who does so while we do wants the address as well, and both
// stand back (RFC 5227 section 2.1.1, RFC 4862 section 5.4.3); at any other time it is a question, no claim.
func (d *acd) probedBy(now time.Time, by mac, on string, scatter float64) (began bool) {
	if d.probes == 0 {
		return false
	}
	began, _ = d.claimed(now, by, on, scatter)
	return began
}

// pardon ends a conflict because its rival turned out to be of the cluster; it reports whether there was one. An address
// that was left to it is looked at again at once.
func (d *acd) pardon(now time.Time, friend func(mac) bool) bool {
	if d.rival == nil || !friend(d.rival.mac) {
		return false
	}
	d.rival, d.probes, d.due = nil, 0, time.Time{}
	if !d.holding {
		d.due = now
	}
	return true
}
