package handover

import (
	"slices"
	"time"
)

// ring is the time in which all nodes pass on what they do not know of an address that several nodes attract. It counts only such changes
// as all nodes see alike: what this one knows of others alone, or because its speaker has just started, may be no change to them.
type ring struct {
	// since is when the first of some changes was, each within the time of the one before, and changed when the last was.
	since, changed time.Time
}

// update takes in the holders before a change, if it is one, and after it.
func (r *ring) update(now time.Time, before []string, a *Address) {
	switch {
	case len(a.Holders) < 2:
		*r = ring{}
	case slices.Equal(before, a.Holders):
	default:
		if r.since.IsZero() || now.Sub(r.changed) >= a.Draining {
			r.since = now
		}
		r.changed = now
	}
}

// watchLag is how much earlier others may have heard of the last change, and so end earlier: of two watches of the API server one may be behind
// by seconds.
const watchLag = 10 * time.Second

// active reports whether all nodes pass on, and have heard of it, and go on for a while.
func (r *ring) active(now time.Time, draining time.Duration) bool {
	return !r.since.IsZero() && now.Sub(r.since) >= RouteDelay && now.Sub(r.changed) < draining-watchLag
}
