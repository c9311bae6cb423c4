package reconcile

import (
	"net/netip"
	"slices"
	"time"
)

const (
	// company is how long a speaker that has just met the others waits for those of them that are still missing before
	// it claims anything: when all start at once, the first two must not share out everything between them.
	company = time.Second
	// offline is for how long a speaker may be without a link and still trust that nobody has taken its addresses.
	offline = 150 * time.Millisecond
	// word is how long a speaker whose link has returned waits for word from the others: they may have taken its addresses.
	word = 500 * time.Millisecond
)

// settlement is the rule of when a speaker may claim addresses: not before it has heard what the others hold. It is pure:
// it is told what is the case and when.
type settlement struct {
	// met is when the membership became known.
	met     time.Time
	settled bool
	// down is since when there has been no link, and back when one returned after too long.
	down, back time.Time
}

// circumstances are what it depends on.
type circumstances struct {
	// known: the membership is.
	known bool
	// complete: every other speaker that there should be is there.
	complete bool
	// isolated: there should be others, and not one is there.
	isolated bool
	// linked: the interface is up by which the others are reached.
	linked bool
}

// wait is how long to claim nothing yet; 0: what is known can be acted on.
func (s *settlement) wait(now time.Time, c circumstances) time.Duration {
	return max(s.first(now, c), s.again(now, c), 0)
}

// first is the wait after the start.
func (s *settlement) first(now time.Time, c circumstances) time.Duration {
	if s.settled || !c.known {
		return 0
	}
	if s.met.IsZero() {
		s.met = now
	}
	left := company - now.Sub(s.met)
	if s.settled = c.complete || left <= 0; s.settled {
		return 0
	}
	return left
}

// again is the wait after this node was cut off by its own link.
func (s *settlement) again(now time.Time, c circumstances) time.Duration {
	switch {
	case !c.linked:
		if s.down.IsZero() {
			s.down = now
		}
		return 0
	case !s.down.IsZero():
		if now.Sub(s.down) > offline {
			s.back = now
		}
		s.down = time.Time{}
	}
	if s.back.IsZero() {
		return 0
	}
	left := word - now.Sub(s.back)
	if !c.isolated || left <= 0 {
		s.back = time.Time{}
		return 0
	}
	return left
}

// circumstances of this pass.
func (c *cluster) circumstances() circumstances {
	now := circumstances{known: c.world.Members.Known, complete: true, isolated: true}
	others := 0
	for name := range c.speakers {
		if node := c.node(name); name == c.world.Node || node == nil || node.Down {
			continue
		}
		others++
		_, there := c.world.Links[name]
		now.complete = now.complete && there
		now.isolated = now.isolated && !there
	}
	now.isolated = now.isolated && others > 0
	for i := range c.links {
		link := &c.links[i]
		carries := slices.ContainsFunc(link.Addresses, func(p netip.Prefix) bool { return p.Addr() == c.gossip })
		now.linked = now.linked || link.Up && carries
	}
	return now
}
