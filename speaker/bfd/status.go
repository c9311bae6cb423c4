package bfd

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/daymark-lb/daymark/internal/core/bfdsession"
)

// Status describes a session at one moment.
type Status struct {
	// Name, Peer and Device of the session, as in announce.BFDSession. One that is refused has no Device.
	Name   string
	Peer   netip.Addr
	Device string
	// State of the session, and the state in the last packet of the peer. A session that is down while the peer's state is
	// AdminDown is no failure of the path (RFC 5882 section 4.2).
	State, PeerState bfdsession.State
	// Since is when the session entered its state.
	Since time.Time
	// Diag is our reason for the state; PeerDiag is the peer's for its own.
	Diag, PeerDiag bfdsession.Diag
	// Downs counts the failures of the session, as OnDown is told of them. It never decreases while the session exists, so
	// that no failure is missed between two looks.
	Downs uint64
	// Failed: the session was last up until it failed, not until AdminDown. It stays so when the session is up again.
	Failed bool
	// LastDown says why the session was last up and went down, by a failure or by AdminDown, and LastDownAt when. It is
	// empty when the session was never up.
	LastDown   string
	LastDownAt time.Time
	// Problem says why the session cannot be run, its packets cannot be sent, or those of the peer are not accepted; empty when all is well.
	Problem string
	// TransmitInterval is the interval at which we send, before jitter; 0 when the peer wants no packets. ReceiveInterval
	// is the interval at which the peer sends, and DetectionTime the time without a packet that is a failure; 0 while the
	// peer is not known.
	TransmitInterval, ReceiveInterval, DetectionTime time.Duration
	// Settled: the peer has no session with an earlier process of ours, as far as is known, that could still fail. What the
	// session protects is best not begun before.
	Settled bool
	// Polling: the peer has not yet confirmed a change of intervals.
	Polling bool
}

// Passable reports whether BFD lets a BGP session in strict mode be established: it is up, or the peer says now that it has taken
// BFD down by intention (draft-ietf-idr-bgp-bfd-strict-mode). What a peer once said that is silent now does not count.
func (s *Status) Passable() bool {
	return s.State == bfdsession.Up || s.PeerState == bfdsession.AdminDown && s.DetectionTime > 0
}

// Status of every session that is desired, sorted by name.
func (m *Monitor) Status() []Status {
	m.mu.Lock()
	defer m.mu.Unlock()
	list := make([]Status, 0, len(m.sessions)+len(m.rejected))
	for _, s := range m.sessions {
		list = append(list, s.status())
	}
	for _, r := range m.rejected {
		list = append(list, Status{
			Name: r.name, Peer: r.peer, State: bfdsession.Down, PeerState: bfdsession.Down, Problem: r.err.Error(),
		})
	}
	slices.SortStableFunc(list, func(a, b Status) int { return strings.Compare(a.Name, b.Name) })
	return list
}

func (s *session) status() Status {
	v := s.snapshot
	status := Status{
		Name: s.name, Peer: s.path.peer, Device: s.path.device, State: v.State, PeerState: v.PeerState, Since: s.since,
		Diag: v.Diag, PeerDiag: v.PeerDiag, Downs: s.downs, Failed: s.failed, LastDown: s.lastDown, LastDownAt: s.lastDownAt,
		TransmitInterval: v.TransmitInterval, ReceiveInterval: v.ReceiveInterval, DetectionTime: v.DetectionTime,
		Settled: v.Settled, Polling: v.Polling, Problem: cmp.Or(s.problem, s.sendError),
	}
	if status.Problem == "" && s.authenticated && v.State != bfdsession.Up {
		status.Problem = "packets from the peer are authenticated, and Daymark's BFD has no authentication: turn it off for this session at the peer"
	}
	if status.Problem == "" && s.rejectedTTL != 0 && v.State != bfdsession.Up {
		status.Problem = fmt.Sprintf("packets from the peer come with a TTL of %d, and are not accepted below %d",
			s.rejectedTTL, s.minimumTTL)
	}
	return status
}

// downText says why a session that was up is down, given its present snapshot and the Detection Time that it had.
func downText(event bfdsession.Event, now bfdsession.Snapshot, detection time.Duration) string {
	switch {
	case event == bfdsession.PeerAdminDown:
		return "the peer has taken the session down on purpose (AdminDown)"
	case now.Diag == bfdsession.DiagDetectionTimeExpired:
		return fmt.Sprintf("no packet from the peer for %v", detection)
	default:
		return fmt.Sprintf("the peer says %s: %s", now.PeerState, now.PeerDiag)
	}
}
