package unnumbered

import (
	"net/netip"
	"time"
)

const (
	// silence is how long a router must not have been heard before another one takes its place: three times the ten
	// seconds at which FRR and its kin advertise for BGP unnumbered.
	silence = 30 * time.Second
	// patience is how long a router may be silent before it is asked whether it is there. RFC 4861 lets routers
	// advertise every 30 minutes; asked, they answer within seconds. So it does not matter how often one speaks by itself.
	patience = 15 * time.Second
)

// neighbor is the rule which router is at the other end of a link: the first that is heard. It stays until it has been
// silent for 30 s while another one is heard. Silence alone does not end it: whether the router still serves is for BGP
// and BFD to tell, and a session that works must not fall because advertisements are lost. It is a value without a
// clock; the zero neighbor is unknown.
type neighbor struct {
	addr  netip.Addr
	heard time.Time
}

// hear notes an advertisement of a router, and reports whether the neighbor is another one now.
func (n *neighbor) hear(from netip.Addr, now time.Time) bool {
	changed := from != n.addr
	if changed && now.Sub(n.heard) < silence { // The unknown has not been heard since the beginning of time.
		return false
	}
	n.addr, n.heard = from, now
	return changed
}

func (n *neighbor) known() bool { return n.addr.IsValid() }

// askFrom is when to begin to ask for a router: from the beginning of time on when none is known.
func (n *neighbor) askFrom() time.Time {
	if !n.known() {
		return time.Time{}
	}
	return n.heard.Add(patience)
}
