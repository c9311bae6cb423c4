package bfd

import (
	"cmp"
	"errors"
	"fmt"
	"net/netip"
	"time"

	"github.com/daymark-lb/daymark/internal/core/bfdsession"
	"github.com/daymark-lb/daymark/internal/core/lb"
)

// Session is a session that is wanted.
type Session struct {
	// Name of the session: in Status, in metrics and in what is logged. Each is given once. A session that is given
	// another name stays as it is.
	Name string
	// Peer is the address of the other system; a link-local one has its zone.
	Peer netip.Addr
	// Local is the address to send from; invalid: what the routing table gives.
	Local netip.Addr
	// Device is the VRF to send and receive in; empty: none.
	Device string
	// MultiHop: the peer is more than one hop away (RFC 5883).
	MultiHop bool
	// Profile holds the parameters. Zero ones are those of an empty BFDProfile; others are brought within what is sane:
	// intervals from 10 ms to 1 min, multiplier from 1 to 255. MinimumTTL is for MultiHop only. Some routers (BIRD) send
	// with a TTL of 64, and are not heard unless it is set below.
	Profile lb.BFDProfile
}

// The limits of a profile, as the API has them.
const (
	shortest, usualInterval, longest = 10 * time.Millisecond, 300 * time.Millisecond, time.Minute
	usualMultiplier                  = 3
	// The TTL of all that is sent, and what must be left of it on arrival: all over a single hop (RFC 5881 section 5).
	fullTTL, usualTTL = 255, 254
)

func (s *Session) parameters() bfdsession.Parameters {
	clamp := func(d time.Duration) time.Duration { return min(max(cmp.Or(d, usualInterval), shortest), longest) }
	return bfdsession.Parameters{
		DesiredMinTx: clamp(s.Profile.TransmitInterval), RequiredMinRx: clamp(s.Profile.ReceiveInterval),
		Multiplier: uint8(min(max(cmp.Or(s.Profile.DetectMultiplier, usualMultiplier), 1), 255)),
		Passive:    s.Profile.Passive,
	}
}

// minimumTTL of packets that are accepted.
func (s *Session) minimumTTL() int {
	if !s.MultiHop {
		return fullTTL
	}
	return min(max(cmp.Or(s.Profile.MinimumTTL, usualTTL), 1), fullTTL)
}

// path is what a session watches. Two sessions of the same path would be one.
type path struct {
	peer, local netip.Addr
	device      string
	multiHop    bool
}

// path reads where a session goes. The error says why it cannot be had.
func (s *Session) path() (path, error) {
	p := path{peer: s.Peer.Unmap(), local: s.Local.Unmap().WithZone(""), device: s.Device, multiHop: s.MultiHop}
	switch {
	case !p.peer.IsValid() || p.peer.IsUnspecified() || p.peer.IsMulticast():
		return path{}, fmt.Errorf("%s is not the address of a peer", p.peer)
	case p.peer.IsLinkLocalUnicast() && p.peer.Is6() && p.peer.Zone() == "":
		return path{}, fmt.Errorf("the link-local address %s needs its interface", p.peer)
	case p.peer.IsLinkLocalUnicast() && p.multiHop:
		return path{}, fmt.Errorf("the link-local address %s is never more than one hop away", p.peer)
	case !p.peer.IsLinkLocalUnicast():
		p.peer = p.peer.WithZone("")
	}
	if p.local.IsValid() && p.local.Is4() != p.peer.Is4() {
		return path{}, fmt.Errorf("%s and %s are not of the same family", p.local, p.peer)
	}
	return p, nil
}

// ear says which listener hears the peer.
func (p path) ear() ear { return ear{v6: p.peer.Is6(), multiHop: p.multiHop, device: p.device} }

// errNameTwice is one of the reasons for which a session is refused.
var errNameTwice = errors.New("another session has the same name")

// refusal is a session that cannot be had.
type refusal struct {
	name string
	peer netip.Addr
	err  error
}

// sort out what can be had of what is wanted, each path once, and what cannot.
func sortOut(desired []Session) (order []path, wanted map[path]*Session, refused []refusal) {
	wanted = make(map[path]*Session, len(desired))
	names := make(map[string]struct{}, len(desired))
	for i := range desired {
		s := &desired[i]
		p, err := s.path()
		if _, twice := names[s.Name]; twice && err == nil {
			err = errNameTwice
		}
		if other := wanted[p]; other != nil && err == nil {
			err = fmt.Errorf("session %s watches the same path", other.Name)
		}
		if err != nil {
			refused = append(refused, refusal{s.Name, s.Peer, err})
			continue
		}
		names[s.Name] = struct{}{}
		wanted[p] = s
		order = append(order, p)
	}
	return order, wanted, refused
}
