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

// The limits and defaults of a profile, as the API has them.
const (
	minInterval, defaultInterval, maxInterval = 10 * time.Millisecond, 300 * time.Millisecond, time.Minute
	defaultDetectMult                         = 3
	// maxTTL is the TTL of all packets that we send, and that packets over a single hop must have on arrival (RFC 5881
	// section 5). defaultMinimumTTL is the least that packets over several hops must have.
	maxTTL, defaultMinimumTTL = 255, 254
)

// parametersOf returns the parameters of a session, with defaults filled in and kept within the limits.
func parametersOf(s *announce.BFDSession) bfdsession.Parameters {
	clamp := func(d time.Duration) time.Duration {
		return min(max(cmp.Or(d, defaultInterval), minInterval), maxInterval)
	}
	return bfdsession.Parameters{
		DesiredMinTx: clamp(s.Profile.TransmitInterval), RequiredMinRx: clamp(s.Profile.ReceiveInterval),
		DetectMult: uint8(min(max(cmp.Or(s.Profile.DetectMultiplier, defaultDetectMult), 1), 255)),
		Passive:    s.Profile.Passive,
	}
}

// minimumTTLOf returns the TTL that packets of the peer must have on arrival (RFC 5881 section 5, RFC 5883 section 5).
func minimumTTLOf(s *announce.BFDSession) int {
	if !s.MultiHop {
		return maxTTL
	}
	return min(max(cmp.Or(s.Profile.MinimumTTL, defaultMinimumTTL), 1), maxTTL)
}

// path identifies what a session monitors. Two sessions of the same path would be one.
type path struct {
	peer, local netip.Addr
	device      string
	multiHop    bool
}

// pathOf returns the path of a session. The error says why there can be none.
func pathOf(s *announce.BFDSession) (path, error) {
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

// listenerKey identifies the listener that receives the peer's packets.
func (p path) listenerKey() listenerKey {
	return listenerKey{v6: p.peer.Is6(), multiHop: p.multiHop, device: p.device}
}

// errNameTwice is the error of a session that has the name of another.
var errNameTwice = errors.New("another session has the same name")

// rejection is a desired session that is invalid.
type rejection struct {
	name string
	peer netip.Addr
	err  error
}

// validate separates the desired sessions that are valid, each path once, from those that are not. order is the order in
// which they were given.
func validate(desired []announce.BFDSession) (order []path, wanted map[path]*announce.BFDSession, rejected []rejection) {
	wanted = make(map[path]*announce.BFDSession, len(desired))
	names := make(map[string]struct{}, len(desired))
	for i := range desired {
		s := &desired[i]
		p, err := pathOf(s)
		if _, twice := names[s.Name]; twice && err == nil {
			err = errNameTwice
		}
		if other := wanted[p]; other != nil && err == nil {
			err = fmt.Errorf("session %s monitors the same path", other.Name)
		}
		if err != nil {
			rejected = append(rejected, rejection{s.Name, s.Peer, err})
			continue
		}
		names[s.Name] = struct{}{}
		wanted[p] = s
		order = append(order, p)
	}
	return order, wanted, rejected
}
