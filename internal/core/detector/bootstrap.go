package detector

import "time"

const (
	// aloneGrace is how long a speaker that is told of no peers waits until it believes that: when a cluster is created
	// all start at once, and each is the first for a moment.
	aloneGrace = time.Second
	// desertedGrace is how long a speaker waits for peers that were there once and are gone now: longer than it takes to
	// restart one of them, and short enough for a cluster in which all others have ended.
	desertedGrace = 5 * time.Second
)

// Bootstrap decides when the membership counts as known, so that a speaker may act on who is alive. That is when
//   - another speaker has been met, or
//   - the speaker was told that there are no others, and that stood for a second, or
//   - all others that there should be are gone, and that stood for five seconds.
//
// A peer that merely does not answer is not gone: it may be cut off, or we may be, and two speakers that each think
// themselves alone are two holders of every address. A peer is gone when its host itself says that nobody listens there (a
// firewall that rejects does not count, as far as it can be told apart), or when the control plane has given up its node.
//
// Once known the membership stays known: a speaker that loses all others later is the survivor or the one cut off, and the
// terms of their claims will tell which.
//
// The zero Bootstrap is ready to use, and not safe for concurrent use.
type Bootstrap struct {
	known bool
	// told: Expect has been called.
	told bool
	// aloneSince is since when there is nobody to wait for; zero: there is somebody.
	aloneSince time.Time
	// grace is how long that must stand.
	grace time.Duration
}

// Expect sets how many peers are waited for, and how many more there should be that are gone.
func (b *Bootstrap) Expect(now time.Time, waitedFor, gone int) {
	b.Observe(now, false) // What was due before must not be undone by what is new.
	b.told = true
	b.grace = aloneGrace
	if gone > 0 {
		b.grace = desertedGrace
	}
	switch {
	case waitedFor > 0:
		b.aloneSince = time.Time{}
	case b.aloneSince.IsZero():
		b.aloneSince = now
	}
}

// Observe notes that time has passed, and whether another speaker is alive.
func (b *Bootstrap) Observe(now time.Time, peerAlive bool) {
	b.known = b.known || peerAlive || !b.aloneSince.IsZero() && now.Sub(b.aloneSince) >= b.grace
}

// Known reports whether the membership is known.
func (b *Bootstrap) Known() bool { return b.known }

// Told reports whether Expect has been called.
func (b *Bootstrap) Told() bool { return b.told }
