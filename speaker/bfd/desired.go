package bfd

import (
	"cmp"
	"errors"
	"fmt"
	"net/netip"
	"time"

	"github.com/daymark-lb/daymark/internal/core/announce"
	"github.com/daymark-lb/daymark/internal/core/bfdsession"
)

// Session is a session that is wanted.
type Session = announce.BFDSession

// The limits of a profile, as the API has them.
const (
	shortest, usualInterval, longest = 10 * time.Millisecond, 300 * time.Millisecond, time.Minute
	usualMultiplier                  = 3
	// The TTL of all that is sent, and what must be left of it on arrival: all over a single hop (RFC 5881 section 5).
	fullTTL, usualTTL = 255, 254
)

func parametersOf(s *Session) bfdsession.Parameters {
	clamp := func(d time.Duration) time.Duration { return min(max(cmp.Or(d, usualInterval), shortest), longest) }
	return bfdsession.Parameters{
		DesiredMinTx: clamp(s.Profile.TransmitInterval), RequiredMinRx: clamp(s.Profile.ReceiveInterval),
		DetectMult: uint8(min(max(cmp.Or(s.Profile.DetectMultiplier, usualMultiplier), 1), 255)),
		Passive:    s.Profile.Passive,
	}
}

// minimumTTLOf packets that are accepted.
func minimumTTLOf(s *Session) int {
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

// pathOf reads where a session goes. The error says why it cannot be had.
func pathOf(s *Session) (path, error) {
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
		p, err := pathOf(s)
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
