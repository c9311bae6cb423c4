package bgp

import (
	"math/rand/v2"
	"time"
)

const (
	// firstShare is the part of connectTime that the first pause lasts; the following ones are twice as long each. A router
	// that restarts is so back within the time that it was away, and one that stays away is dialed each connectTime.
	firstShare = 32
	// minPause is the shortest pause.
	minPause = 100 * time.Millisecond
	// maxPause is the longest one while the router does not want the session, unless connectTime is longer.
	maxPause = 5 * time.Minute
	// leastPause is the share of a pause that is waited at least, and leastSpread that of the pause after the first attempts.
	leastPause, leastSpread = 0.5, 0.1
	// stableTime is how long a session must have been up so that the pauses begin anew (RFC 4271 section 8.1.1,
	// DampPeerOscillations).
	stableTime = 2 * time.Minute
	// hurryInterval is how far apart pauses are ended early, so that BFD that flaps does not defeat them.
	hurryInterval = time.Minute
	// soonest and latest bound how long a router is left alone when BFD has come up, and latestAgain is in place of latest where that was
	// in vain the last time: all nodes of a router whose BFD comes and goes while it refuses BGP must not connect in the same moment.
	soonest, latest, latestAgain = 100 * time.Millisecond, 300 * time.Millisecond, 20 * time.Second
	// maxDoublings keeps a pause that is doubled within 64 bits.
	maxDoublings = 12
)

// backoff decides how long a session waits before it connects again, from how the last attempts ended. It reads no clock.
type backoff struct {
	// failures in a row of each group of causes. A long time without any answer says nothing of how a router that answers
	// again treats us, so it is counted apart; so is what only has to be waited for.
	unreachable, lost, rejected int
	// rejection is why the router last did not want the session, until it could not be reached, or the session was stable.
	rejection *closeReason
	// hurried is when a pause was last ended early, and vain: no session has been established since.
	hurried time.Time
	vain    bool
}

// How long an attempt waits for the router's answer. Linux repeats a SYN after 1 s, and again 1 or 2 s later.
const (
	// twoSYNs is for the first attempts: one of the two may be lost, and an answer may take longer than a second.
	twoSYNs = 1900 * time.Millisecond
	// oneSYN is for a router that has been silent for long, which all nodes ask again and again.
	oneSYN = 950 * time.Millisecond
	// firstAttempts are in short order. patientShare of those after them is for a router whose answers take longer.
	firstAttempts = 6
	patientShare  = 1.0 / 16
)

// patience is how long the next attempt waits for the router's answer. random is a random number in [0, 1): many nodes that lost their
// router together must not be patient together.
func (b *backoff) patience(random float64) time.Duration {
	if b.unreachable < firstAttempts || random < patientShare {
		return twoSYNs
	}
	return oneSYN
}

// afterBFD is how long a router is left alone when BFD has come up, given a random number in [0, 1). FRR's parts tell each other of it, and a
// connection that comes in meanwhile is closed, also when it has been established for some milliseconds. And the nodes of a router that
// was away do not all connect in the same moment.
func (b *backoff) afterBFD(random float64) time.Duration {
	most := latest
	if b.vain {
		most = latestAgain
	}
	return soonest + time.Duration(random*float64(most-soonest))
}

// hurry reports whether a pause ends because BFD has come up now. How attempts have ended is not forgotten.
func (b *backoff) hurry(now time.Time) bool {
	if !b.hurried.IsZero() && now.Sub(b.hurried) < hurryInterval {
		return false
	}
	b.hurried, b.vain = now, true
	return true
}

// ended is told why an attempt or a session ended, and how long the session was up. It returns the reason to tell people: a
// router that has once said why it does not want the session may close each later connection without a word.
func (b *backoff) ended(reason *closeReason, up time.Duration) *closeReason {
	if up >= stableTime {
		*b = backoff{}
	}
	if up > 0 {
		b.vain = false
	}
	if reason.cause != unreachable {
		b.unreachable = 0
	}
	switch {
	case reason.cause == unreachable:
		b.rejection = nil
	case reason.cause >= rejected:
		b.rejection = reason
	case reason.cause == unwelcome && b.rejection != nil:
		return &closeReason{text: b.rejection.text + "; since then it closes every connection", cause: rejected}
	}
	return reason
}

// pause before the next attempt. It doubles up to connectTime, or up to maxPause while the router does not want the session.
// No jitter is in it.
func (b *backoff) pause(c cause, connectTime time.Duration) time.Duration {
	first, longest, failures := max(connectTime/firstShare, minPause), connectTime, &b.lost
	switch c {
	case lost, unwelcome:
	case unreachable:
		failures = &b.unreachable
	case exhausted:
		first, longest, failures = connectTime, max(connectTime, maxPause), &b.rejected
	case rejected:
		longest, failures = max(connectTime, maxPause), &b.rejected
	}
	full := min(first<<min(*failures, maxDoublings), longest)
	*failures++
	return full
}

// least is the share of the pause that begins that is waited at least; the rest is random. Nodes that lost their router together have made their
// first attempts together, so the pause after those is any part of it: else they would come in waves for minutes.
func (b *backoff) least() float64 {
	if max(b.unreachable, b.lost) == firstAttempts {
		return leastSpread
	}
	return leastPause
}

// jitter shortens a time at random, to no less than a share of it, so that nodes that were refused at the same moment do not
// come back at the same moment (RFC 4271 section 10).
func jitter(full time.Duration, least float64) time.Duration {
	return full - time.Duration(rand.Float64()*(1-least)*float64(full)) //nolint:gosec // This needs no secure randomness.
}
