package bfd

import (
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net/netip"
	"time"

	"github.com/daymark-lb/daymark/internal/core/announce"
	"github.com/daymark-lb/daymark/internal/core/bfdsession"
)

// session is a session that runs.
type session struct {
	path       path
	name       string
	parameters bfdsession.Parameters
	minimumTTL int
	machine    *bfdsession.Machine
	// snapshot is that of the machine after the last event.
	snapshot bfdsession.Snapshot
	since    time.Time

	// listener and sender are nil while the sockets are closed. linkIndex and deviceIndex are the indexes of the interfaces
	// to which they are bound; 0 for none.
	listener               *listener
	sender                 *sender
	linkIndex, deviceIndex int

	// problem is why the session has no sockets, sendError why its last packet could not be sent; empty when all is well.
	problem, sendError string
	// rejectedTTL is the TTL with which packets of the peer arrive that are not accepted, because it is too small; 0 when
	// there was none since the last packet that was accepted.
	rejectedTTL int
	// authenticated: packets of the peer that are not accepted have an Authentication Section; false again with one that is accepted.
	authenticated bool

	downs      uint64
	failed     bool
	lastDown   string
	lastDownAt time.Time

	// due is when the machine is to be asked again, earliest from when on it has something to do. heapIndex is the index in
	// the Monitor's queue; -1 when the session is not in it.
	earliest, due time.Time
	heapIndex     int
}

func newSession(p path, discriminator uint32, desired *announce.BFDSession, now time.Time) *session {
	s := &session{
		path: p, name: desired.Name, parameters: parametersOf(desired), minimumTTL: minimumTTLOf(desired),
		since: now, heapIndex: -1,
	}
	s.machine = bfdsession.New(discriminator, s.parameters, rand.Float64)
	s.snapshot = s.machine.Snapshot()
	return s
}

// demuxKey finds the session of a packet whose Your Discriminator is 0 (RFC 5881 section 3, RFC 5883 section 4): by the
// source of the packet, and for a session with a local address also by the destination.
type demuxKey struct {
	listenerKey listenerKey
	peer, local netip.Addr // Without zone; local may be invalid.
	linkIndex   int        // Of a link-local peer; else 0.
}

func (s *session) demuxKey() demuxKey {
	return demuxKey{
		listenerKey: s.path.listenerKey(), peer: s.path.peer.WithZone(""), local: s.path.local, linkIndex: s.linkIndex,
	}
}

// openSockets opens the sockets of a session if it has none. When that fails, the status shows the error.
func (m *Monitor) openSockets(ctx context.Context, s *session, links linkIndexes) error {
	if s.sender != nil {
		return nil
	}
	err := m.tryOpenSockets(ctx, s, links)
	problem := ""
	if err != nil {
		problem = err.Error()
		err = fmt.Errorf("session %s: %w", s.name, err)
	}
	if problem != s.problem {
		s.problem = problem
		m.notifyChanges()
		if err != nil {
			m.queueLog(slog.LevelWarn, "BFD session cannot be run", "session", s.name, "peer", s.path.peer, "error", problem)
		}
	}
	return err
}

func (m *Monitor) tryOpenSockets(ctx context.Context, s *session, links linkIndexes) error {
	link, err := links.index(s.path.peer.Zone())
	if err != nil {
		return err
	}
	device, err := links.index(s.path.device)
	if err != nil {
		return err
	}
	l, err := m.listenerFor(ctx, s.path.listenerKey(), device)
	if err != nil {
		return err
	}
	sender, err := newSender(ctx, s.path, link, m.portTaken)
	if err != nil {
		return err
	}
	s.listener, s.sender, s.linkIndex, s.deviceIndex = l, sender, link, device
	m.byAddress[s.demuxKey()] = s
	m.process(s, time.Now(), bfdsession.NoEvent)
	return nil
}

// closeSockets closes the sockets of a session. The session goes on, and fails if they are not opened again in time.
func (m *Monitor) closeSockets(s *session) {
	if s.sender == nil {
		return
	}
	delete(m.byAddress, s.demuxKey())
	s.sender.close()
	s.listener, s.sender = nil, nil
}
