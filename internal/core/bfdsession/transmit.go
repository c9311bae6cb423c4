package bfdsession

import "time"

// leeway is the part of an interval, one in so many, within which it does not matter when a packet is sent.
const leeway = 32

// Due gives a packet that is to be sent now (RFC 5880 section 6.8.7), as if it were sent, or reports that there is none.
func (m *Machine) Due(now time.Time) (Packet, bool) {
	if m.final {
		// An answer to a poll does not wait for its turn, and takes no turn of a periodic packet.
		m.final, m.changed = false, false
		p := m.packet()
		p.Final = true
		return p, true
	}
	from, _, ok := m.turn()
	if !ok || now.Before(from) {
		return Packet{}, false
	}
	if m.state == AdminDown {
		m.farewells--
	}
	m.changed, m.sentAt = false, now
	m.scatter()
	if m.poll && m.polledAt.IsZero() {
		m.polledAt = now
	}
	p := m.packet()
	p.Poll = m.poll
	return p, true
}

// Next is when the machine is to be asked again: at the latest by a time, and from another on it has something to do, so
// that those who drive many machines can ask several at a time. Both may be past: at once. Without ok, that is never,
// unless there is a packet or a change.
func (m *Machine) Next() (from, by time.Time, ok bool) {
	if m.final {
		return m.sentAt, m.sentAt, true
	}
	from, by, ok = m.turn()
	if expiry, runs := m.expiry(); runs && (!ok || expiry.Before(by)) {
		return expiry, expiry, true
	}
	return from, by, ok
}

// turn is between when the next packet is to be sent that is no answer, if any.
func (m *Machine) turn() (from, by time.Time, ok bool) {
	switch {
	case m.state == AdminDown && m.farewells == 0:
	case m.want.Passive && m.heard.Mine == 0:
	case m.changed:
		return m.sentAt, m.sentAt, true // What has changed is told at once.
	case m.heard.RequiredMinRx == 0:
	case m.heard.Demand && m.state == Up && m.heard.State == Up && !m.poll:
	default:
		// Computed anew each time, so that a change of any interval counts at once.
		interval := m.interval()
		by = m.sentAt.Add(time.Duration(float64(interval) * m.fraction))
		return by.Add(-interval / leeway), by, true
	}
	return time.Time{}, time.Time{}, false
}

// interval of sending, before jitter.
func (m *Machine) interval() time.Duration {
	if m.state == AdminDown {
		return m.pace
	}
	return max(m.used.tx, m.heard.RequiredMinRx)
}

// scatter draws the jitter of the next packet: it comes up to a quarter early, leeway included, and, when a single packet
// that is late would be a failure, never less than a tenth. That is kept at a distance: on a busy node we may come late.
func (m *Machine) scatter() {
	least, most := 0.75+1.0/leeway, 0.95
	if m.want.Multiplier == 1 {
		most = 0.88
	}
	m.fraction = least + (most-least)*m.random()
}

// packet says how things are with us.
func (m *Machine) packet() Packet {
	return Packet{
		Diag: m.diag, State: m.state, Multiplier: m.want.Multiplier, Mine: m.mine, Yours: m.heard.Mine,
		DesiredMinTx: m.said.tx, RequiredMinRx: m.said.rx,
	}
}

// View is what there is to see of a session.
type View struct {
	State, PeerState State
	Diag, PeerDiag   Diag
	// Mine is our discriminator, Peer that of the peer, 0 while it is not known.
	Mine, Peer uint32
	// Transmit is the interval at which we send, before jitter; 0: the peer wants no packets.
	Transmit time.Duration
	// Receive is the longest interval at which the peer sends, and Detection the time without a packet after which it is
	// given up; 0 while the peer is not known.
	Receive, Detection time.Duration
	// Polling: a change of intervals is not yet confirmed by the peer.
	Polling bool
}

// View shows the session as it is.
func (m *Machine) View() View {
	v := View{
		State: m.state, PeerState: m.heard.State, Diag: m.diag, PeerDiag: m.heard.Diag, Mine: m.mine, Peer: m.heard.Mine,
		Polling: m.poll,
	}
	if m.heard.RequiredMinRx != 0 {
		v.Transmit = m.interval()
	}
	if m.heard.Mine != 0 {
		v.Receive, v.Detection = m.arrival(), m.detection()
	}
	return v
}
