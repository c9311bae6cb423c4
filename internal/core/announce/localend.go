package announce

import (
	"net/netip"

	"github.com/daymark-lb/daymark/internal/core/lb"
)

// LocalEnd is what annotations of this node last gave the sessions with a peer: the source address of each family, and the BGP
// identifier; invalid: they gave none. It goes on when an annotation is removed or says what cannot be used: a session keeps the
// addresses that its router expects, also over a restart of the speaker.
type LocalEnd struct{ Source4, Source6, RouterID netip.Addr }

// source is the address of a family.
func (e *LocalEnd) source(family lb.Family) netip.Addr {
	if family == lb.IPv6 {
		return e.Source6
	}
	return e.Source4
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

// LocalEnds returns what is to be remembered after a plan with some sessions, by peer, given what was before it. What a peer does not take
// from annotations any more is forgotten.
func LocalEnds(sessions []Session, before map[string]LocalEnd) map[string]LocalEnd {
	ends := map[string]LocalEnd{}
	for i := range sessions {
		s := &sessions[i]
		end, known := ends[s.Peer]
		if was := before[s.Peer]; !known {
			if s.SourceFromNode {
				end.Source4, end.Source6 = was.Source4, was.Source6
			}
			if s.RouterIDFromNode {
				end.RouterID = was.RouterID
			}
		}
		if source, id := s.FromNode(); s.SourceFromNode || s.RouterIDFromNode {
			end.Add(source, id)
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
