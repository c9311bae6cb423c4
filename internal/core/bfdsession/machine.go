package bfdsession

import "time"

// slowTxInterval is the shortest interval of sending while the session is not up (RFC 5880 section 6.8.3).
const slowTxInterval = time.Second

// Parameters are those of our end of a session. Intervals are positive and fit into a packet.
type Parameters struct {
	// DesiredMinTx is the shortest interval at which we want to send (bfd.DesiredMinTxInterval).
	DesiredMinTx time.Duration
	// RequiredMinRx is the shortest interval at which the peer may send (bfd.RequiredMinRxInterval).
	RequiredMinRx time.Duration
	// DetectMult is how many of our packets the peer must miss to declare the session down (bfd.DetectMult); at least 1.
	DetectMult uint8
	// Passive: we send nothing before the peer does (the Passive role of RFC 5880 section 6.1).
	Passive bool
}

// intervals are the two intervals that are negotiated.
type intervals struct{ tx, rx time.Duration }

// Machine is a BFD session. Its fields are the state variables of RFC 5880 section 6.8.1, and the times of the last events.
type Machine struct {
	// random returns numbers in [0, 1).
	random func() float64

	parameters Parameters
	// advertised are the intervals in our packets; inUse are those by which our timers run. They differ during a Poll
	// Sequence (RFC 5880 section 6.8.3).
	advertised, inUse intervals
	// polling: a Poll Sequence is running. Its first packet was sent at firstPollAt; zero before that. awaitingFinals: a
	// Poll Sequence has ended, and more answers to it may arrive until finalsUntil.
	polling, awaitingFinals  bool
	firstPollAt, finalsUntil time.Time

	state State
	diag  Diag
	// localDiscr is our discriminator (bfd.LocalDiscr).
	localDiscr uint32
	// lastReceived is the last packet of the peer. Its MyDiscriminator is 0 while the peer is not known.
	lastReceived Packet
	receivedAt   time.Time

	// lastPeriodicAt is when the last periodic packet was sent. The next follows after jitterFraction of the interval.
	lastPeriodicAt time.Time
	jitterFraction float64
	// contentChanged: the content of our packets has changed since the last one. finalPending: the peer has polled and
	// waits for the answer.
	contentChanged, finalPending bool

	// listenUntil is when to begin to send; zero: it has begun. unconfirmed: a session of an earlier process was resumed, and
	// the peer has not answered yet.
	listenUntil time.Time
	unconfirmed bool

	// outlasting: Outlast was called.
	outlasting bool
	// adminDownPackets is how many packets are still to be sent in state AdminDown, one each adminDownInterval.
	adminDownPackets  int
	adminDownInterval time.Duration
}

// New makes a session that is Down and has sent nothing. discriminator is not 0, and no other session of this system has
// it. random returns numbers in [0, 1), for the jitter.
func New(discriminator uint32, want Parameters, random func() float64) *Machine {
	m := &Machine{
		random: random, localDiscr: discriminator, parameters: want, state: Down, lastReceived: unknownPeer(Down, DiagNone),
	}
	m.resetIntervals()
	m.drawJitter()
	return m
}

// unknownPeer stands for the last packet of a peer that is not known: it accepts packets at any rate (RFC 5880 section
// 6.8.1 initializes bfd.RemoteMinRxInterval with 1). Its last state and diagnostic are kept, to be shown.
func unknownPeer(state State, diag Diag) Packet {
	return Packet{State: state, Diag: diag, DetectMult: 1, RequiredMinRx: time.Microsecond}
}

// SetParameters changes the parameters; the session does not go down. While it is up, intervals change by a Poll Sequence
// (RFC 5880 section 6.8.3).
func (m *Machine) SetParameters(want Parameters) {
	m.parameters = want
	switch m.state {
	case Up:
		m.beginPoll()
	case AdminDown: // The session is down for good.
	case Down, Init:
		m.resetIntervals()
	}
}

// AdminDown takes the session down for good, by intention (RFC 5880 section 6.8.16). A peer that is known is sent up to
// three packets: as many as fit into a second at the present interval.
func (m *Machine) AdminDown() {
	if m.state == AdminDown {
		return
	}
	m.listenUntil = time.Time{}
	m.adminDownInterval = m.transmitInterval()
	m.enterState(AdminDown, DiagAdminDown)
	m.finalPending = false
	switch {
	case m.lastReceived.MyDiscriminator == 0:
		m.adminDownPackets = 0
	case m.lastReceived.RequiredMinRx == 0:
		m.adminDownPackets = 1
	default:
		m.adminDownPackets = min(3, 1+int(slowTxInterval/max(m.adminDownInterval, time.Millisecond)))
	}
}

// Outlast ends the part of this process in a session that is up, so that another process can resume it: the peer is asked by a Poll
// Sequence to wait for our next packet for as long as given, if that is longer than it waits now. It reports false, and changes nothing,
// when the session is not up at both ends.
func (m *Machine) Outlast(wait time.Duration) bool {
	if m.state != Up || m.lastReceived.State != Up || m.unconfirmed {
		return false
	}
	mult := time.Duration(max(m.parameters.DetectMult, 1))
	want := m.parameters
	want.DesiredMinTx = max(want.DesiredMinTx, (wait+mult-1)/mult)
	m.outlasting = true
	m.SetParameters(want)
	m.contentChanged = true
	return true
}

// Finished reports whether AdminDown was called and nothing is left to send, or Outlast was and the peer has agreed.
func (m *Machine) Finished() bool {
	if m.state == AdminDown {
		return m.adminDownPackets == 0
	}
	return m.outlasting && m.state == Up && !m.polling && m.advertised.tx == m.parameters.DesiredMinTx
}

// enterState changes the state, and the intervals accordingly.
func (m *Machine) enterState(to State, why Diag) {
	m.state, m.diag, m.contentChanged = to, why, true
	m.polling, m.awaitingFinals, m.unconfirmed = false, false, false
	if to != Up {
		m.resetIntervals()
		return
	}
	// In state Up, we no longer send at the slow interval. The peer learns that by a Poll Sequence.
	m.beginPoll()
}

// resetIntervals makes the wanted intervals effective at once, which is allowed while the session is not up.
func (m *Machine) resetIntervals() {
	m.advertised = intervals{max(m.parameters.DesiredMinTx, slowTxInterval), m.parameters.RequiredMinRx}
	m.inUse = m.advertised
}

// beginPoll begins a Poll Sequence if the intervals in our packets are not those wanted. While a sequence runs, or more
// answers to it may arrive, it does nothing: trackPollSequence will call it again (RFC 5880 section 6.8.3 wants that the
// answers of two sequences can be told apart).
func (m *Machine) beginPoll() {
	want := intervals{m.parameters.DesiredMinTx, m.parameters.RequiredMinRx}
	if m.polling || m.awaitingFinals || m.advertised == want {
		return
	}
	m.advertised, m.polling, m.firstPollAt = want, true, time.Time{}
	// To send more often, and to expect packets less often, is safe at once. For the opposite, the peer must know first.
	m.inUse.tx = min(m.inUse.tx, want.tx)
	m.inUse.rx = max(m.inUse.rx, want.rx)
}

// trackPollSequence is told of each packet received. A Final ends the Poll Sequence. The next one may begin when all Finals
// have arrived. Every packet of a sequence gets an answer, so more may follow the first. We take them to have arrived when
// as much time has passed again as the first answer took, and a packet without Final has come since.
func (m *Machine) trackPollSequence(now time.Time, final bool) {
	switch {
	case final && m.polling && !m.firstPollAt.IsZero():
		m.polling, m.awaitingFinals, m.finalsUntil = false, true, now.Add(now.Sub(m.firstPollAt))
		m.inUse = m.advertised
	case !final && m.awaitingFinals && now.After(m.finalsUntil):
		m.awaitingFinals = false
		if m.state == Up {
			m.beginPoll()
		}
	}
}
