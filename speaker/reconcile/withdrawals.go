package reconcile

import (
	"strconv"
	"time"
)

// withdrawnInterval is when a pass is due after one that withdrew something for a Service which waits for it.
const withdrawnInterval = 50 * time.Millisecond

// withdrawals say up to which version of the leaving Services nothing is announced any more. What a pass sets is withdrawn by
// layer 2 at once, and by BGP when the routers have been sent it: so the pass after that looks, and only then it is reported.
type withdrawals struct {
	// seen is the newest version of this pass. asked is the newest one that was set. done is the newest that is withdrawn.
	seen, asked, done uint64
}

// look takes in what a pass has seen: the newest version, and whether a router still has to be sent what was set before.
func (w *withdrawals) look(newest uint64, behind bool) {
	if !behind {
		w.done = max(w.done, w.asked)
	}
	w.seen = newest
}

// set notes that what the pass has seen was handed to the executors.
func (w *withdrawals) set() { w.asked = max(w.asked, w.seen) }

// wait is when the next pass is due; 0: no need.
func (w *withdrawals) wait() time.Duration {
	if w.asked > w.done {
		return withdrawnInterval
	}
	return 0
}

// text is what the Speaker object says; empty as long as nothing was withdrawn for a Service that waits.
func (w *withdrawals) text() string {
	if w.done == 0 {
		return ""
	}
	return strconv.FormatUint(w.done, 10)
}
