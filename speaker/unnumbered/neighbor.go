package unnumbered

import (
	"net/netip"
	"time"
)

const (
	// routerTimeout is how long a router must have been silent before another one may replace it: three times the ten
	// seconds between the advertisements of FRR and its relatives for BGP unnumbered.
	routerTimeout = 30 * time.Second
	// resolicitTimeout is how long a router may be silent before it is solicited. RFC 4861 lets routers advertise only
	// every 30 minutes, but they answer a solicitation within seconds. So it does not matter how often a router
	// advertises unsolicited.
	resolicitTimeout = 15 * time.Second
)

// neighbor decides which router is at the other end of a link: the first one that advertises itself. Another one
// replaces it only if the first has been silent for routerTimeout. Silence alone does not remove it: BGP and BFD detect
// whether the router still works, and a session that works must not fall because advertisements are lost. neighbor is a
// pure value; the zero neighbor is unknown.
type neighbor struct {
	addr      netip.Addr
	lastHeard time.Time
}

// observe records an advertisement of a router, and reports whether the neighbor is another one now.
func (n *neighbor) observe(from netip.Addr, now time.Time) bool {
	changed := from != n.addr
	if changed && now.Sub(n.lastHeard) < routerTimeout { // For an unknown neighbor, lastHeard is the zero time.
		return false
	}
	n.addr, n.lastHeard = from, now
	return changed
}

func (n *neighbor) known() bool { return n.addr.IsValid() }

// solicitFrom returns when solicitations begin; the zero time if the neighbor is unknown.
func (n *neighbor) solicitFrom() time.Time {
	if !n.known() {
		return time.Time{}
	}
	return n.lastHeard.Add(resolicitTimeout)
}
