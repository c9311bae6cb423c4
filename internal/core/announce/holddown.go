package announce

import (
	"fmt"
	"slices"
	"time"
)

// HoldDown are sessions, of which those have no paths whose BFD has failed and has not been up without a break for the holdDown of its
// BFDProfile since; and when to ask again, 0: when something happens. Failed has the sessions whose BFD was last up until it failed, by
// name, and since when it is up again, the zero time while it is not. The sessions are not changed.
//
// They are established all the same: some routers begin BFD with a dynamic neighbor when that connects.
func HoldDown(now time.Time, sessions []Session, failed map[string]time.Time) (held []Session, wait time.Duration) {
	held = slices.Clone(sessions)
	for i := range held {
		s := &held[i]
		since, has := failed[s.Name]
		if !has || s.BFD == nil || s.BFD.HoldDown == 0 {
			continue
		}
		left := time.Duration(0)
		if !since.IsZero() {
			if left = since.Add(s.BFD.HoldDown).Sub(now); left <= 0 {
				continue
			}
		}
		s.Paths = nil
		s.Warnings = []string{fmt.Sprintf("BFD has failed: nothing is announced before it has been up for %s (holdDown)", s.BFD.HoldDown)}
		wait = sooner(wait, left)
	}
	return held, wait
}
