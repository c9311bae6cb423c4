package detector

import "time"

// unheardTimeout is how long nothing of a listed peer must have come by datagram before that is worth saying.
const unheardTimeout = 2 * time.Second

// noteUnheard notes whether datagrams from a peer that we ping get through, though memberlist reaches it, which it does by TCP if
// need be.
//
// For a moment that is no different from a death, and the observers take it for one. But memberlist would have confirmed a
// death after ConfirmTime. From then on the peer counts as listed and not heard, as one that was never heard, and its
// observers have no vote until it answers again.
func (d *Detector) noteUnheard(now time.Time, p *peer) {
	if !p.listed || p.left || d.detectionTime == 0 || !d.observes(p) {
		p.unheardSince = time.Time{}
		d.setUnheard(p, false)
		return
	}
	if p.lastHeard.After(p.unheardSince) || p.unheardSince.IsZero() {
		p.unheardSince = now
		if !p.lastHeard.IsZero() && now.Sub(p.lastHeard) < unheardTimeout {
			p.unheardSince = p.lastHeard
		}
	}
	silence := now.Sub(p.unheardSince)
	d.setUnheard(p, silence >= unheardTimeout)
	if confirm := d.timing.ConfirmTime; confirm > 0 && silence >= confirm {
		p.answered, p.oneWay = false, false
	}
}

func (d *Detector) setUnheard(p *peer, unheard bool) {
	d.changed = d.changed || unheard != p.unheard
	p.unheard = unheard
}
