package announce

import (
	"net/netip"

	"github.com/daymark-lb/daymark/internal/core/lb"
)

// LocalEnd is what this node last gave the sessions with a peer: the source address of each family, unspecified where the kernel chose it, and the
// BGP identifier; invalid ones are not known. And the VRF. It goes on when annotations or an interface that are to give it are not there, or say what
// cannot be used, as a source address that the node does not have: a session keeps what its router expects, also over a restart of the speaker.
type LocalEnd struct {
	Source4, Source6, RouterID netip.Addr
	// InVRF: the sessions were in VRF, of which the empty name is none.
	InVRF bool
	VRF   string
}

// source is the address of a family.
func (e *LocalEnd) source(family lb.Family) netip.Addr {
	if family == lb.IPv6 {
		return e.Source6
	}
	return e.Source4
}

// OfSession is what a Speaker says of a session: the source address and the BGP identifier that it is to have on the node, or where there is none
// to give it, or the router is not known, those that are remembered of its peer.
func (e *LocalEnd) OfSession(s *Session) (source, routerID netip.Addr) {
	source, routerID = s.given()
	switch {
	case source.IsValid() || !s.SourceGiven:
	case s.Address.IsValid():
		source = e.source(lb.FamilyOf(s.Address))
	default:
		source = e.Source4
		if !source.IsValid() {
			source = e.Source6
		}
	}
	return source, routerID
}

// Add notes the source address, and the BGP identifier, of a session with the peer; invalid ones change nothing.
func (e *LocalEnd) Add(source, routerID netip.Addr) {
	switch {
	case !source.IsValid():
	case source.Is4():
		e.Source4 = source
	default:
		e.Source6 = source
	}
	if routerID.IsValid() {
		e.RouterID = routerID
	}
}

// LocalEnds returns what is to be remembered after a plan with some sessions, by peer, given what was before it. What the node gave is forgotten
// when the peer is gone, or says it itself; not while the peer has no session here, or no router that is known.
func LocalEnds(peers []*lb.Peer, sessions []Session, before map[string]LocalEnd) map[string]LocalEnd {
	ends := map[string]LocalEnd{}
	for _, peer := range peers {
		if was, known := before[peer.Name]; known {
			ends[peer.Name] = was
		}
	}
	for i := range sessions {
		s := &sessions[i]
		end := ends[s.Peer]
		if !s.SourceGiven {
			end.Source4, end.Source6 = netip.Addr{}, netip.Addr{}
		}
		if !s.RouterIDFromNode {
			end.RouterID = netip.Addr{}
		}
		ends[s.Peer] = end
	}
	for i := range sessions {
		s := &sessions[i]
		end := ends[s.Peer]
		end.Add(s.ownEnd())
		if !s.VRFMissing {
			end.InVRF, end.VRF = true, s.VRF
		}
		if end == (LocalEnd{}) {
			delete(ends, s.Peer)
		} else {
			ends[s.Peer] = end
		}
	}
	return ends
}

// ownEnd are the source address and the BGP identifier to remember of a session, each invalid if there is none: those that are given, and
// of a session with nothing wrong about it the others.
func (s *Session) ownEnd() (source, routerID netip.Addr) {
	source, routerID = s.given()
	if s.Problem != "" || !s.Address.IsValid() {
		return source, routerID
	}
	if source = s.Source; !source.IsValid() {
		source = unspecified(lb.FamilyOf(s.Address))
	}
	return source, s.RouterID
}

// unspecified is the address of a family that stands for any.
func unspecified(family lb.Family) netip.Addr {
	if family == lb.IPv6 {
		return netip.IPv6Unspecified()
	}
	return netip.IPv4Unspecified()
}

// given are the source address that the peer says and the BGP identifier that an annotation of the node says; each invalid where it is not
// said so.
func (s *Session) given() (source, routerID netip.Addr) {
	if s.SourceGiven {
		source = s.Source
	}
	if s.RouterIDFromNode {
		routerID = s.RouterID
	}
	return source, routerID
}
