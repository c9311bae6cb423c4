package bfdsession

import (
	"fmt"
	"testing"
	"time"
)

// start is when the tests begin; at counts from it.
var start = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

func at(d time.Duration) time.Time { return start.Add(d) }

const ms = time.Millisecond

// usual parameters of both ends.
var usual = Parameters{DesiredMinTx: 300 * ms, RequiredMinRx: 300 * ms, Multiplier: 3}

// unscattered has an interval waited in full but for rounding, which the draws of a random generator never do.
func unscattered() float64 { return (1 - 0.75 - 1.0/leeway) / (0.95 - 0.75 - 1.0/leeway) }

// newMachine has discriminator 1; the peer of the tests has 2.
func newMachine(want Parameters) *Machine { return New(1, want, unscattered) }

// said is a packet of a peer that knows us and has the usual parameters.
func said(state State, change ...func(*Packet)) *Packet {
	p := &Packet{
		State: state, Multiplier: 3, Mine: 2, Yours: 1, DesiredMinTx: 300 * ms, RequiredMinRx: 300 * ms,
	}
	for _, c := range change {
		c(p)
	}
	return p
}

// sends takes all that is due.
func sends(m *Machine, now time.Time) []Packet {
	var all []Packet
	for p, ok := m.Due(now); ok; p, ok = m.Due(now) {
		all = append(all, p)
	}
	return all
}

// inState brings a new machine into a state at a time, with everything sent that was due.
func inState(t testing.TB, state State, now time.Time, want Parameters) *Machine {
	t.Helper()
	m := newMachine(want)
	sends(m, now)
	switch state {
	case AdminDown:
		m.Receive(now, said(Down))
		m.Leave()
	case Down:
	case Init:
		m.Receive(now, said(Down))
	case Up:
		m.Receive(now, said(Init))
	}
	sends(m, now)
	if m.state != state {
		t.Fatalf("the machine is %s, not %s", m.state, state)
	}
	return m
}

// settled is a machine that is up and whose Poll Sequence is over.
func settled(t testing.TB, now time.Time, want Parameters) *Machine {
	t.Helper()
	m := inState(t, Up, now, want)
	m.Receive(now, said(Up, func(p *Packet) { p.Final = true }))
	m.quietAt = time.Time{} // The other answers are in.
	m.Receive(now, said(Up))
	sends(m, now)
	if m.View().Polling {
		t.Fatal("it still polls")
	}
	return m
}

// TestReceivedStatesRowByRow is the table of RFC 5880 sections 6.2 and 6.8.6.
func TestReceivedStatesRowByRow(t *testing.T) {
	for _, row := range []struct {
		ours, theirs, next State
		diag               Diag
		event              Event
	}{
		{Down, AdminDown, Down, DiagNone, Kept},
		{Down, Down, Init, DiagNone, Kept},
		{Down, Init, Up, DiagNone, CameUp},
		{Down, Up, Down, DiagNone, Kept},
		{Init, AdminDown, Down, DiagNeighborDown, Kept},
		{Init, Down, Init, DiagNone, Kept},
		{Init, Init, Up, DiagNone, CameUp},
		{Init, Up, Up, DiagNone, CameUp},
		{Up, AdminDown, Down, DiagNeighborDown, Withdrawn},
		{Up, Down, Down, DiagNeighborDown, Failed},
		{Up, Init, Up, DiagNone, Kept},
		{Up, Up, Up, DiagNone, Kept},
		{AdminDown, AdminDown, AdminDown, DiagAdminDown, Kept},
		{AdminDown, Down, AdminDown, DiagAdminDown, Kept},
		{AdminDown, Init, AdminDown, DiagAdminDown, Kept},
		{AdminDown, Up, AdminDown, DiagAdminDown, Kept},
	} {
		t.Run(fmt.Sprintf("%s hears %s", row.ours, row.theirs), func(t *testing.T) {
			m := inState(t, row.ours, start, usual)
			event := m.Receive(at(10*ms), said(row.theirs))
			if m.state != row.next || m.diag != row.diag || event != row.event {
				t.Errorf("now %s, %s, event %d; want %s, %s, event %d", m.state, m.diag, event, row.next, row.diag, row.event)
			}
			sent := sends(m, at(10*ms))
			if changed := row.next != row.ours; changed != (len(sent) == 1) {
				t.Fatalf("a change of state is told at once, and nothing else: sent %+v", sent)
			}
			if len(sent) == 1 && (sent[0].State != row.next || sent[0].Diag != row.diag || sent[0].Yours != 2 || sent[0].Final) {
				t.Errorf("sent %+v", sent[0])
			}
		})
	}
}

// TestHandshake is RFC 5880 section 6.2: two systems that are down come up with three packets, and know each other.
func TestHandshake(t *testing.T) {
	a, b := New(1, usual, unscattered), New(2, usual, unscattered)
	one := func(m *Machine) *Packet {
		t.Helper()
		p, ok := m.Due(start)
		if !ok {
			t.Fatal("nothing to send")
		}
		return &p
	}
	if p := one(a); p.State != Down || p.Mine != 1 || p.Yours != 0 || p.DesiredMinTx != time.Second || p.RequiredMinRx != 300*ms {
		t.Errorf("the first packet is %+v", p)
	} else {
		b.Receive(start, p)
	}
	if p := one(b); p.State != Init || p.Mine != 2 || p.Yours != 1 {
		t.Errorf("the second packet is %+v", p)
	} else if a.Receive(start, p) != CameUp {
		t.Error("not up at the second packet")
	}
	if p := one(a); p.State != Up || p.Yours != 2 || !p.Poll || p.DesiredMinTx != 300*ms {
		t.Errorf("the third packet is %+v", p)
	} else if b.Receive(start, p) != CameUp {
		t.Error("not up at the third packet")
	}
	if p := one(b); p.State != Up || !p.Final || p.Poll {
		t.Errorf("the answer to the poll is %+v", p)
	}
}

func TestThePeerIsForgottenAfterADetectionTime(t *testing.T) {
	for _, row := range []struct {
		name  string
		ours  State
		next  State
		diag  Diag
		event Event
	}{
		{"Up fails", Up, Down, DiagExpired, Failed},
		{"Init is no loss to anybody", Init, Down, DiagExpired, Kept},
	} {
		t.Run(row.name, func(t *testing.T) {
			m := inState(t, row.ours, start, usual)
			deadline := at(900 * ms)
			if event := m.Expire(deadline.Add(-time.Nanosecond)); event != Kept || m.state != row.ours {
				t.Errorf("too early: %s", m.state)
			}
			if event := m.Expire(deadline); event != row.event || m.state != row.next || m.diag != row.diag {
				t.Errorf("%s, %s, event %d", m.state, m.diag, event)
			}
			if p, ok := m.Due(deadline); !ok || p.Yours != 0 || p.State != Down || p.Diag != DiagExpired || p.DesiredMinTx != time.Second {
				t.Errorf("told: %t %+v", ok, p)
			}
			if m.Expired(deadline.Add(time.Hour)) {
				t.Error("expires again")
			}
		})
	}
	t.Run("a peer that went down and fell silent", func(t *testing.T) {
		m := settled(t, start, usual)
		m.Receive(at(100*ms), said(Down))
		if sent := sends(m, at(100*ms)); len(sent) != 1 || sent[0].Yours != 2 {
			t.Fatalf("sent %+v", sent)
		}
		if m.Expire(at(1000*ms)) != Kept || m.View().Peer != 0 || m.state != Down || m.diag != DiagNeighborDown {
			t.Errorf("%+v", m.View())
		}
	})
}

// TestAPeerThatRestartsIsHeardWithAnotherDiscriminator: it says Down, which takes us down, and the session comes back.
func TestAPeerThatRestartsIsHeardWithAnotherDiscriminator(t *testing.T) {
	m := settled(t, start, usual)
	reborn := func(p *Packet) { p.Mine, p.Yours = 7, 0 }
	if event := m.Receive(at(10*ms), said(Down, reborn)); event != Failed || m.View().Peer != 7 {
		t.Fatalf("event %d, %+v", event, m.View())
	}
	if m.Receive(at(20*ms), said(Down, reborn)); m.state != Init {
		t.Errorf("%s", m.state)
	}
	if event := m.Receive(at(30*ms), said(Init, func(p *Packet) { p.Mine = 7 })); event != CameUp {
		t.Errorf("event %d", event)
	}
}

func TestLeavingIsTold(t *testing.T) {
	for _, row := range []struct {
		name   string
		peer   func(*Packet)
		before State
		want   []time.Duration // Of the farewells.
	}{
		{"three times", func(*Packet) {}, Up, []time.Duration{0, 300 * ms, 600 * ms}},
		{"to a peer that is slow, as often as it may be within a second", func(p *Packet) { p.RequiredMinRx = 700 * ms }, Up, []time.Duration{0, 680 * ms}},
		{"to one that takes no packets, once", func(p *Packet) { p.RequiredMinRx = 0 }, Up, []time.Duration{0}},
		{"to nobody, not", nil, Down, nil},
	} {
		t.Run(row.name, func(t *testing.T) {
			m := newMachine(usual)
			if row.before == Up {
				m = settled(t, start, usual)
				m.Receive(start, said(Up, row.peer))
			}
			sends(m, start)
			m.Leave()
			var got []time.Duration
			for now := time.Duration(0); now < 5*time.Second; now += 10 * ms {
				for _, p := range sends(m, at(now)) {
					got = append(got, now)
					if p.State != AdminDown || p.Diag != DiagAdminDown || p.Poll || p.Final {
						t.Errorf("%+v", p)
					}
				}
			}
			if fmt.Sprint(got) != fmt.Sprint(row.want) {
				t.Errorf("farewells at %v, want %v", got, row.want)
			}
			if _, _, ok := m.Next(); ok || !m.Gone() {
				t.Error("it is not gone")
			}
		})
	}
}
