package bfdsession

import "time"

// slow is the least interval of sending while a session is not up (RFC 5880 section 6.8.3).
const slow = time.Second

// Parameters are what we want of a session. Intervals are positive and fit into a packet.
type Parameters struct {
	// DesiredMinTx is the shortest interval at which we send.
	DesiredMinTx time.Duration
	// RequiredMinRx is the shortest interval at which the peer may send.
	RequiredMinRx time.Duration
	// Multiplier is how many of our packets the peer must miss to declare the session down; at least 1.
	Multiplier uint8
	// Passive: nothing is sent before the peer is heard (section 6.1).
	Passive bool
}

// timing is a pair of intervals that are negotiated.
type timing struct{ tx, rx time.Duration }

// Machine is a session. The fields are the state variables of RFC 5880 section 6.8.1, and when things happened last.
type Machine struct {
	// random returns numbers in [0, 1).
	random func() float64

	want Parameters
	// said is what our packets say, used what our timers run by. They differ during a Poll Sequence (section 6.8.3).
	said, used timing
	// poll: a Poll Sequence runs, its first packet was sent at polledAt, if it was. settling: one has ended, and its other
	// answers may still be under way, until quietAt at the latest.
	poll, settling    bool
	polledAt, quietAt time.Time

	state State
	diag  Diag
	// mine is our discriminator.
	mine uint32
	// heard is what the peer said last. Its Mine is 0 while the peer is not known.
	heard      Packet
	receivedAt time.Time

	// sentAt is when the last periodic packet was sent, fraction how much of the interval is waited before the next.
	sentAt   time.Time
	fraction float64
	// changed: what a packet says has changed since the last one; final: the peer polls and waits for the answer.
	changed, final bool

	// farewells are still to be sent in AdminDown, one every pace.
	farewells int
	pace      time.Duration
}

// New makes a session that is down and has sent nothing. The discriminator is not 0 and no other session of this system
// has it. random returns numbers in [0, 1), for the jitter.
func New(discriminator uint32, want Parameters, random func() float64) *Machine {
	m := &Machine{random: random, mine: discriminator, want: want, state: Down, heard: unheard(Down, DiagNone)}
	m.settle()
	m.scatter()
	return m
}

// unheard is what stands for the last word of a peer that is not known: it takes packets at whatever rate (section
// 6.8.1 has it begin with 1).
// Its last state and diagnostic are kept, to be shown.
func unheard(state State, diag Diag) Packet {
	return Packet{State: state, Diag: diag, Multiplier: 1, RequiredMinRx: time.Microsecond}
}

// Change changes the parameters in place: the session does not go down. While it is up, intervals change by a Poll
// Sequence (RFC 5880 section 6.8.3).
func (m *Machine) Change(want Parameters) {
	m.want = want
	switch m.state {
	case Up:
		m.beginPoll()
	case AdminDown: // For good.
	case Down, Init:
		m.settle()
	}
}

// Leave takes the session down on purpose and for good. A peer that is known is told with up to three packets, as many as
// fit into a second at the interval that was in use.
func (m *Machine) Leave() {
	if m.state == AdminDown {
		return
	}
	m.pace = m.interval()
	m.enter(AdminDown, DiagAdminDown)
	m.final = false
	switch {
	case m.heard.Mine == 0:
		m.farewells = 0
	case m.heard.RequiredMinRx == 0:
		m.farewells = 1
	default:
		m.farewells = min(3, 1+int(slow/max(m.pace, time.Millisecond)))
	}
}

// Gone reports whether the session has been left and nothing is to be sent any more.
func (m *Machine) Gone() bool { return m.state == AdminDown && m.farewells == 0 }

// enter changes the state, and what follows from it for the intervals.
func (m *Machine) enter(to State, why Diag) {
	m.state, m.diag, m.changed = to, why, true
	m.poll, m.settling = false, false
	if to != Up {
		m.settle()
		return
	}
	// Up, our interval of sending is no longer the slow one, which the peer has to learn from a Poll Sequence.
	m.beginPoll()
}

// settle makes the intervals those wanted at once, which is right while the session is not up.
func (m *Machine) settle() {
	m.said = timing{max(m.want.DesiredMinTx, slow), m.want.RequiredMinRx}
	m.used = m.said
}

// beginPoll begins a Poll Sequence if our packets say something else than is wanted, unless one is running or its last
// answers may still be under way: its end will begin the next (RFC 5880 section 6.8.3 on keeping two of them apart).
func (m *Machine) beginPoll() {
	want := timing{m.want.DesiredMinTx, m.want.RequiredMinRx}
	if m.poll || m.settling || m.said == want {
		return
	}
	m.said, m.poll, m.polledAt = want, true, time.Time{}
	// To send more often and to expect packets less often is safe at once. The other way round, the peer must know first.
	m.used.tx = min(m.used.tx, want.tx)
	m.used.rx = max(m.used.rx, want.rx)
}

// heardFinal ends a Poll Sequence, or begins the one that had to wait. Every packet of a sequence is answered, so that
// answers come after the first; they are in when as much time has passed again as the first took, and the peer has said
// something else since.
func (m *Machine) heardFinal(now time.Time, final bool) {
	switch {
	case final && m.poll && !m.polledAt.IsZero():
		m.poll, m.settling, m.quietAt = false, true, now.Add(now.Sub(m.polledAt))
		m.used = m.said
	case !final && m.settling && now.After(m.quietAt):
		m.settling = false
		if m.state == Up {
			m.beginPoll()
		}
	}
}
