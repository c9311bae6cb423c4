package handover

import "time"

// HoldRoutes reports whether a speaker that starts lets no router have its routes yet, and when to ask again; 0: no need. A router that has them
// sends it packets of connections that others know, at once: so it waits until it passes those on, and the others have heard of it, but no
// longer than until giveUp. passesOn is since when it passes on; zero: it does not.
func HoldRoutes(now, passesOn, giveUp time.Time) (hold bool, wait time.Duration) {
	until := giveUp
	if ready := passesOn.Add(RouteDelay); !passesOn.IsZero() && ready.Before(giveUp) {
		until = ready
	}
	wait = max(0, until.Sub(now))
	return wait > 0, wait
}
