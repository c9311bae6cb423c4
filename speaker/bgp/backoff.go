package bgp

import (
	"math/rand/v2"
	"time"
)

const (
	// firstPause is how long a session rests before it dials again.
	firstPause = 100 * time.Millisecond
	// dialPause is how long it rests at most while the router is not to be reached at all, so that one that comes back
	// is met within about a second. It costs the router, and us, one packet each.
	dialPause = time.Second
	// settled is how long a session must have been up for its next pause to be the first again.
	settled = 5 * time.Second
)

// backoff spaces attempts out: each pause is twice the one before, up to a limit.
type backoff struct{ failures int }

// pause before the next attempt, up to longest, shortened by up to a quarter at random: RFC 4271 section 10 wants nodes
// not to dial in step.
func (b *backoff) pause(longest time.Duration) time.Duration {
	full := min(firstPause<<min(b.failures, 20), longest)
	b.failures++
	return jitter(full)
}

// after takes note of how long the session was up; 0 when it did not come up.
func (b *backoff) after(up time.Duration) {
	if up >= settled {
		b.failures = 0
	}
}

// jitter shortens a time by up to a quarter.
func jitter(full time.Duration) time.Duration {
	return full - time.Duration(rand.Int64N(int64(full)/4+1)) //nolint:gosec // Chance, not secrecy.
}
