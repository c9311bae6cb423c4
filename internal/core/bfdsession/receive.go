package bfdsession

import "time"

// Receive takes a packet that Parse accepted and that belongs to this session (RFC 5880 section 6.8.6).
func (m *Machine) Receive(now time.Time, p *Packet) Event {
	if m.state == AdminDown {
		return NoEvent // The session is down for good, whatever the peer says.
	}
	m.lastReceived, m.receivedAt, m.listenUntil = *p, now, time.Time{}
	m.trackPollSequence(now, p.Final)
	m.finalPending = m.finalPending || p.Poll
	unconfirmed := m.unconfirmed
	event := m.transition(p.State)
	switch {
	case !unconfirmed:
		return event
	case m.state != Up || m.polling:
		return NoEvent // It was not up yet as far as clients know.
	}
	m.unconfirmed = false
	return CameUp
}

// transition is the state machine of RFC 5880 sections 6.2 and 6.8.6: our state and the peer's determine our next one.
func (m *Machine) transition(peer State) Event {
	was := m.state
	switch {
	case peer == AdminDown && was != Down, peer == Down && was == Up:
		m.enterState(Down, DiagNeighborSignaledDown)
	case was == Down && peer == Down:
		// The diagnostic stays: the peer does not know yet why we were down.
		m.enterState(Init, m.diag)
	case was == Down && peer == Init, was == Init && (peer == Init || peer == Up):
		m.enterState(Up, DiagNone)
	}
	switch {
	case was != Up && m.state == Up:
		return CameUp
	case was == Up && m.state != Up && peer == AdminDown:
		return PeerAdminDown
	case was == Up && m.state != Up:
		return Failed
	}
	return NoEvent
}

// Expired reports whether the Detection Time has passed without a packet from a peer that was known. Before calling Expire,
// the caller should handle packets that have already arrived: the peer must not be blamed if this process was not
// scheduled.
func (m *Machine) Expired(now time.Time) bool {
	at, ok := m.detectionDeadline()
	return ok && !now.Before(at)
}

// Expire forgets the peer if the Detection Time has passed (RFC 5880 sections 6.8.1 and 6.8.4). A session that is Up or
// Init goes down.
func (m *Machine) Expire(now time.Time) Event {
	if !m.Expired(now) {
		return NoEvent
	}
	// A peer that returns may be another process, with other parameters.
	m.lastReceived = unknownPeer(m.lastReceived.State, m.lastReceived.Diag)
	was, known := m.state, !m.unconfirmed
	if was == Up || was == Init {
		m.enterState(Down, DiagDetectionTimeExpired)
	}
	if was == Up && known {
		return Failed
	}
	return NoEvent
}

// detectionDeadline is when the Detection Time passes; false while none runs.
func (m *Machine) detectionDeadline() (time.Time, bool) {
	return m.receivedAt.Add(m.detectionTime()), m.lastReceived.MyDiscriminator != 0 && m.state != AdminDown
}

// detectionTime is the Detection Time (RFC 5880 section 6.8.4).
func (m *Machine) detectionTime() time.Duration {
	return time.Duration(m.lastReceived.DetectMult) * m.receiveInterval()
}

// receiveInterval is the longest interval at which the peer sends.
func (m *Machine) receiveInterval() time.Duration {
	return max(m.inUse.rx, m.lastReceived.DesiredMinTx)
}
