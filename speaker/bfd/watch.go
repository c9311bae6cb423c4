package bfd

import (
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net/netip"
	"time"

	"github.com/daymark-lb/daymark/internal/core/bfdsession"
)

// watch is a session that runs.
type watch struct {
	path       path
	name       string
	parameters bfdsession.Parameters
	minimumTTL int
	machine    *bfdsession.Machine
	// shown is the machine as it was when it was last looked at.
	shown bfdsession.Snapshot
	since time.Time

	// listener and sender; nil: not open. link and device are the indexes of the interfaces they stand on; 0: none.
	listener     *listener
	sender       *sender
	link, device int

	// problem is why the session cannot be had, unsent why its last packet could not be sent; empty: nothing is wrong.
	problem, unsent string
	// farTTL is what was left of the TTL of packets that came from too far, since the last that did not; 0: none came.
	farTTL int

	downs      uint64
	lastDown   string
	lastDownAt time.Time

	// due is when the machine is to be asked again, from when it has something to do; at is the place in the queue; -1: never.
	from, due time.Time
	at        int
}

func newWatch(p path, discriminator uint32, s *Session, now time.Time) *watch {
	w := &watch{
		path: p, name: s.Name, parameters: parametersOf(s), minimumTTL: minimumTTLOf(s), since: now, at: -1,
	}
	w.machine = bfdsession.New(discriminator, w.parameters, rand.Float64)
	w.shown = w.machine.Snapshot()
	return w
}

// address finds a session by a packet that does not name it (RFC 5881 section 3, RFC 5883 section 4): where it came from,
// and for a session with an address of its own, where it went to.
type address struct {
	ear         ear
	peer, local netip.Addr // Without zone; local may be invalid.
	link        int        // Of a link-local peer.
}

func (w *watch) address() address {
	return address{ear: w.path.ear(), peer: w.path.peer.WithZone(""), local: w.path.local, link: w.link}
}

// open opens what the session needs and has not, and says in the status why that cannot be had.
func (m *Monitor) open(ctx context.Context, w *watch, links linkIndexes) error {
	if w.sender != nil {
		return nil
	}
	err := m.tryOpen(ctx, w, links)
	problem := ""
	if err != nil {
		problem = err.Error()
		err = fmt.Errorf("session %s: %w", w.name, err)
	}
	if problem != w.problem {
		w.problem = problem
		m.wake()
		if err != nil {
			m.say(slog.LevelWarn, "BFD session cannot be had", "session", w.name, "peer", w.path.peer, "error", problem)
		}
	}
	return err
}

func (m *Monitor) tryOpen(ctx context.Context, w *watch, links linkIndexes) error {
	link, err := links.index(w.path.peer.Zone())
	if err != nil {
		return err
	}
	device, err := links.index(w.path.device)
	if err != nil {
		return err
	}
	l, err := m.listen(ctx, w.path.ear(), device)
	if err != nil {
		return err
	}
	s, err := dial(ctx, w.path, link, m.portTaken)
	if err != nil {
		return err
	}
	w.listener, w.sender, w.link, w.device = l, s, link, device
	m.byAddress[w.address()] = w
	m.follow(w, time.Now(), bfdsession.NoEvent)
	return nil
}

// shut closes what the session stands on. The session itself goes on, and fails if it is not opened again in time.
func (m *Monitor) shut(w *watch) {
	if w.sender == nil {
		return
	}
	delete(m.byAddress, w.address())
	w.sender.close()
	w.listener, w.sender = nil, nil
}

// leave begins to say farewell to a peer.
func (m *Monitor) leave(w *watch) {
	delete(m.watches, w.path)
	delete(m.byAddress, w.address())
	delete(m.byDiscriminator, w.shown.LocalDiscr)
	m.leaving[w] = struct{}{}
	w.machine.AdminDown()
	m.follow(w, time.Now(), bfdsession.NoEvent)
	m.say(slog.LevelInfo, "BFD session has ended", "session", w.name, "peer", w.path.peer)
}

// hush ends the farewells of a session that is about to have a successor. The peer would take them for the successor's word,
// as its own end of both is the same.
func (m *Monitor) hush(successor path) {
	for w := range m.leaving {
		old := w.path
		if !old.local.IsValid() || !successor.local.IsValid() {
			old.local = successor.local
		}
		if old == successor {
			m.retire(w)
		}
	}
}

// retire ends a session that has said farewell.
func (m *Monitor) retire(w *watch) {
	delete(m.leaving, w)
	m.queue.drop(w)
	if w.sender != nil {
		w.sender.close()
		w.sender = nil
	}
	m.wake()
}

// follow does what the machine wants done now, after something has happened to it, and notes what that was.
func (m *Monitor) follow(w *watch, now time.Time, event bfdsession.Event) {
	for p, ok := w.machine.Due(now); ok; p, ok = w.machine.Due(now) {
		m.send(w, &p)
	}
	if w.machine.Finished() {
		m.retire(w)
		return
	}
	m.note(w, now, event)
	m.schedule(w)
}

// send sends a packet. One that cannot be sent is lost, and the status says why.
func (m *Monitor) send(w *watch, p *bfdsession.Packet) {
	err := errShut
	if w.sender != nil {
		err = w.sender.send(p)
	}
	unsent := ""
	if err == nil {
		m.metrics.sent.Inc()
	} else {
		m.metrics.unsent.Inc()
		unsent = fmt.Sprintf("cannot send: %v", err)
	}
	if unsent != w.unsent {
		w.unsent = unsent
		m.wake()
	}
}

// note keeps what has happened to a session for those who want to know.
func (m *Monitor) note(w *watch, now time.Time, event bfdsession.Event) {
	before := w.shown
	w.shown = w.machine.Snapshot()
	if event == bfdsession.Failed || event == bfdsession.PeerAdminDown {
		m.noteDown(w, now, event, before.DetectionTime)
	}
	if w.shown.State != before.State {
		w.since = now
	}
	if w.shown.State != before.State || w.shown.PeerState != before.PeerState {
		m.wake()
	}
	if event == bfdsession.CameUp {
		m.say(slog.LevelInfo, "BFD session is up", "session", w.name, "peer", w.path.peer)
	}
}

// noteDown keeps that a session that was up is not any more.
func (m *Monitor) noteDown(w *watch, now time.Time, event bfdsession.Event, detection time.Duration) {
	w.lastDown, w.lastDownAt = downWords(event, w.shown, detection), now
	if event == bfdsession.Failed {
		w.downs++
		m.fell(w.name, w.lastDown)
	}
	m.say(slog.LevelInfo, "BFD session is down", "session", w.name, "peer", w.path.peer, "why", w.lastDown)
}
