package bgp

import (
	"cmp"
	"slices"
	"time"

	"github.com/daymark-lb/daymark/api/v1beta1"
	"github.com/daymark-lb/daymark/internal/core/lb"
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
	// why it is not up; else the first of the Warnings. When nothing is wrong now, it says why the session last went
	// down, or is empty.
	LastError string
	// Warnings say in words what of a session that is up is not as asked for: settings that cannot be had, families that the
	// router does not take, prefixes that are not announced and why. Empty when all is well.
	Warnings []string
	// IPv4 and IPv6 prefixes that the router has been sent; 0 unless the session is established.
	IPv4, IPv6 int
	// Hold and Keepalive times as agreed with the router; 0 unless the session is established, or when the router wants
	// neither timer.
	Hold, Keepalive time.Duration
	// Families that both ends exchange, in order; empty unless the session is established.
	Families []lb.Family
	// Refused counts the prefixes that the router announced to us since the session was configured. None was kept.
	Refused int
}

func (v *view) status() Status {
	v.mu.Lock()
	defer v.mu.Unlock()
	status := Status{
		Name: v.name, Peer: v.peer, Address: v.addr, State: v.state, Since: v.since,
		IPv4: v.four, IPv6: v.six, Hold: v.agreed.hold, Keepalive: v.agreed.keepalive,
		Families: slices.Clone(v.agreed.families), Refused: int(v.refused.Load()),
	}
	flood := ""
	if v.flooded {
		flood = floodWords
	}
	for _, warning := range []string{v.outdated(), v.agreed.lacking(), v.unsaid, flood} {
		if warning != "" {
			status.Warnings = append(status.Warnings, warning)
		}
	}
	status.LastError = cmp.Or(v.problem, v.failure)
	if status.LastError == "" && len(status.Warnings) > 0 {
		status.LastError = status.Warnings[0]
	}
	status.LastError = cmp.Or(status.LastError, v.loss)
	return status
}
