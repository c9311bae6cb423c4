package bgp

import (
	"context"
	"time"
)

// We read at most maxMessages from a router in each readInterval: 50,000 a second, which is a few percent of a processor.
// What it sends means little to us, and it may send without end. After floodGrace at that limit, the status warns.
const (
	maxMessages  = 1000
	readInterval = 20 * time.Millisecond
	floodGrace   = 10 * time.Second
)

// floodWarning is the warning in the status.
const floodWarning = "router sends more than 50,000 messages a second, without end; they are read no faster"

// readLimiter limits how fast messages are read. The zero value is ready for use.
type readLimiter struct {
	messages int
	// intervalStart is when the present interval began. fullSince is when the first of the full intervals before it began;
	// zero when the last interval was not full.
	intervalStart, fullSince time.Time
}

// wait counts a message. When the interval is full, it waits until the interval ends. It reports whether a new interval has
// begun.
func (l *readLimiter) wait(ctx context.Context) bool {
	if l.messages++; l.messages < maxMessages {
		return false
	}
	l.messages = 0
	if rest := readInterval - time.Since(l.intervalStart); rest <= 0 {
		l.fullSince = time.Time{}
	} else {
		if l.fullSince.IsZero() {
			l.fullSince = time.Now()
		}
		timer := time.NewTimer(rest)
		defer timer.Stop()
		select {
		case <-timer.C:
		case <-ctx.Done():
		}
	}
	l.intervalStart = time.Now()
	return true
}

// flooded reports whether all intervals have been full for floodGrace.
func (l *readLimiter) flooded() bool {
	return !l.fullSince.IsZero() && time.Since(l.fullSince) >= floodGrace
}
