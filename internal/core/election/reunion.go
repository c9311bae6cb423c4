package election

import "time"

// claimExchange is how long after a return the claims of both sides have been compared. A node that has lost an address
// does not announce it again by then, so the node that has won it announces last.
const claimExchange = 100 * time.Millisecond

// Reunion decides when a node announces what it holds once more: when speakers have returned that were taken for dead,
// because they may have announced the same addresses meanwhile. The zero value has seen no return.
type Reunion struct {
	// returns seen so far.
	returns uint64
	// since is when the last return was seen; zero once the addresses have been announced.
	since time.Time
}

// Due is given how many returns there were so far. It reports whether to announce now, else how long to wait for it; 0:
// there is nothing to announce.
func (r *Reunion) Due(now time.Time, returns uint64) (announce bool, wait time.Duration) {
	if returns != r.returns {
		r.returns, r.since = returns, now
	}
	if r.since.IsZero() {
		return false, 0
	}
	if wait = claimExchange - now.Sub(r.since); wait > 0 {
		return false, wait
	}
	r.since = time.Time{}
	return true, 0
}
