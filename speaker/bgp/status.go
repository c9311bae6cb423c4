package bgp

import (
	"cmp"
	"slices"
	"time"

	"github.com/daymark-lb/daymark/api/v1beta1"
	"github.com/daymark-lb/daymark/internal/lb"
)

// Status is what there is to say of a session at one moment.
type Status struct {
	// Name of the session, as in announce.Session; Peer is the BGPPeer it stands for.
	Name string
	Peer string
	// Address of the router, with its zone when it is link-local. Empty while it is not known.
	Address string
	State   v1beta1.BGPSessionState
	// Since when it is in this state.
	Since time.Time
	// LastError says in words what is wrong with the session: the Problem of the plan, why it cannot be had as asked, or
	// why it is not up. When nothing is wrong now, it says why the session last went down, or is empty.
	LastError string
	// IPv4 and IPv6 prefixes that the router has been sent; 0 unless the session is established.
	IPv4, IPv6 int
}

func (v *view) status() Status {
	v.mu.Lock()
	defer v.mu.Unlock()
	status := Status{
		Name: v.name, Peer: v.peer, Address: v.addr, State: v.state, Since: v.since,
		LastError: cmp.Or(v.problem, v.failure, v.homeless, v.unheeded, v.loss),
	}
	if v.state == v1beta1.BGPEstablished {
		status.IPv4, status.IPv6 = v.taken(lb.IPv4), v.taken(lb.IPv6)
	}
	return status
}

// taken counts the prefixes of a family that the router takes. It is called with the lock held.
func (v *view) taken(family lb.Family) int {
	if !slices.Contains(v.offered, wireFamily(family)) {
		return 0
	}
	return v.prefixes[family]
}

func (v *view) established() bool {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.state == v1beta1.BGPEstablished
}
