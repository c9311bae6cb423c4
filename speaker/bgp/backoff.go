package bgp

import (
	"math/rand/v2"
	"time"
)

const (
	// minRetryInterval is the wait after the first failure.
	minRetryInterval = 100 * time.Millisecond
	// maxUnreachableInterval is the longest wait while the router cannot be reached, so that we notice within about a
	// second when it comes back. An attempt costs the router, and us, one packet.
	maxUnreachableInterval = time.Second
	// stableInterval is how long a session must have been up so that the next wait is minRetryInterval again.
	stableInterval = 5 * time.Second
)

// backoff is the wait between attempts: each is twice as long as the one before, up to a limit.
type backoff struct{ failures int }

// next is the wait before the next attempt, at most longest. It is shortened by up to a quarter at random, so that nodes do
// not connect at the same time (RFC 4271 section 10).
func (b *backoff) next(longest time.Duration) time.Duration {
	full := min(minRetryInterval<<min(b.failures, 20), longest)
	b.failures++
	return jitter(full)
}

// sessionLasted is told how long the session was up.
func (b *backoff) sessionLasted(up time.Duration) {
	if up >= stableInterval {
		b.failures = 0
	}
}

// jitter shortens a time by up to a quarter at random.
func jitter(full time.Duration) time.Duration {
	return full - time.Duration(rand.Int64N(int64(full)/4+1)) //nolint:gosec // This needs no secure randomness.
}
