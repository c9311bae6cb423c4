package election

import "time"

const (
	// startupGrace is how long a speaker that has just met the others waits for those that are still missing, and for what they hold,
	// before it claims anything. When all start at once, the first two would otherwise share out all addresses between them.
	startupGrace = time.Second
	// linkDownTolerance is how long a speaker may be without a link and still trust that nobody took its addresses.
	linkDownTolerance = 150 * time.Millisecond
	// rejoinGrace is how long a speaker whose link has returned waits to hear from the others, which may have taken its
	// addresses.
	rejoinGrace = 500 * time.Millisecond
	// claimsGrace is how long it waits for what they hold from when it hears them. It has that from them when they hear it, and what it sends
	// may wait in its kernel, which asks for the MAC address of a neighbor that it had none of once in a second.
	claimsGrace = 3 * time.Second / 2
	// forwardingDelay is how long after the return of a link that counts as the reason why others are heard again: a switch may forward
	// nothing for twice 15 s after that (IEEE 802.1D, listening and learning).
	forwardingDelay = 45 * time.Second
)

// Grace decides from when on a speaker may claim addresses: not before it has heard what the others hold. The zero value
// is a speaker that has just started.
type Grace struct {
	// met is when the membership became known.
	met  time.Time
	over bool
	// down is since when there is no link, and returned when one came back after linkDownTolerance. heard is when somebody was first heard
	// after that.
	down, returned, heard time.Time
}

// GraceInput is what a Grace depends on.
type GraceInput struct {
	// Known: the membership is known.
	Known bool
	// LinkUp: the interface is up by which the others are reached.
	LinkUp bool
	// Expected are the other nodes whose speakers should be alive.
	Expected []string
	// Live are the speakers that may hold addresses, as in Input.
	Live map[string]uint64
	// ClaimsMissing: others are alive, and what they hold may not have come yet.
	ClaimsMissing bool
}

// Wait is how long to claim nothing yet; 0: nothing stands against claims.
func (g *Grace) Wait(now time.Time, in GraceInput) time.Duration {
	present := 0
	for _, node := range in.Expected {
		if _, alive := in.Live[node]; alive {
			present++
		}
	}
	complete, isolated := present == len(in.Expected), present == 0 && len(in.Expected) > 0
	return max(g.startup(now, in.Known, complete && !in.ClaimsMissing), g.rejoin(now, in.LinkUp, isolated, in.ClaimsMissing), 0)
}

// Over reports whether the grace period after the start has ended.
func (g *Grace) Over() bool { return g.over }

// startup is the wait after the start; complete: all speakers that should be alive are, and have said what they hold.
func (g *Grace) startup(now time.Time, known, complete bool) time.Duration {
	if g.over || !known {
		return 0
	}
	if g.met.IsZero() {
		g.met = now
	}
	left := startupGrace - now.Sub(g.met)
	if g.over = complete || left <= 0; g.over {
		return 0
	}
	return left
}

// rejoin is the wait after this node's link was down; isolated: there should be others, and none is alive; missing: what they hold may not
// have come.
func (g *Grace) rejoin(now time.Time, linkUp, isolated, missing bool) time.Duration {
	switch {
	case !linkUp:
		if g.down.IsZero() {
			g.down = now
		}
		return 0
	case !g.down.IsZero():
		if now.Sub(g.down) > linkDownTolerance {
			g.returned, g.heard = now, time.Time{}
		}
		g.down = time.Time{}
	}
	since := now.Sub(g.returned)
	switch {
	case g.returned.IsZero():
		return 0
	case g.heard.IsZero() && isolated && since < forwardingDelay:
		return rejoinGrace - since
	case g.heard.IsZero():
		g.heard = now
	}
	left := claimsGrace - now.Sub(g.heard)
	if isolated || !missing || left <= 0 {
		g.returned = time.Time{}
		return 0
	}
	return left
}
