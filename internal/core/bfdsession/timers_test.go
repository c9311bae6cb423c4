package bfdsession

import (
	"math/rand/v2"
	"testing"
	"time"
)

// gap is the time from now, when everything due has been sent, to the next packet.
func gap(t *testing.T, m *Machine, now time.Time) time.Duration {
	t.Helper()
	_, by, ok := m.turn()
	if !ok {
		t.Fatal("nothing will be sent")
	}
	return by.Sub(now)
}

func TestIntervalOfSending(t *testing.T) {
	slower := usual
	slower.DesiredMinTx = 2 * time.Second
	for _, row := range []struct {
		name  string
		want  Parameters
		state State
		peer  func(*Packet)
		gap   time.Duration
	}{
		{"up: ours", usual, Up, func(*Packet) {}, 300 * ms},
		{"up: the peer's, when it takes packets less often", usual, Up, func(p *Packet) { p.RequiredMinRx = 700 * ms }, 700 * ms},
		{"up: ours, when the peer takes packets more often", usual, Up, func(p *Packet) { p.RequiredMinRx = 50 * ms }, 300 * ms},
		{"the peer's interval of sending is nothing to ours", usual, Up, func(p *Packet) { p.DesiredMinTx = 9 * time.Second }, 300 * ms},
		{"not up: a second", usual, Init, func(*Packet) {}, time.Second},
		{"not up: ours, when it is longer", slower, Init, func(*Packet) {}, 2 * time.Second},
		{"not up: the peer's, when it is longer", usual, Init, func(p *Packet) { p.RequiredMinRx = 3 * time.Second }, 3 * time.Second},
	} {
		t.Run(row.name, func(t *testing.T) {
			m := inState(t, row.state, start, row.want)
			peers := Down
			if row.state == Up {
				m, peers = settled(t, start, row.want), Up
			}
			sends(m, start.Add(time.Hour)) // Whatever was due; the peer is heard in time below.
			now := start.Add(time.Hour)
			m.Receive(now, said(peers, row.peer))
			if got := gap(t, m, now); got != row.gap {
				t.Errorf("next after %v, want %v", got, row.gap)
			}
		})
	}
}

// TestNothingIsSent where RFC 5880 section 6.8.7 forbids it.
func TestNothingIsSent(t *testing.T) {
	passive := usual
	passive.Passive = true
	for _, row := range []struct {
		name    string
		machine func() *Machine
		// again wakes it.
		again func(*Machine)
	}{
		{
			"by a passive system that has heard nothing",
			func() *Machine { return newMachine(passive) },
			func(m *Machine) { m.Receive(start, said(Down, func(p *Packet) { p.Yours = 0 })) },
		},
		{
			"to a peer that takes no packets",
			func() *Machine {
				m := settled(t, start, usual)
				m.Receive(start, said(Up, func(p *Packet) { p.RequiredMinRx = 0 }))
				return m
			},
			func(m *Machine) { m.Receive(start, said(Up)) },
		},
		{
			"to a peer in Demand mode when both are up",
			func() *Machine {
				m := settled(t, start, usual)
				m.Receive(start, said(Up, func(p *Packet) { p.Demand = true }))
				return m
			},
			func(m *Machine) { m.Receive(start, said(Up)) },
		},
	} {
		t.Run(row.name, func(t *testing.T) {
			m := row.machine()
			if sent := sends(m, at(time.Hour)); len(sent) > 0 {
				t.Errorf("sent %+v", sent)
			}
			row.again(m)
			if sent := sends(m, at(time.Hour)); len(sent) != 1 {
				t.Errorf("awake, it sent %+v", sent)
			}
		})
	}
	t.Run("Demand mode does not keep a poll from being sent", func(t *testing.T) {
		m := settled(t, start, usual)
		m.Receive(start, said(Up, func(p *Packet) { p.Demand = true }))
		faster := usual
		faster.RequiredMinRx = 100 * ms
		m.Change(faster)
		if sent := sends(m, at(time.Second)); len(sent) != 1 || !sent[0].Poll {
			t.Errorf("sent %+v", sent)
		}
	})
}

func TestAPollIsAnsweredAtOnceAndCostsNoTurn(t *testing.T) {
	m := settled(t, start, usual)
	before := gap(t, m, start)
	m.Receive(at(100*ms), said(Up, func(p *Packet) { p.Poll = true }))
	if _, next, ok := m.Next(); !ok || next.After(at(100*ms)) {
		t.Errorf("next at %v", next)
	}
	sent := sends(m, at(100*ms))
	if len(sent) != 1 || !sent[0].Final || sent[0].Poll {
		t.Fatalf("sent %+v", sent)
	}
	if got := gap(t, m, start); got != before {
		t.Errorf("the next packet moved from %v to %v", before, got)
	}
}

// TestDetectionTime is RFC 5880 section 6.8.4: the peer's multiplier, the longer of our and its intervals.
func TestDetectionTime(t *testing.T) {
	for _, row := range []struct {
		name string
		peer func(*Packet)
		want time.Duration
	}{
		{"both alike", func(*Packet) {}, 900 * ms},
		{"the peer sends less often than we take", func(p *Packet) { p.DesiredMinTx = 400 * ms }, 1200 * ms},
		{"the peer would send more often than we take", func(p *Packet) { p.DesiredMinTx = 10 * ms }, 900 * ms},
		{"the multiplier is the peer's", func(p *Packet) { p.Multiplier = 5 }, 1500 * ms},
		{"what the peer takes is nothing to it", func(p *Packet) { p.RequiredMinRx = time.Minute }, 900 * ms},
	} {
		t.Run(row.name, func(t *testing.T) {
			m := settled(t, start, usual)
			m.Receive(at(50*ms), said(Up, row.peer))
			if m.Expired(at(50*ms + row.want - 1)) {
				t.Error("too early")
			}
			if !m.Expired(at(50*ms + row.want)) {
				t.Error("too late")
			}
			if v := m.View(); v.Detection != row.want || v.Receive*time.Duration(m.heard.Multiplier) != row.want {
				t.Errorf("%+v", v)
			}
		})
	}
}

func TestJitter(t *testing.T) {
	for _, row := range []struct {
		multiplier  uint8
		least, most float64
		spread      float64
	}{
		{3, 0.75, 0.95, 0.19},
		{1, 0.75, 0.88, 0.12}, // RFC 5880 section 6.8.7: a single packet that is late would be a failure.
	} {
		want := usual
		want.Multiplier = row.multiplier
		m := New(1, want, rand.New(rand.NewPCG(1, 2)).Float64)
		m.Receive(start, said(Init))
		m.Receive(start, said(Up, func(p *Packet) { p.Final = true }))
		lowest, highest := 2.0, 0.0
		now := start
		for i := range 10000 {
			if len(sends(m, now)) != 1 {
				t.Fatal("a turn was not used")
			}
			from, by, _ := m.turn()
			next := by
			if i%2 == 0 {
				next = from
				if sent := sends(m, from.Add(-1)); len(sent) > 0 {
					t.Fatal("sent too early")
				}
			}
			part := float64(next.Sub(now)) / float64(300*ms)
			lowest, highest = min(lowest, part), max(highest, part)
			now = next
		}
		if lowest < row.least-1e-6 || highest > row.most+1e-6 || highest-lowest < row.spread {
			t.Errorf("multiplier %d: gaps of %.3f to %.3f of the interval", row.multiplier, lowest, highest)
		}
	}
}
