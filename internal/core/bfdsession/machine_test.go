package bfdsession

import (
	"fmt"
	"testing"
	"time"
)

// start is when the tests begin. Function at counts from it.
var start = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

func at(d time.Duration) time.Time { return start.Add(d) }

const ms = time.Millisecond

// defaultParameters are those of both ends, unless a test says otherwise.
var defaultParameters = Parameters{DesiredMinTx: 300 * ms, RequiredMinRx: 300 * ms, DetectMult: 3}

// noJitter is a random number with which an interval is waited in full but for rounding. A real generator never returns it.
func noJitter() float64 { return (1 - 0.75 - 1.0/windowDivisor) / (0.95 - 0.75 - 1.0/windowDivisor) }

// newMachine has discriminator 1. The peer of the tests has 2.
func newMachine(want Parameters) *Machine { return New(1, want, noJitter) }

// peerPacket is a packet of a peer that knows us and has the default parameters.
func peerPacket(state State, change ...func(*Packet)) *Packet {
	p := &Packet{
		State: state, DetectMult: 3, MyDiscriminator: 2, YourDiscriminator: 1, DesiredMinTx: 300 * ms, RequiredMinRx: 300 * ms,
	}
	for _, c := range change {
		c(p)
	}
	return p
}

// duePackets takes all packets that are due.
func duePackets(m *Machine, now time.Time) []Packet {
	var all []Packet
	for p, ok := m.Due(now); ok; p, ok = m.Due(now) {
		all = append(all, p)
	}
	return all
}

// inState brings a new machine into a state at a time, and takes all packets that were due.
func inState(t testing.TB, state State, now time.Time, want Parameters) *Machine {
	t.Helper()
	m := newMachine(want)
	duePackets(m, now)
	switch state {
	case AdminDown:
		m.Receive(now, peerPacket(Down))
		m.AdminDown()
	case Down:
	case Init:
		m.Receive(now, peerPacket(Down))
	case Up:
		m.Receive(now, peerPacket(Init))
	}
	duePackets(m, now)
	if m.state != state {
		t.Fatalf("the machine is %s, not %s", m.state, state)
	}
	return m
}

// upAndSettled is a machine that is up and whose Poll Sequence is over.
func upAndSettled(t testing.TB, now time.Time, want Parameters) *Machine {
	t.Helper()
	m := inState(t, Up, now, want)
	m.Receive(now, peerPacket(Up, func(p *Packet) { p.Final = true }))
	m.finalsUntil = time.Time{} // The other answers have arrived.
	m.Receive(now, peerPacket(Up))
	duePackets(m, now)
	if m.Snapshot().Polling {
		t.Fatal("it still polls")
	}
	return m
}

// TestMachine_StateTransitions is the table of RFC 5880 sections 6.2 and 6.8.6.
func TestMachine_StateTransitions(t *testing.T) {
	for _, row := range []struct {
		ours, theirs, next State
		diag               Diag
		event              Event
	}{
		{Down, AdminDown, Down, DiagNone, NoEvent},
		{Down, Down, Init, DiagNone, NoEvent},
		{Down, Init, Up, DiagNone, CameUp},
		{Down, Up, Down, DiagNone, NoEvent},
		{Init, AdminDown, Down, DiagNeighborSignaledDown, NoEvent},
		{Init, Down, Init, DiagNone, NoEvent},
		{Init, Init, Up, DiagNone, CameUp},
		{Init, Up, Up, DiagNone, CameUp},
		{Up, AdminDown, Down, DiagNeighborSignaledDown, PeerAdminDown},
		{Up, Down, Down, DiagNeighborSignaledDown, Failed},
		{Up, Init, Up, DiagNone, NoEvent},
		{Up, Up, Up, DiagNone, NoEvent},
		{AdminDown, AdminDown, AdminDown, DiagAdminDown, NoEvent},
		{AdminDown, Down, AdminDown, DiagAdminDown, NoEvent},
		{AdminDown, Init, AdminDown, DiagAdminDown, NoEvent},
		{AdminDown, Up, AdminDown, DiagAdminDown, NoEvent},
	} {
		t.Run(fmt.Sprintf("%s hears %s", row.ours, row.theirs), func(t *testing.T) {
			m := inState(t, row.ours, start, defaultParameters)
			event := m.Receive(at(10*ms), peerPacket(row.theirs))
			if m.state != row.next || m.diag != row.diag || event != row.event {
				t.Errorf("now %s, %s, event %d; want %s, %s, event %d", m.state, m.diag, event, row.next, row.diag, row.event)
			}
			sent := duePackets(m, at(10*ms))
			if changed := row.next != row.ours; changed != (len(sent) == 1) {
				t.Fatalf("a change of state is sent at once, and nothing else: sent %+v", sent)
			}
			if len(sent) == 1 && (sent[0].State != row.next || sent[0].Diag != row.diag || sent[0].YourDiscriminator != 2 || sent[0].Final) {
				t.Errorf("sent %+v", sent[0])
			}
		})
	}
}

// TestMachine_ThreeWayHandshake is RFC 5880 section 6.2: two systems that are Down come up with three packets, and then
// know each other.
func TestMachine_ThreeWayHandshake(t *testing.T) {
	a, b := New(1, defaultParameters, noJitter), New(2, defaultParameters, noJitter)
	one := func(m *Machine) *Packet {
		t.Helper()
		p, ok := m.Due(start)
		if !ok {
			t.Fatal("nothing to send")
		}
		return &p
	}
	if p := one(a); p.State != Down || p.MyDiscriminator != 1 || p.YourDiscriminator != 0 || p.DesiredMinTx != time.Second || p.RequiredMinRx != 300*ms {
		t.Errorf("the first packet is %+v", p)
	} else {
		b.Receive(start, p)
	}
	if p := one(b); p.State != Init || p.MyDiscriminator != 2 || p.YourDiscriminator != 1 {
		t.Errorf("the second packet is %+v", p)
	} else if a.Receive(start, p) != CameUp {
		t.Error("not up at the second packet")
	}
	if p := one(a); p.State != Up || p.YourDiscriminator != 2 || !p.Poll || p.DesiredMinTx != 300*ms {
		t.Errorf("the third packet is %+v", p)
	} else if b.Receive(start, p) != CameUp {
		t.Error("not up at the third packet")
	}
	if p := one(b); p.State != Up || !p.Final || p.Poll {
		t.Errorf("the answer to the poll is %+v", p)
	}
}

func TestMachine_DetectionTimeExpires(t *testing.T) {
	for _, row := range []struct {
		name  string
		ours  State
		next  State
		diag  Diag
		event Event
	}{
		{"Up fails", Up, Down, DiagDetectionTimeExpired, Failed},
		{"Init is no loss to anybody", Init, Down, DiagDetectionTimeExpired, NoEvent},
	} {
		t.Run(row.name, func(t *testing.T) {
			m := inState(t, row.ours, start, defaultParameters)
			deadline := at(900 * ms)
			if event := m.Expire(deadline.Add(-time.Nanosecond)); event != NoEvent || m.state != row.ours {
				t.Errorf("too early: %s", m.state)
			}
			if event := m.Expire(deadline); event != row.event || m.state != row.next || m.diag != row.diag {
				t.Errorf("%s, %s, event %d", m.state, m.diag, event)
			}
			if p, ok := m.Due(deadline); !ok || p.YourDiscriminator != 0 || p.State != Down || p.Diag != DiagDetectionTimeExpired || p.DesiredMinTx != time.Second {
				t.Errorf("sent: %t %+v", ok, p)
			}
			if m.Expired(deadline.Add(time.Hour)) {
				t.Error("expires again")
			}
		})
	}
	t.Run("a peer that went down and fell silent", func(t *testing.T) {
		m := upAndSettled(t, start, defaultParameters)
		m.Receive(at(100*ms), peerPacket(Down))
		if sent := duePackets(m, at(100*ms)); len(sent) != 1 || sent[0].YourDiscriminator != 2 {
			t.Fatalf("sent %+v", sent)
		}
		if m.Expire(at(1000*ms)) != NoEvent || m.Snapshot().RemoteDiscr != 0 || m.state != Down || m.diag != DiagNeighborSignaledDown {
			t.Errorf("%+v", m.Snapshot())
		}
	})
}

// TestMachine_PeerRestartsWithAnotherDiscriminator: its packet with state Down takes us down, and the session comes back.
func TestMachine_PeerRestartsWithAnotherDiscriminator(t *testing.T) {
	m := upAndSettled(t, start, defaultParameters)
	reborn := func(p *Packet) { p.MyDiscriminator, p.YourDiscriminator = 7, 0 }
	if event := m.Receive(at(10*ms), peerPacket(Down, reborn)); event != Failed || m.Snapshot().RemoteDiscr != 7 {
		t.Fatalf("event %d, %+v", event, m.Snapshot())
	}
	if m.Receive(at(20*ms), peerPacket(Down, reborn)); m.state != Init {
		t.Errorf("%s", m.state)
	}
	if event := m.Receive(at(30*ms), peerPacket(Init, func(p *Packet) { p.MyDiscriminator = 7 })); event != CameUp {
		t.Errorf("event %d", event)
	}
}

func TestMachine_AdminDownIsSentToThePeer(t *testing.T) {
	for _, row := range []struct {
		name   string
		peer   func(*Packet)
		before State
		want   []time.Duration // When AdminDown is sent.
	}{
		{"three times", func(*Packet) {}, Up, []time.Duration{0, 300 * ms, 600 * ms}},
		{"to a peer that is slow, as often as it may be within a second", func(p *Packet) { p.RequiredMinRx = 700 * ms }, Up, []time.Duration{0, 680 * ms}},
		{"to one that takes no packets, once", func(p *Packet) { p.RequiredMinRx = 0 }, Up, []time.Duration{0}},
		{"to nobody, not", nil, Down, nil},
	} {
		t.Run(row.name, func(t *testing.T) {
			m := newMachine(defaultParameters)
			if row.before == Up {
				m = upAndSettled(t, start, defaultParameters)
				m.Receive(start, peerPacket(Up, row.peer))
			}
			duePackets(m, start)
			m.AdminDown()
			var got []time.Duration
			for now := time.Duration(0); now < 5*time.Second; now += 10 * ms {
				for _, p := range duePackets(m, at(now)) {
					got = append(got, now)
					if p.State != AdminDown || p.Diag != DiagAdminDown || p.Poll || p.Final {
						t.Errorf("%+v", p)
					}
				}
			}
			if fmt.Sprint(got) != fmt.Sprint(row.want) {
				t.Errorf("AdminDown at %v, want %v", got, row.want)
			}
			if _, _, ok := m.NextDue(); ok || !m.Finished() {
				t.Error("it is not finished")
			}
		})
	}
}
