package announce

import (
	"net/netip"

	"github.com/daymark-lb/daymark/internal/core/lb"
)

// LocalEnd is what this node last gave the sessions with a peer: by annotations or an interface the source address of each family and the BGP
// identifier, invalid where they gave none; and the VRF. It goes on when an annotation is removed or says what cannot be used, or an interface is
// not there: a session keeps what its router expects, also over a restart of the speaker.
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

// OfSession is what a Speaker says of a session: the source address and the BGP identifier that an annotation gives it, or of one whose router is not
// known those that are remembered of its peer.
func (e *LocalEnd) OfSession(s *Session) (source, routerID netip.Addr) {
	source, routerID = s.FromNode()
	if !s.Address.IsValid() && !source.IsValid() && s.SourceFromNode {
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

// LocalEnds returns what is to be remembered after a plan with some sessions, by peer, given what was before it. It is forgotten when the
// peer is gone, or takes it from annotations no more; not while the peer has no session here, or no router that is known.
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
		if !s.SourceFromNode {
			end.Source4, end.Source6 = netip.Addr{}, netip.Addr{}
		}
		if !s.RouterIDFromNode {
			end.RouterID = netip.Addr{}
		}
		end.Add(s.FromNode())
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

// FromNode are the source address and the BGP identifier of a session, each invalid where it is not from an annotation of the node.
func (s *Session) FromNode() (source, routerID netip.Addr) {
	if s.SourceFromNode {
		source = s.Source
	}
	if s.RouterIDFromNode {
		routerID = s.RouterID
	}
	return source, routerID
}
