package layer2

import (
	"slices"
	"time"

	"github.com/daymark-lb/daymark/api/v1beta1"
)

// An address that was found free is announced at once, and proven only when nobody has objected for a while: a host that sleeps, or
// a slow switch, lets an answer come later than our quick probes wait for. Until then we look a few times more, and a foreign host that
// uses the address has it: we were not there first. What is proven, and what others have announced before, is defended.
const (
	// provingTime is how long that is, counted from the first announcement: with the probes before it as long as RFC 5227 section 1.1
	// probes at least, and longer than the second of RFC 4862.
	provingTime = 3 * time.Second
	// provingLook is the time between two looks meanwhile.
	provingLook = time.Second
	// conflictLook is that while another host uses an address that we hold. One that answers is still there, though it says nothing
	// by itself.
	conflictLook = 20 * time.Second
)

// beginProving of an address that is held.
func (d *acd) beginProving(now time.Time) {
	if d.holding && d.detection != v1beta1.ConflictOff && d.detection != v1beta1.ConflictWarn {
		d.provenAt = now.Add(provingTime)
		d.due = now.Add(provingLook)
	}
}

// goOnProving goes on with what another holder has begun, or was begun on another interface. Others are asked at once, since what they
// answered then we did not hear here.
func (d *acd) goOnProving(now time.Time) {
	if d.beginProving(now); d.unproven() {
		d.due = now
	}
}

// unproven reports whether a host may still object to our having the address.
func (d *acd) unproven() bool { return !d.provenAt.IsZero() }

// stepHeld is step for an address that is held.
func (d *acd) stepHeld(now time.Time) action {
	if d.conflict == nil {
		if d.unproven() && now.Before(d.provenAt) {
			d.due = now.Add(provingLook)
			if d.provenAt.Before(d.due) {
				d.due = d.provenAt
			}
			return doLook
		}
		d.provenAt, d.due, d.defendedFrom = time.Time{}, time.Time{}, nil
		return doNothing
	}
	ends := d.conflict.lastSeen.Add(conflictTimeout)
	if !now.Before(ends) {
		d.conflict, d.due, d.looked = nil, d.provenAt, time.Time{}
		return doEndConflict
	}
	did := doNothing
	if next := d.looked.Add(conflictLook); !now.Before(next) {
		d.looked, did = now, doLook
	}
	d.due = d.looked.Add(conflictLook)
	if ends.Before(d.due) {
		d.due = ends
	}
	return did
}

// lookDue reports whether stepHeld would ask for a look.
func (d *acd) lookDue(now time.Time) bool {
	if !d.holding || d.due.IsZero() || now.Before(d.due) {
		return false
	}
	ahead := *d
	return ahead.stepHeld(now) == doLook
}

// lookEnds is when a look that is due is not needed any more.
func (d *acd) lookEnds() time.Time {
	if d.conflict == nil {
		return d.provenAt
	}
	return d.conflict.lastSeen.Add(conflictTimeout)
}

// yields reports whether an address that is held is left to a host that uses it, and does so. Where a host is that the address was
// defended against elsewhere, that was the same segment, and it is proven.
func (d *acd) yields(by user) bool {
	if slices.Contains(d.defendedFrom, by.mac) {
		d.provenAt, d.defendedFrom = time.Time{}, nil
	}
	if !d.holding || !d.unproven() || by.owner.other() || d.detection == v1beta1.ConflictWarn {
		return false
	}
	d.holding, d.late, d.provenAt, d.probes, d.defendedFrom = false, true, time.Time{}, 0, nil
	return true
}

// defended are the hosts that an address which is held is defended against.
func (d *acd) defended() []mac {
	if !d.holding || d.conflict == nil {
		return d.defendedFrom
	}
	return append(slices.Clone(d.defendedFrom), d.conflict.mac)
}

// letGo stops what is left of the holding of addresses that were left to other hosts: they are not answered any more already.
func (r *Responder) letGo(released []*vip) {
	if len(released) == 0 {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, s := range *r.live.Load() {
		for _, v := range released {
			if s.has(v) {
				r.announcer.remove(s, v.addr)
			}
		}
	}
	r.recordHeld()
	notify(r.changes)
}
