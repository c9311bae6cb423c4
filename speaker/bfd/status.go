package bfd

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/daymark-lb/daymark/internal/core/bfdsession"
)

// Status is what there is to say of a session at one moment.
type Status struct {
	// Name and Peer of the session, as in Session.
	Name string
	Peer netip.Addr
	// State of the session, and what the peer last said of its own. A session that is down and whose peer says AdminDown
	// is no failure of the path (RFC 5882 section 4.2).
	State, PeerState bfdsession.State
	// Since when the session is in its state.
	Since time.Time
	// Diag is our reason for the state, PeerDiag the peer's for its own.
	Diag, PeerDiag bfdsession.Diag
	// Downs counts the failures of the session, as OnDown is told of them. It never goes back while the session lives, so
	// that no failure is missed between two looks.
	Downs uint64
	// LastDown says in words why the session last was up and is up no more, be it a failure or AdminDown, and LastDownAt
	// when; empty: it never was.
	LastDown   string
	LastDownAt time.Time
	// Problem says in words why the session cannot be had or packets cannot be sent; empty: nothing is wrong with us.
	Problem string
	// Transmit is the interval at which we send, before jitter; 0: the peer wants no packets. Receive is the one at which
	// the peer sends, Detection the time without a packet that is a failure; 0 while the peer is not known.
	Transmit, Receive, Detection time.Duration
	// Polling: a change of intervals is not yet confirmed by the peer.
	Polling bool
}

// Status of every session that is desired, in order of name.
func (m *Monitor) Status() []Status {
	m.mu.Lock()
	defer m.mu.Unlock()
	list := make([]Status, 0, len(m.watches)+len(m.refused))
	for _, w := range m.watches {
		list = append(list, w.status())
	}
	for _, r := range m.refused {
		list = append(list, Status{Name: r.name, Peer: r.peer, State: bfdsession.Down, PeerState: bfdsession.Down, Problem: r.err.Error()})
	}
	slices.SortStableFunc(list, func(a, b Status) int { return strings.Compare(a.Name, b.Name) })
	return list
}

func (w *watch) status() Status {
	v := w.shown
	s := Status{
		Name: w.name, Peer: w.path.peer, State: v.State, PeerState: v.PeerState, Since: w.since, Diag: v.Diag, PeerDiag: v.PeerDiag,
		Downs: w.downs, LastDown: w.lastDown, LastDownAt: w.lastDownAt, Problem: w.problem,
		Transmit: v.TransmitInterval, Receive: v.ReceiveInterval, Detection: v.DetectionTime, Polling: v.Polling,
	}
	if s.Problem == "" {
		s.Problem = w.unsent
	}
	if s.Problem == "" && w.farTTL != 0 && v.State != bfdsession.Up {
		s.Problem = fmt.Sprintf("packets from the peer come with a TTL of %d, and are not accepted below %d", w.farTTL, w.minimumTTL)
	}
	return s
}

// downWords say why a session is down that was up, with how it is now and the detection time that it had.
func downWords(event bfdsession.Event, now bfdsession.Snapshot, detection time.Duration) string {
	switch {
	case event == bfdsession.PeerAdminDown:
		return "the peer has taken the session down on purpose (AdminDown)"
	case now.Diag == bfdsession.DiagDetectionTimeExpired:
		return fmt.Sprintf("no packet from the peer for %v", detection)
	default:
		return fmt.Sprintf("the peer says %s: %s", now.PeerState, now.PeerDiag)
	}
}
