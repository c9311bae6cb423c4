package bfdsession

import "time"

// Receive takes a packet that Parse found good and that belongs to this session (RFC 5880 section 6.8.6).
func (m *Machine) Receive(now time.Time, p *Packet) Event {
	if m.state == AdminDown {
		return Kept // Left for good: what the peer says to that changes nothing.
	}
	m.heard, m.receivedAt = *p, now
	m.heardFinal(now, p.Final)
	m.final = m.final || p.Poll
	return m.transit(p.State)
}

// transit is the table of RFC 5880 sections 6.2 and 6.8.6: our state and the peer's give our next one.
func (m *Machine) transit(peer State) Event {
	was := m.state
	switch {
	case peer == AdminDown && was != Down, peer == Down && was == Up:
		m.enter(Down, DiagNeighborDown)
	case was == Down && peer == Down:
		// The diagnostic stays: the peer has yet to hear why we were down.
		m.enter(Init, m.diag)
	case was == Down && peer == Init, was == Init && (peer == Init || peer == Up):
		m.enter(Up, DiagNone)
	}
	switch {
	case was != Up && m.state == Up:
		return CameUp
	case was == Up && m.state != Up && peer == AdminDown:
		return Withdrawn
	case was == Up && m.state != Up:
		return Failed
	}
	return Kept
}

// Expired reports whether the detection time has passed without a packet from a peer that was known. Before Expire is
// called, packets that have arrived and were not yet looked at should be: the peer is not to blame if we were asleep.
func (m *Machine) Expired(now time.Time) bool {
	at, ok := m.expiry()
	return ok && !now.Before(at)
}

// Expire makes the peer unknown if the detection time has passed (RFC 5880 sections 6.8.1 and 6.8.4), which ends a session
// that is up or coming up.
func (m *Machine) Expire(now time.Time) Event {
	if !m.Expired(now) {
		return Kept
	}
	// A peer that returns may be another process, with other wishes.
	m.heard = unheard(m.heard.State, m.heard.Diag)
	was := m.state
	if was == Up || was == Init {
		m.enter(Down, DiagExpired)
	}
	if was == Up {
		return Failed
	}
	return Kept
}

// expiry is when the detection time passes, if it runs.
func (m *Machine) expiry() (time.Time, bool) {
	return m.receivedAt.Add(m.detection()), m.heard.Mine != 0 && m.state != AdminDown
}

// detection is the detection time (RFC 5880 section 6.8.4).
func (m *Machine) detection() time.Duration {
	return time.Duration(m.heard.Multiplier) * m.arrival()
}

// arrival is the longest interval at which the peer sends.
func (m *Machine) arrival() time.Duration { return max(m.used.rx, m.heard.DesiredMinTx) }
