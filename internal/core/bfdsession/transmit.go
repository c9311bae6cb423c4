package bfdsession

import "time"

// windowDivisor determines the length of periodicWindow: this part of the interval.
const windowDivisor = 32

// Due returns a packet that is to be sent now, and records it as sent (RFC 5880 section 6.8.7); false when there is none.
func (m *Machine) Due(now time.Time) (Packet, bool) {
	if m.Listening() && !now.Before(m.listenUntil) {
		m.listenUntil = time.Time{}
	}
	if m.finalPending {
		// An answer to a poll is sent at once, and does not replace a periodic packet.
		m.finalPending, m.contentChanged = false, false
		p := m.nextPacket()
		p.Final = true
		return p, true
	}
	from, _, ok := m.periodicWindow()
	if !ok || now.Before(from) {
		return Packet{}, false
	}
	if m.state == AdminDown {
		m.adminDownPackets--
	}
	m.contentChanged, m.lastPeriodicAt = false, now
	m.drawJitter()
	if m.polling && m.firstPollAt.IsZero() {
		m.firstPollAt = now
	}
	p := m.nextPacket()
	p.Poll = m.polling
	return p, true
}

// NextDue returns when to ask the machine again: at the latest at by; from the time from on it has something to do, so that
// a caller with many machines can ask several at a time. Both may be in the past: then ask at once. Without ok, there is
// nothing to do until a packet is received or the parameters change.
func (m *Machine) NextDue() (from, by time.Time, ok bool) {
	if m.finalPending {
		return m.lastPeriodicAt, m.lastPeriodicAt, true
	}
	from, by, ok = m.periodicWindow()
	if expiry, runs := m.detectionDeadline(); runs && (!ok || expiry.Before(by)) {
		return expiry, expiry, true
	}
	return from, by, ok
}

// periodicWindow is the time in which the next packet is to be sent that is not an answer; false when there is none.
func (m *Machine) periodicWindow() (from, by time.Time, ok bool) {
	switch {
	case m.Listening():
		return m.listenUntil, m.listenUntil, true
	case m.state == AdminDown && m.adminDownPackets == 0:
	case m.parameters.Passive && m.lastReceived.MyDiscriminator == 0:
	case m.contentChanged:
		return m.lastPeriodicAt, m.lastPeriodicAt, true // A change is sent at once.
	case m.lastReceived.RequiredMinRx == 0:
	case m.lastReceived.Demand && m.state == Up && m.lastReceived.State == Up && !m.polling:
	default:
		// Computed each time, so that a change of any interval is effective at once.
		interval := m.transmitInterval()
		by = m.lastPeriodicAt.Add(time.Duration(float64(interval) * m.jitterFraction))
		return by.Add(-interval / windowDivisor), by, true
	}
	return time.Time{}, time.Time{}, false
}

// transmitInterval is the interval of sending, before jitter.
func (m *Machine) transmitInterval() time.Duration {
	if m.state == AdminDown {
		return m.adminDownInterval
	}
	return max(m.inUse.tx, m.lastReceived.RequiredMinRx)
}

// drawJitter draws the jitter of the next packet. It is sent up to a quarter of the interval early, the window included.
// With DetectMult 1, when one late packet would be a failure, it is at least a tenth early (RFC 5880 section 6.8.7). The
// limits here are a little stricter, because we may come late on a busy node.
func (m *Machine) drawJitter() {
	least, most := 0.75+1.0/windowDivisor, 0.95
	if m.parameters.DetectMult == 1 {
		most = 0.88
	}
	m.jitterFraction = least + (most-least)*m.random()
}

// nextPacket is a packet with our present state.
func (m *Machine) nextPacket() Packet {
	return Packet{
		Diag: m.diag, State: m.state, DetectMult: m.parameters.DetectMult,
		MyDiscriminator: m.localDiscr, YourDiscriminator: m.lastReceived.MyDiscriminator,
		DesiredMinTx: m.advertised.tx, RequiredMinRx: m.advertised.rx,
	}
}

// Snapshot describes a session at one moment.
type Snapshot struct {
	State, PeerState State
	Diag, PeerDiag   Diag
	// LocalDiscr is our discriminator. RemoteDiscr is the peer's; 0 while it is not known.
	LocalDiscr, RemoteDiscr uint32
	// TransmitInterval is the interval at which we send, before jitter; 0: the peer accepts no packets.
	TransmitInterval time.Duration
	// ReceiveInterval is the longest interval at which the peer sends. DetectionTime is the time without a packet after
	// which the session is down. Both are 0 while the peer is not known.
	ReceiveInterval, DetectionTime time.Duration
	// Settled: the peer is not known to have a session with an earlier process of ours that may end by what we send. See Listen.
	Settled bool
	// Polling: the peer has not yet confirmed a change of intervals.
	Polling bool
}

// Snapshot returns the present state of the session.
func (m *Machine) Snapshot() Snapshot {
	v := Snapshot{
		State: m.state, PeerState: m.lastReceived.State, Diag: m.diag, PeerDiag: m.lastReceived.Diag,
		LocalDiscr: m.localDiscr, RemoteDiscr: m.lastReceived.MyDiscriminator,
		Polling: m.polling, Settled: !m.Listening() && !m.unconfirmed,
	}
	if m.lastReceived.RequiredMinRx != 0 {
		v.TransmitInterval = m.transmitInterval()
	}
	if m.lastReceived.MyDiscriminator != 0 {
		v.ReceiveInterval, v.DetectionTime = m.receiveInterval(), m.detectionTime()
	}
	return v
}
