package announce

import (
	"net/netip"
	"strings"
)

// The words about a session whose router an older BGPPeer leads to, too, around the name of that one and the router.
const (
	olderBefore = "BGPPeer "
	olderWithin = " names the same router, "
	olderAfter  = ", and is older"
)

func olderText(peer string, router netip.AddrPort) string {
	return olderBefore + peer + olderWithin + router.String() + olderAfter
}

// OlderPeer is the BGPPeer that overrides a session, by the problem of the session, which speakers report: it is older, leads to the same
// router, and has the session with it. Empty: the text is about something else.
func OlderPeer(problem string) string {
	rest, is := strings.CutPrefix(problem, olderBefore)
	name, rest, within := strings.Cut(rest, olderWithin)
	if !is || !within || !strings.HasSuffix(rest, olderAfter) {
		return ""
	}
	return name
}
