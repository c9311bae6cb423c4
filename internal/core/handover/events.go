package handover

import "time"

// maxDraining is the longest Address.Draining that the API allows.
const maxDraining = 24 * time.Hour

// events are what has happened to an address lately. Not a part of its track, since of a hundred thousand addresses they are more than half of what
// is remembered, and nothing happens to most of them for days.
type events struct {
	// joined is until when routers are not to hear that the node that decides became a holder beside others that were before, and left that it
	// ceased to be one beside others that stay: all nodes are to pass on before.
	joined, left time.Time
	// ring is for how long all nodes pass on what they do not know.
	ring ring
	// turned is when the revision changed after a time in which nothing was passed on.
	turned time.Time
	// absent is since when the address is not announced; zero: it is. back is when it was announced again last.
	absent, back time.Time
}

// noEvents must not be changed.
var noEvents events

// lately is what has happened lately, to read.
func (t *track) lately() *events {
	if t.events == nil {
		return &noEvents
	}
	return t.events
}

// event is what has happened lately, to add to.
func (t *track) event() *events {
	if t.events == nil {
		t.events = &events{}
	}
	return t.events
}

// returns takes in that the address is announced, and reports whether it was not.
func (t *track) returns(now time.Time) bool {
	if t.lately().absent.IsZero() {
		return false
	}
	t.events.back, t.events.absent = now, time.Time{}
	return true
}

// updateRing takes in the holders after those of the track.
func (t *track) updateRing(now time.Time, a *Address) {
	ring := t.lately().ring
	if ring.update(now, t.holders, a); ring != t.lately().ring {
		t.event().ring = ring
	}
}

// forgetEvents forgets what has happened so long ago that nothing follows from it, whatever connectionDraining becomes. There are no former
// holders, and those that may be found later are younger.
func (t *track) forgetEvents(now time.Time) {
	if e := t.events; e != nil && e.absent.IsZero() && !e.latest().After(now.Add(-maxDraining-RouteDelay)) {
		t.events = nil
	}
}

// latest is when the last of them was, or is over.
func (e *events) latest() (latest time.Time) {
	for _, at := range []time.Time{e.joined, e.left, e.ring.changed, e.turned, e.back} {
		if at.After(latest) {
			latest = at
		}
	}
	return latest
}
