package bfd

import (
	"encoding/binary"
	"errors"
	"net/netip"
	"time"

	"golang.org/x/sys/unix"

	"github.com/daymark-lb/daymark/internal/core/bfdsession"
)

const (
	// batch is how many packets are taken under the lock at a time, so that whoever sends us floods keeps no session from
	// sending in time.
	batch = 32
	// rest between two looks at a socket at which packets come in quick succession.
	rest = 4 * time.Millisecond
	// backlog is how many packets are looked at before a session is declared down: those that thousands of sessions send
	// while we sleep. Who floods us sends more, and does not hold us up for longer.
	backlog = 8192
)

// message is a datagram with what the kernel knows of it.
type message struct {
	payload  []byte
	from, to netip.Addr // Without zone.
	link     int        // By which it came.
	ttl      int        // Left of it; -1: not known.
}

// read takes packets as they come, until the listener is closed. Those of many sessions come one by one, and to wake up for
// each is most of the work: when they come in quick succession, some are waited for.
func (m *Monitor) read(l *listener) {
	var last time.Time
	_ = l.raw.Read(func(uintptr) bool { // Always an error: that it is closed.
		for m.hearOut(l) > 0 {
			before := last
			if last = time.Now(); last.Sub(before) > 2*rest {
				break
			}
			time.Sleep(rest)
		}
		return false
	})
}

// hearOut takes all packets that there are, some at a time, and tells how many.
func (m *Monitor) hearOut(l *listener) (heard int) {
	for {
		m.mu.Lock()
		some := m.hear(l, batch)
		m.mu.Unlock()
		heard += some
		if some < batch {
			return heard
		}
	}
}

// hearAll takes all packets that have arrived before, with the lock held.
func (m *Monitor) hearAll() {
	for _, l := range m.listeners {
		m.hear(l, backlog)
	}
}

// hear takes up to a number of packets, and tells how many. With fewer, there are no more.
func (m *Monitor) hear(l *listener, limit int) (heard int) {
	for ; heard < limit && !l.closed; heard++ {
		msg, err := m.receive(l)
		if errors.Is(err, unix.EAGAIN) {
			break
		}
		if err != nil { // Such as that the network is down. What may still wait is taken with the next packet that comes.
			m.metrics.drop(dropError)
			break
		}
		m.metrics.received.Inc()
		if why := m.deliver(l, &msg); why != "" {
			m.metrics.drop(why)
		}
	}
	return heard
}

// receive takes one datagram. Its payload is good until the next.
func (m *Monitor) receive(l *listener) (message, error) {
	data, control, from, err := m.inbox.receive(l.fd)
	if err != nil {
		return message{}, err
	}
	msg := message{payload: data, from: from, ttl: -1}
	msg.readControl(control)
	return msg, nil
}

// readControl reads what the kernel says beside the datagram.
func (msg *message) readControl(b []byte) {
	for len(b) > 0 {
		header, data, rest, err := unix.ParseOneSocketControlMessage(b)
		if err != nil {
			return
		}
		b = rest
		switch {
		case header.Level == unix.SOL_IP && header.Type == unix.IP_TTL && len(data) >= 4,
			header.Level == unix.SOL_IPV6 && header.Type == unix.IPV6_HOPLIMIT && len(data) >= 4:
			msg.ttl = int(binary.NativeEndian.Uint32(data))
		case header.Level == unix.SOL_IP && header.Type == unix.IP_PKTINFO && len(data) >= unix.SizeofInet4Pktinfo:
			msg.link = int(binary.NativeEndian.Uint32(data))
			msg.to = netip.AddrFrom4([4]byte(data[8:12]))
		case header.Level == unix.SOL_IPV6 && header.Type == unix.IPV6_PKTINFO && len(data) >= unix.SizeofInet6Pktinfo:
			msg.to = netip.AddrFrom16([16]byte(data[:16]))
			msg.link = int(binary.NativeEndian.Uint32(data[16:]))
		}
	}
}

// deliver gives a packet to its session, or says why not.
func (m *Monitor) deliver(l *listener, msg *message) dropReason {
	p, err := bfdsession.Parse(msg.payload)
	if err != nil {
		return dropMalformed
	}
	w := m.find(l, msg, &p)
	switch {
	case w == nil:
		return dropUnknown
	case msg.ttl < w.minimumTTL:
		m.tooFar(w, msg.ttl)
		return dropTTL
	}
	w.farTTL = 0
	now := time.Now()
	m.follow(w, now, w.machine.Receive(now, &p))
	return ""
}

// tooFar notes that the peer is heard by packets that must not be accepted (RFC 5881 section 5, RFC 5883 section 5), which
// is worth a word while the session is not up.
func (m *Monitor) tooFar(w *watch, ttl int) {
	if w.farTTL == 0 && w.shown.State != bfdsession.Up {
		w.farTTL = max(ttl, 1)
		m.wake()
	}
}

// find finds the session of a packet: by our discriminator when the peer knows it, whatever the address then (RFC 5880
// section 6.3), and by the address when it does not.
func (m *Monitor) find(l *listener, msg *message, p *bfdsession.Packet) *watch {
	if p.YourDiscriminator != 0 {
		if w := m.byDiscriminator[p.YourDiscriminator]; w != nil && w.listener == l {
			return w
		}
		return nil
	}
	a := address{ear: l.ear, peer: msg.from, local: msg.to}
	if msg.from.Is6() && msg.from.IsLinkLocalUnicast() {
		a.link = msg.link
	}
	if w := m.byAddress[a]; w != nil {
		return w
	}
	a.local = netip.Addr{}
	return m.byAddress[a]
}
