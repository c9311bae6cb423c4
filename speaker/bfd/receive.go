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
	// maxBatch is how many packets are handled at a time under the lock, so that a flood of packets keeps no session from
	// sending in time.
	maxBatch = 32
	// coalesceInterval is the wait between two reads of a socket at which packets arrive in quick succession.
	coalesceInterval = 4 * time.Millisecond
	// maxBacklog is how many packets are handled before a session is declared down: those that thousands of sessions send
	// while we do not run. A flood has more, and must not hold us up longer.
	maxBacklog = 8192
)

// datagram is a received datagram with what the kernel says about it.
type datagram struct {
	payload   []byte
	from, to  netip.Addr // Without zone.
	linkIndex int        // The index of the interface at which it arrived.
	ttl       int        // The TTL or hop limit on arrival; -1 when it is not known.
}

// readLoop handles packets as they arrive, until the listener is closed. To wake up for a packet is most of the work: when
// packets of many sessions arrive in quick succession, it waits a little to handle several at a time.
func (m *Monitor) readLoop(l *listener) {
	var last time.Time
	_ = l.raw.Read(func(uintptr) bool { // It always returns an error: the socket is closed.
		for m.drain(l) > 0 {
			before := last
			if last = time.Now(); last.Sub(before) > 2*coalesceInterval {
				break
			}
			time.Sleep(coalesceInterval)
		}
		return false
	})
}

// drain handles all packets that have arrived, some at a time, and returns how many there were.
func (m *Monitor) drain(l *listener) (received int) {
	for {
		m.mu.Lock()
		some := m.receiveUpTo(l, maxBatch)
		m.mu.Unlock()
		received += some
		if some < maxBatch {
			return received
		}
	}
}

// drainAll handles all packets that have arrived at all listeners. The lock must be held.
func (m *Monitor) drainAll() {
	for _, l := range m.listeners {
		m.receiveUpTo(l, maxBacklog)
	}
}

// receiveUpTo handles up to limit packets, and returns how many there were. If it is less than limit, no more have arrived.
// The lock must be held.
func (m *Monitor) receiveUpTo(l *listener, limit int) (received int) {
	for ; received < limit && !l.closed; received++ {
		d, err := m.receive(l)
		if errors.Is(err, unix.EAGAIN) {
			break
		}
		if err != nil { // For example, the network is down. What still waits is received with the next packet.
			m.metrics.countDropped(dropError)
			break
		}
		m.metrics.received.Inc()
		if why := m.handle(l, &d); why != "" {
			m.metrics.countDropped(why)
		}
	}
	return received
}

// receive takes one datagram. Its payload is valid until the next call.
func (m *Monitor) receive(l *listener) (datagram, error) {
	data, control, from, err := m.receiveBuffer.receive(l.fd)
	if err != nil {
		return datagram{}, err
	}
	d := datagram{payload: data, from: from, ttl: -1}
	d.readControl(control)
	return d, nil
}

// readControl reads the control messages of a datagram: TTL, destination and interface.
func (d *datagram) readControl(b []byte) {
	for len(b) > 0 {
		header, data, rest, err := unix.ParseOneSocketControlMessage(b)
		if err != nil {
			return
		}
		b = rest
		switch {
		case header.Level == unix.SOL_IP && header.Type == unix.IP_TTL && len(data) >= 4,
			header.Level == unix.SOL_IPV6 && header.Type == unix.IPV6_HOPLIMIT && len(data) >= 4:
			d.ttl = int(binary.NativeEndian.Uint32(data))
		case header.Level == unix.SOL_IP && header.Type == unix.IP_PKTINFO && len(data) >= unix.SizeofInet4Pktinfo:
			d.linkIndex = int(binary.NativeEndian.Uint32(data))
			d.to = netip.AddrFrom4([4]byte(data[8:12]))
		case header.Level == unix.SOL_IPV6 && header.Type == unix.IPV6_PKTINFO && len(data) >= unix.SizeofInet6Pktinfo:
			d.to = netip.AddrFrom16([16]byte(data[:16]))
			d.linkIndex = int(binary.NativeEndian.Uint32(data[16:]))
		}
	}
}

// handle gives a packet to its session. It returns why it did not; empty when it did.
func (m *Monitor) handle(l *listener, d *datagram) dropReason {
	p, err := bfdsession.Parse(d.payload)
	if err != nil {
		m.recordAuthentication(l, d, err)
		return dropMalformed
	}
	s := m.demultiplex(l, d, &p)
	switch {
	case s == nil:
		return dropUnknown
	case d.ttl < s.minimumTTL:
		m.recordRejectedTTL(s, d.ttl)
		return dropTTL
	}
	s.rejectedTTL, s.authenticated = 0, false
	now := time.Now()
	if p.YourDiscriminator != 0 && p.YourDiscriminator != s.snapshot.LocalDiscr {
		m.resume(s, now, &p)
		return ""
	}
	m.process(s, now, s.machine.Receive(now, &p))
	return ""
}

// recordRejectedTTL records that packets of the peer arrive with a TTL that is too small (RFC 5881 section 5, RFC 5883
// section 5). The status shows that while the session is not up.
func (m *Monitor) recordRejectedTTL(s *session, ttl int) {
	if s.rejectedTTL == 0 && s.snapshot.State != bfdsession.Up {
		s.rejectedTTL = max(ttl, 1)
		m.notifyChanges()
	}
}

// recordAuthentication records that packets of the peer are authenticated, which ours are not, so that both sides drop what the other
// sends. The status shows that while the session is not up.
func (m *Monitor) recordAuthentication(l *listener, d *datagram, why error) {
	if !errors.Is(why, bfdsession.DiscardAuthentication) {
		return
	}
	if s := m.byAddresses(l, d); s != nil && d.ttl >= s.minimumTTL && !s.authenticated && s.snapshot.State != bfdsession.Up {
		s.authenticated = true
		m.notifyChanges()
	}
}

// demultiplex finds the session of a packet: by Your Discriminator when the peer knows it, whatever the addresses (RFC 5880
// section 6.3), and by the addresses when it is 0. A session that listens gets those of a session of an earlier process.
func (m *Monitor) demultiplex(l *listener, d *datagram, p *bfdsession.Packet) *session {
	if p.YourDiscriminator != 0 {
		s := m.byDiscriminator[p.YourDiscriminator]
		if s == nil {
			if s = m.byAddresses(l, d); s == nil || !s.machine.Listening() {
				return nil
			}
		}
		if s.listener != l {
			return nil
		}
		return s
	}
	return m.byAddresses(l, d)
}

// byAddresses finds a session by the addresses of a packet.
func (m *Monitor) byAddresses(l *listener, d *datagram) *session {
	k := demuxKey{listenerKey: l.key, peer: d.from, local: d.to}
	if d.from.Is6() && d.from.IsLinkLocalUnicast() {
		k.linkIndex = d.linkIndex
	}
	if s := m.byAddress[k]; s != nil {
		return s
	}
	k.local = netip.Addr{}
	return m.byAddress[k]
}
