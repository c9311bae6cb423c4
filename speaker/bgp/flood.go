package bgp

import (
	"context"
	"time"
)

// A router is read at no more than mostMessages in each slice of time, 50,000 a second, which is some percent of a
// processor: what it sends means little to us, and it may send without end. One that does for floodAfter is told of.
const (
	mostMessages = 1000
	slice        = 20 * time.Millisecond
	floodAfter   = 10 * time.Second
)

const floodWords = "router sends more than 50,000 messages a second, without end; they are read no faster"

// gauge slows down reading. The zero value is ready for use.
type gauge struct {
	messages int
	// began is when the slice did; since is when the first of those did that have been full since then; zero: the last was not.
	began, since time.Time
}

// read takes note of a message, and rests when there were too many in this slice. It reports whether a slice has ended.
func (g *gauge) read(ctx context.Context) bool {
	if g.messages++; g.messages < mostMessages {
		return false
	}
	g.messages = 0
	if rest := slice - time.Since(g.began); rest <= 0 {
		g.since = time.Time{}
	} else {
		if g.since.IsZero() {
			g.since = time.Now()
		}
		timer := time.NewTimer(rest)
		defer timer.Stop()
		select {
		case <-timer.C:
		case <-ctx.Done():
		}
	}
	g.began = time.Now()
	return true
}

// flooded reports whether every slice has been full for long.
func (g *gauge) flooded() bool { return !g.since.IsZero() && time.Since(g.since) >= floodAfter }
