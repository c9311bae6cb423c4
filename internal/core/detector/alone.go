package detector

import (
	"slices"
	"time"
)

// A speaker that sends and does not receive is heard by all others. It takes them for dead, and they take it for alive. Only it can
// tell that apart from one link that is broken: it says in its messages that it is alone. Whoever gets such a message knows that
// it was sent to and has not heard, and does not count it as alive until a message comes without. Between two speakers that is the same as one
// link that is broken in one direction, and the one that clients hear may be either: nobody is taken for deaf unless a third is alive.

// Alone reports whether this speaker hears nobody, though it has heard others: none of them is alive, and nothing has come from any
// for the detection time. In a large cluster, where it does not observe all, that is so when memberlist has given the others up: who
// only hears none of those that it observes may be heard by the rest.
func (d *Detector) Alone(now time.Time) bool {
	if d.detectionTime == 0 {
		return false
	}
	lost := false
	for _, p := range d.order {
		if p.alive || !p.lastHeard.IsZero() && d.listeningTime(now).Sub(p.lastHeard) < d.detectionTime {
			return false
		}
		lost = lost || p.wasAlive && !p.left
	}
	return lost
}

// SaidAlone notes whether a peer has said in a message, which is made for this run of ours and new, that it is alone. It comes before
// Heard of the same message, which comes to the verdict on a peer that is back.
func (d *Detector) SaidAlone(now time.Time, name string, incarnation uint64, alone bool) {
	p := d.findIncarnation(name, incarnation)
	if p == nil || p.alone == alone {
		return
	}
	p.alone = alone
	d.changed = true
	if alone {
		d.evaluate(now, p)
	}
}

// Deaf reports whether a peer is heard and says that it hears nobody: neither its votes nor its claims count. It is not alive either,
// once it has had the time to hear us.
func (d *Detector) Deaf(name string) bool {
	p := d.find(name)
	return p != nil && d.deaf(p)
}

func (d *Detector) deaf(p *peer) bool {
	return p.alone && d.hasThird(p)
}

// WasGone reports whether a peer is not alive, or has been again for less than the detection time, while a third is. What it says then of
// those who have not answered it tells of its own silence, and may be as old as its last word: a kernel keeps what it cannot send yet.
// Without a third it may as well be this speaker that was gone.
func (d *Detector) WasGone(now time.Time, name string) bool {
	p := d.find(name)
	if p == nil || p.alive && (p.returned.IsZero() || now.Sub(p.returned) >= d.detectionTime) {
		return false
	}
	return d.hasThird(p)
}

// hasThird reports whether another peer than the given one is alive and hears somebody.
func (d *Detector) hasThird(p *peer) bool {
	return slices.ContainsFunc(d.order, func(third *peer) bool { return third != p && third.alive && !third.alone })
}

// acquainted reports whether a peer has been heard for the detection time, as who is alone has heard nobody for as long. When we have
// just started, it may greet us before it has heard us, and we would take its addresses over until its next message.
func (d *Detector) acquainted(now time.Time, p *peer) bool {
	return !p.met.IsZero() && now.Sub(p.met) >= d.detectionTime
}

// forgetDeaf takes back that a peer is deaf when nothing comes from it any more: then it is silent, or reached by TCP only.
func (d *Detector) forgetDeaf(now time.Time, p *peer) {
	if p.alone && now.Sub(p.lastHeard) >= oneWayTimeout {
		p.alone = false
		d.changed = true
	}
}
