package bgp

import (
	"cmp"
	"slices"
	"time"

	"github.com/daymark-lb/daymark/api/v1beta1"
	"github.com/daymark-lb/daymark/internal/core/adjribout"
	"github.com/daymark-lb/daymark/internal/core/lb"
)

// Status describes a session at one moment.
type Status struct {
	// Name of the session, as in announce.Session. Peer is the name of its BGPPeer.
	Name string
	Peer string
	// Address of the router; a link-local one has its zone. Empty while it is not known.
	Address string
	State   v1beta1.BGPSessionState
	// Since is when the session entered its state.
	Since time.Time
	// LastError says what is wrong with the session: the Problem of the plan, why it cannot be run as desired, or why it is
	// not established; else the first of Warnings. When nothing is wrong now, it says why the session last went down; empty
	// when it never did.
	LastError string
	// BFDEnded is when BFD last ended the session that had been established for longer than announce.BFDRestart; the zero time: never.
	BFDEnded time.Time
	// Down: it is not established because adminState is Down.
	Down bool
	// NextTry is when the session connects again. It is zero while the session connects again soon, as it does unless the
	// router does not want it, and when the session is established.
	NextTry time.Time
	// Rejected: the router did not want the session when it was last tried. Nothing changes before somebody does something.
	Rejected bool
	// Warnings say what is not as desired although the session is established: settings that cannot be applied, families
	// that the router does not exchange, prefixes that are not announced and why. Empty when all is well.
	Warnings []string
	// IPv4 and IPv6 are the numbers of prefixes that the router has been sent; 0 unless the session is established.
	IPv4, IPv6 int
	// Digest of these prefixes, and the next hops of those of each family.
	Digest   adjribout.Digest
	NextHops adjribout.NextHops
	// Behind: the session is established, and the router has not been sent all that was last desired.
	Behind bool
	// HoldTime and KeepaliveTime are those negotiated with the router; 0 when the router wants neither timer, and unless
	// the session is established.
	HoldTime, KeepaliveTime time.Duration
	// Families that both ends exchange, sorted; empty unless the session is established.
	Families []lb.Family
	// HeldBack are those of Families whose prefixes are not announced, because this node has no next hop for them that the router is
	// known to reach, because of holdDown, or because strict mode waits for BFD.
	HeldBack []lb.Family
	// PrefixesReceived counts the prefixes that the router has announced to us since the session was configured. None was
	// kept.
	PrefixesReceived int
}

// warnings are the texts about an established session, some of them empty. The lock must be held.
func (r *statusRecorder) warnings(flood string) []string {
	list := append(append([]string{r.outdatedText()}, r.negotiated.warnings...), r.notAnnounced, flood)
	if r.told != nil {
		list = append(list, r.told.Warnings...)
	}
	return list
}

func (r *statusRecorder) status() Status {
	r.mu.Lock()
	defer r.mu.Unlock()
	status := Status{
		Name: r.name, Peer: r.peer, Address: r.addr, State: r.state, Since: r.since, NextTry: r.nextTry, Rejected: r.rejected, BFDEnded: r.bfdEnded,
		IPv4: r.ipv4, IPv6: r.ipv6, Behind: r.state == v1beta1.BGPEstablished && r.told != r.wanted,
		HoldTime: r.negotiated.holdTime, KeepaliveTime: r.negotiated.keepaliveTime,
		Families: slices.Clone(r.negotiated.families), HeldBack: r.heldBack, PrefixesReceived: int(r.prefixesReceived.Load()),
	}
	if status.Down = r.down() && r.state != v1beta1.BGPEstablished; status.Down {
		status.NextTry, status.Rejected = time.Time{}, false
	}
	if r.told != nil {
		status.Digest, status.NextHops = r.digest, r.nextHops
		if r.told.HeldDown {
			status.HeldBack = status.Families
		}
	}
	flood := ""
	if r.flooded {
		flood = floodWarning
	}
	for _, warning := range r.warnings(flood) {
		if warning != "" {
			status.Warnings = append(status.Warnings, warning)
		}
	}
	status.LastError = cmp.Or(r.problem, r.failure)
	if status.LastError == "" && len(status.Warnings) > 0 {
		status.LastError = status.Warnings[0]
	}
	status.LastError = cmp.Or(status.LastError, r.lastDown)
	return status
}
