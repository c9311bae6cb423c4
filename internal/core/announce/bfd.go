package announce

import (
	"net/netip"

	"github.com/daymark-lb/daymark/internal/core/lb"
)

// BFDSession is a BFD session that is wanted.
type BFDSession struct {
	// Name of the session, for status, metrics and the log. No two sessions have the same name. A session that gets
	// another name goes on as it is.
	Name string
	// Peer is the address of the other system; a link-local address carries its zone.
	Peer netip.Addr
	// Local is the address to send from; invalid: the one that the routing table gives.
	Local netip.Addr
	// Device is the VRF to send and receive in; empty: none.
	Device string
	// MultiHop: the peer is more than one hop away (RFC 5883).
	MultiHop bool
	// Profile holds the parameters. Zero values are those of an empty BFDProfile; the executor brings others within its
	// limits: intervals from 10 ms to 1 min, multiplier from 1 to 255. MinimumTTL is for MultiHop only: some routers
	// (BIRD) send with a TTL of 64, and their packets are dropped unless MinimumTTL is lower.
	Profile lb.BFDProfile
}
