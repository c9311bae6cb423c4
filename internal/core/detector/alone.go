package detector

import "time"

// A speaker that sends and does not receive is heard by all others. It takes them for dead, and they take it for alive. Only it can
// tell that apart from one link that is broken: it says in its messages that it is alone. Whoever gets such a message knows that
// it was sent to and has not heard, and does not count it as alive until a message comes without.

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
// Heard of the same message.
func (d *Detector) SaidAlone(now time.Time, name string, incarnation uint64, alone bool) {
	p := d.findIncarnation(name, incarnation)
	if p == nil || p.deaf == alone {
		return
	}
	p.deaf = alone
	d.changed = true
	d.evaluate(now, p)
}

// forgetDeaf takes back that a peer is deaf when nothing comes from it any more: then it is silent, or reached by TCP only.
func (d *Detector) forgetDeaf(now time.Time, p *peer) {
	if p.deaf && now.Sub(p.lastHeard) >= oneWayTimeout {
		p.deaf = false
		d.changed = true
	}
}
