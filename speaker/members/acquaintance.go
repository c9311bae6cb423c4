package members

import (
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"
)

const (
	// alone is how long a speaker that is told of no others waits for word of them: at the birth of a cluster all
	// start at once, and each is the first for a moment.
	alone = time.Second
	// cutOff is how long a speaker that reaches none of the others waits before it takes itself to be alone: longer
	// than it takes to restart one of them, and short enough for a cluster in which all others are dead.
	cutOff = 10 * time.Second
)

// acquaintance is the rule of when a speaker knows which others there are. It is pure: it is told what happens and
// when. The membership is unknown until
//   - another speaker has been met, or
//   - it has been told that there are no others, and that stood for a second, or
//   - it has been told of others, and none could be met for ten seconds since it was first told anything.
//
// What is known once stays known: a speaker that loses all others later is the survivor or the one cut off, and which,
// the terms of their claims will tell.
type acquaintance struct {
	known bool
	// met another speaker at some time.
	met bool
	// told is when it was first told of the others; zero: not yet.
	told time.Time
	// lonely is since when it is told that there are none; zero: there are some.
	lonely time.Time
}

// unreached is a speaker that is expected and not alive.
type unreached struct {
	node string
	at   netip.AddrPort
	// failure of the last attempt; "" when there was none yet.
	failure string
}

// expect is told how many others there should be.
func (a *acquaintance) expect(now time.Time, others int) {
	a.observe(now, false) // What was due before must not be undone by what is new.
	if a.told.IsZero() {
		a.told = now
	}
	switch {
	case others > 0:
		a.lonely = time.Time{}
	case a.lonely.IsZero():
		a.lonely = now
	}
}

// observe is told the time, and whether another speaker is alive.
func (a *acquaintance) observe(now time.Time, meets bool) {
	a.met = a.met || meets
	switch {
	case a.met:
		a.known = true
	case a.told.IsZero():
	case !a.lonely.IsZero():
		a.known = a.known || now.Sub(a.lonely) >= alone
	default:
		a.known = a.known || now.Sub(a.told) >= cutOff
	}
}

// why says in words what is unknown or in doubt; "" when everybody expected is there.
func (a *acquaintance) why(absent []unreached) string {
	switch {
	case a.told.IsZero() && !a.known:
		return "it is not known yet which other speakers there are"
	case len(absent) == 0 && a.known:
		return ""
	case len(absent) == 0:
		return "waiting for word of other speakers"
	case !a.known:
		return "has met none of the other speakers yet: " + list(absent)
	case !a.met:
		return "takes itself to be alone, because no other speaker can be reached: " + list(absent) + "; " + ports(absent)
	default:
		return "cannot reach " + list(absent) + "; " + ports(absent)
	}
}

// list names the absent with what came of the last attempt, the first few of them.
func list(absent []unreached) string {
	const most = 5
	parts := make([]string, 0, most)
	for _, other := range absent[:min(most, len(absent))] {
		part := fmt.Sprintf("%s at %v", other.node, other.at)
		if other.failure != "" {
			part += " (" + other.failure + ")"
		}
		parts = append(parts, part)
	}
	text := strings.Join(parts, ", ")
	if len(absent) > most {
		text += fmt.Sprintf(" and %d more", len(absent)-most)
	}
	return text
}

// ports says what a firewall must let through.
func ports(absent []unreached) string {
	numbers := make([]string, 0, len(absent))
	for _, other := range absent {
		numbers = append(numbers, strconv.Itoa(int(other.at.Port())))
	}
	slices.Sort(numbers)
	return "TCP and UDP port " + strings.Join(slices.Compact(numbers), ", ") + " must pass between the nodes both ways"
}
