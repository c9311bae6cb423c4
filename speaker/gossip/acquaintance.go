package gossip

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
	// deserted is how long a speaker waits for others that were there once and are not now: longer than it takes to
	// restart one of them, and short enough for a cluster in which all others have ended.
	deserted = 5 * time.Second
)

// acquaintance is the rule of when a speaker knows which others there are. It is pure: it is told what happens and
// when. The membership is unknown until
//   - another speaker has been met, or
//   - it has been told that there are no others, and that stood for a second, or
//   - of those there should be, all have been found gone, and that stood for five seconds.
//
// One that merely does not answer is not gone: it may be cut off, or we may be, and two that each think themselves alone
// are two holders of every address. Gone is one whose host itself says that nobody listens (a firewall that rejects does not count), or whose node the control plane has
// given up.
//
// What is known once stays known: a speaker that loses all others later is the survivor or the one cut off, and which,
// the terms of their claims will tell.
type acquaintance struct {
	known bool
	// told of the others at some time.
	told bool
	// lonely is since when there is nobody to wait for; zero: there is somebody.
	lonely time.Time
	// patience is how long that must stand.
	patience time.Duration
}

// unreached is a speaker that is expected and not alive.
type unreached struct {
	node string
	at   netip.AddrPort
	attempt
}

// attempt is what came of the last attempt to reach a speaker.
type attempt struct {
	// words for what failed; "" when there was no attempt yet.
	words string
	// refused: its host said that nobody listens there.
	refused bool
}

// expect is told how many others there may be, and how many more there should be that are gone.
func (a *acquaintance) expect(now time.Time, others, gone int) {
	a.observe(now, false) // What was due before must not be undone by what is new.
	a.told = true
	a.patience = alone
	if gone > 0 {
		a.patience = deserted
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
	a.known = a.known || meets || !a.lonely.IsZero() && now.Sub(a.lonely) >= a.patience
}

// why says in words what is unknown or in doubt; "" when everybody expected is there.
func (a *acquaintance) why(absent []unreached) string {
	switch {
	case !a.told && !a.known:
		return "it is not known yet which other speakers there are"
	case len(absent) == 0 && a.known:
		return ""
	case len(absent) == 0:
		return "waiting for word of other speakers"
	case !a.known:
		return "has met none of the other speakers yet, and holds nothing until it has: " + list(absent) + ports(absent)
	default:
		return "does not see " + list(absent) + ports(absent)
	}
}

// list names the absent with what came of the last attempt, the first few of them.
func list(absent []unreached) string {
	const most = 5
	parts := make([]string, 0, most)
	for _, other := range absent[:min(most, len(absent))] {
		part := fmt.Sprintf("%s at %v", other.node, other.at)
		if !other.at.IsValid() {
			part = other.node + " (it has not said where it listens)"
		} else if other.words != "" {
			part += " (" + other.words + ")"
		}
		parts = append(parts, part)
	}
	text := strings.Join(parts, ", ")
	if len(absent) > most {
		text += fmt.Sprintf(" and %d more", len(absent)-most)
	}
	return text
}

// ports says what a firewall must let through, when one may be to blame.
func ports(absent []unreached) string {
	var numbers []string
	for _, other := range absent {
		if other.at.IsValid() && !other.refused {
			numbers = append(numbers, strconv.Itoa(int(other.at.Port())))
		}
	}
	if len(numbers) == 0 {
		return ""
	}
	slices.Sort(numbers)
	return "; TCP and UDP port " + strings.Join(slices.Compact(numbers), ", ") + " must pass between the nodes both ways"
}
