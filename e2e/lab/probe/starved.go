package probe

import (
	"errors"
	"net"
	"time"
)

// Without divides the attempts that failed: counted has those that count, and all that were served; starved is the number of those that
// were not answered in time while attempts of the control were not either, or took more than half of that time. The control goes straight
// to pods, past all that is tested, so then programs got no processor. What was reset or refused counts whenever it was: a busy machine
// does not do that.
func (r Report) Without(control Report) (counted Report, starved int) {
	type span struct{ begin, end time.Time }
	var spans []span
	for _, a := range control.Attempts {
		if a.Err != nil || a.Took > probeTimeout/2 {
			spans = append(spans, span{a.Began, a.Began.Add(a.Took)})
		}
	}
	for _, a := range r.Attempts {
		excused := false
		for _, s := range spans {
			excused = excused || timedOut(a.Err) && a.Began.Before(s.end) && a.Began.Add(a.Took).After(s.begin)
		}
		if excused {
			starved++
		} else {
			counted.Attempts = append(counted.Attempts, a)
		}
	}
	return counted, starved
}

// timedOut tells an error that came of waiting; context.DeadlineExceeded is one.
func timedOut(err error) bool {
	var timeout net.Error
	return errors.As(err, &timeout) && timeout.Timeout()
}
