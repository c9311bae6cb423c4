package announce

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
)

// The words about an address that no node can hold, before and after the names of the advertisements.
const (
	unheldBefore = " is held by no node: nodeSelectors and interfaces of the advertisement ("
	unheldAfter  = ") leave none that may hold it and has an interface for it that is up"
	unheldMore   = "and so are "
)

func unheldText(addr netip.Addr, advertisements string) string {
	return addr.String() + unheldBefore + advertisements + unheldAfter
}

// UnheldText puts the texts of Plan.Unheld into one. It names the first few, whatever the number of Services, because a condition has
// limited room; empty if there are none.
func UnheldText(texts []string) string {
	const limit = 5
	if more := len(texts) - limit; more > 0 {
		texts = append(slices.Clone(texts[:limit]), fmt.Sprintf(unheldMore+"%d more", more))
	}
	return strings.Join(texts, "; ")
}

// UnheldBy are the L2Advertisements that a text of UnheldText names, each once; nil when it is another text, or says more.
func UnheldBy(text string) (names []string) {
	for _, part := range strings.Split(text, "; ") {
		_, rest, of := strings.Cut(part, unheldBefore)
		list, whole := strings.CutSuffix(rest, unheldAfter)
		switch {
		case of && whole:
			names = append(names, strings.Split(list, ", ")...)
		case !strings.HasPrefix(part, unheldMore):
			return nil
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}
