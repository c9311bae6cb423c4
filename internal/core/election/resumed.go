package election

import (
	"maps"
	"time"
)

// A rival is remembered for seconds after its last frame, since that is how far apart announcements are. One that stops, as when it gives
// the address back, and takes it once more before that, would count as one that has gone on all the time: the address would be ceded to it
// at once, or it would not be told any more that it is in the wrong.

// interruption is that a rival did not answer for an address.
type interruption struct {
	// last is when it was last heard before that, and resumed when it was first heard afterwards; zero: it has not been.
	last, resumed time.Time
}

// sinceResumed is a rival as it was heard since it last had no answer.
func (r *round) sinceResumed(rival Rival) Rival {
	q := Question{rival.Node, rival.Addr}
	if r.Answers[q].none() {
		if r.interrupted == nil {
			r.interrupted = map[Question]interruption{}
		}
		r.interrupted[q] = interruption{last: rival.Last}
		return rival
	}
	i, known := r.interrupted[q]
	if !known || !rival.Last.After(i.last) {
		return rival
	}
	if i.resumed.IsZero() {
		i.resumed = rival.Last
		r.interrupted[q] = i
	}
	rival.Since = later(rival.Since, i.resumed)
	if rival.HeldSince = later(rival.HeldSince, i.resumed); rival.Held.Before(i.resumed) {
		rival.HeldSince, rival.Held = time.Time{}, time.Time{}
	}
	return rival
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// forgetInterrupted forgets those of long ago: by then the rival is none any more, or has gone on for long.
func (r *round) forgetInterrupted() {
	maps.DeleteFunc(r.interrupted, func(_ Question, i interruption) bool { return r.Now.Sub(i.last) > takenTimeout })
}
