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

// Router is the other end of a session. A node has one session with it, whichever BGPPeers lead to it.
type Router struct {
	VRF  string
	Addr netip.AddrPort
	// Unknown is the name of a session of which it is not known where its router is: no other is taken to lead there.
	Unknown string
}

// Router is the one that the session is with.
func (s *Session) Router() Router {
	if !s.Address.IsValid() {
		return Router{Unknown: s.Name}
	}
	return Router{VRF: s.VRF, Addr: netip.AddrPortFrom(s.Address, s.Port)}
}

// OlderText is the problem of a session that an older BGPPeer overrides.
func OlderText(peer string, router Router) string {
	return olderBefore + peer + olderWithin + router.Addr.String() + olderAfter
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
