package gossip

import (
	"context"
	"net"
	"net/netip"
	"slices"
	"time"

	"github.com/hashicorp/memberlist"

	"github.com/daymark-lb/daymark/internal/core/detector"
)

// A firewall that lets datagrams through and no TCP is noticed by nobody else: memberlist probes by datagram, and passes over an exchange
// that fails. So every attempt to connect is noted, whoever makes it.

const (
	// unconnectedTimeout is how long attempts to connect to a speaker that is alive must have failed before that is worth saying. One that
	// restarts refuses a few.
	unconnectedTimeout = 2 * time.Second
	// reconnectInterval is the time between attempts of ours to connect to those where the last one failed.
	reconnectInterval = time.Second
	// datagramBurst is how many datagrams are sent at once, datagramPause the time to the next ones.
	datagramBurst = 32
	datagramPause = 5 * time.Millisecond
)

// peerConnection is how attempts to connect to a speaker go.
type peerConnection struct {
	// failingSince is the first of the attempts that have all failed; zero: the last one has not. failure says how the last one failed.
	failingSince time.Time
	failure      string
	// failureSeen is when one last failed so.
	failureSeen time.Time
	// run is the incarnation of the speaker that they were to.
	run uint64
	// unconnected: that is long.
	unconnected bool
	// tried is when an attempt last failed.
	tried time.Time
}

// unconnectedPeer is a speaker that connections do not get through to.
type unconnectedPeer struct {
	node    string
	at      string
	failure string
}

// dialer is a transport that notes how attempts to connect go.
type dialer struct {
	memberlist.NodeAwareTransport
	membership *Membership
}

// DialTimeout opens a connection.
func (d *dialer) DialTimeout(addr string, timeout time.Duration) (net.Conn, error) {
	return d.DialAddressTimeout(memberlist.Address{Addr: addr}, timeout)
}

// DialAddressTimeout opens a connection.
func (d *dialer) DialAddressTimeout(to memberlist.Address, timeout time.Duration) (net.Conn, error) {
	conn, err := d.NodeAwareTransport.DialAddressTimeout(to, timeout)
	if m := d.membership; m.peers.dialed(time.Now(), to.Addr, err) {
		notify(m.changes)
	}
	return conn, err //nolint:wrapcheck // memberlist does, and failureOf looks into it.
}

// dialed notes how an attempt to connect to an address went, and reports whether what is said of it has changed.
func (s *peerStore) dialed(now time.Time, addr string, err error) (changed bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err == nil {
		s.connected = now
		changed = s.cached != nil && s.cached.cannotConnect
	}
	for node, r := range s.records {
		if to, known := s.address(node); !known || to.Addr != addr {
			continue
		}
		status, _ := s.detector.Peer(node)
		if err != nil && !status.Alive {
			continue // That is no news.
		}
		r.forgetOtherRuns(status)
		r.run = status.Incarnation
		changed = r.dialed(now, err) || changed
	}
	if changed {
		s.cached = nil
	}
	return changed
}

// forgetOtherRuns forgets how attempts went to a speaker that has died since, or was started anew: one that fails as it crashes says nothing
// of the next run.
func (p *peerConnection) forgetOtherRuns(now detector.Status) {
	if !p.failingSince.IsZero() && (!now.Alive || now.Incarnation != p.run) {
		*p = peerConnection{}
	}
}

func (p *peerConnection) dialed(now time.Time, err error) (changed bool) {
	before := *p
	if err == nil {
		*p = peerConnection{}
		return before.unconnected
	}
	text := describe(err)
	if refused(err) {
		text = "the connection is refused" // Though a speaker is there.
	}
	p.tried = now
	p.failure, p.failureSeen = steady(text, now, before.failure, before.failureSeen)
	if p.failingSince.IsZero() {
		p.failingSince = now
	}
	p.unconnected = now.Sub(p.failingSince) >= unconnectedTimeout
	return p.unconnected != before.unconnected || p.unconnected && p.failure != before.failure
}

// noteUnconnected fills in to whom connections do not get through, and whether that is so because of this node. The caller holds mu.
func (s *peerStore) noteUnconnected(now *snapshot) {
	lately := false
	for _, node := range now.alive {
		if r := s.records[node]; r != nil && r.unconnected {
			to, _ := s.address(node)
			now.unconnected = append(now.unconnected, unconnectedPeer{node, to.Addr, r.failure})
			lately = lately || !s.connected.Before(r.failingSince)
		}
	}
	now.cannotConnect = len(now.unconnected) > 1 && !lately
}

// nextToConnect returns where the speaker is that is alive, and to which an attempt to connect failed longest ago; false: there is none.
func (s *peerStore) nextToConnect() (node string, at netip.AddrPort, any bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var oldest time.Time
	for name, r := range s.records {
		status, known := s.detector.Peer(name)
		if !known || !status.Alive || r.failingSince.IsZero() || any && !r.tried.Before(oldest) {
			continue
		}
		to, _ := s.address(name)
		if parsed, err := netip.ParseAddrPort(to.Addr); err == nil {
			node, at, oldest, any = name, parsed, r.tried, true
		}
	}
	return node, at, any
}

// reconnect tries anew those that are alive and to which no connection could be made, until ctx ends: one a second, and all of them as soon as
// an attempt succeeds.
func (m *Membership) reconnect(ctx context.Context) {
	ticker := time.NewTicker(reconnectInterval)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		for ctx.Err() == nil {
			node, at, any := m.peers.nextToConnect()
			if !any || !m.join(node, at) {
				break
			}
		}
	}
}

// byDatagramOnly reports whether a speaker is alive and connections do not seem to get through: the last attempt failed, or memberlist has not taken it back yet.
func (s *peerStore) byDatagramOnly(node string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	status, _ := s.detector.Peer(node)
	return status.Alive && (!status.Listed || !s.record(node).failingSince.IsZero())
}

// tellAll sends a speaker by datagrams what an exchange would bring: all claims, and the states of those that are silent. A little at a time, so
// that it all fits in the buffer of the socket there.
func (m *Membership) tellAll(ctx context.Context, to memberlist.Address) {
	sent := 0
	send := func(k kind, content body) {
		m.post(k, content, to)
		if sent++; sent%datagramBurst == 0 {
			select {
			case <-ctx.Done():
			case <-time.After(datagramPause):
			}
		}
	}
	for _, state := range m.peers.statesOfSilent() {
		if !m.isLarge(state) {
			send(kindExchange, exchange{states: []stateRecord{state}})
		}
	}
	for _, message := range m.claimMessages(m.claims.all(), 0) {
		if ctx.Err() != nil {
			return
		}
		send(kindClaims, message)
	}
}

// statesOfSilent returns the states of those that are silent and should be there.
func (s *peerStore) statesOfSilent() []stateRecord {
	return slices.DeleteFunc(s.states(), func(state stateRecord) bool {
		s.mu.Lock()
		defer s.mu.Unlock()
		status, known := s.detector.Peer(state.node)
		return !known || status.Alive
	})
}
