package bfdsession

import (
	"math/rand/v2"
	"testing"
	"time"
)

// untilNextPacket is the time from now to the next packet, after all that are due were taken.
func untilNextPacket(t *testing.T, m *Machine, now time.Time) time.Duration {
	t.Helper()
	_, by, ok := m.periodicWindow()
	if !ok {
		t.Fatal("nothing will be sent")
	}
	return by.Sub(now)
}

func TestMachine_TransmitInterval(t *testing.T) {
	slower := defaultParameters
	slower.DesiredMinTx = 2 * time.Second
	for _, row := range []struct {
		name  string
		want  Parameters
		state State
		peer  func(*Packet)
		gap   time.Duration
	}{
		{"up: ours", defaultParameters, Up, func(*Packet) {}, 300 * ms},
		{"up: the peer's, when it takes packets less often", defaultParameters, Up, func(p *Packet) { p.RequiredMinRx = 700 * ms }, 700 * ms},
		{"up: ours, when the peer takes packets more often", defaultParameters, Up, func(p *Packet) { p.RequiredMinRx = 50 * ms }, 300 * ms},
		{"the peer's interval of sending is nothing to ours", defaultParameters, Up, func(p *Packet) { p.DesiredMinTx = 9 * time.Second }, 300 * ms},
		{"not up: a second", defaultParameters, Init, func(*Packet) {}, time.Second},
		{"not up: ours, when it is longer", slower, Init, func(*Packet) {}, 2 * time.Second},
		{"not up: the peer's, when it is longer", defaultParameters, Init, func(p *Packet) { p.RequiredMinRx = 3 * time.Second }, 3 * time.Second},
	} {
		t.Run(row.name, func(t *testing.T) {
			m := inState(t, row.state, start, row.want)
			peers := Down
			if row.state == Up {
				m, peers = upAndSettled(t, start, row.want), Up
			}
			duePackets(m, start.Add(time.Hour)) // Take whatever was due. The peer's packet arrives in time below.
			now := start.Add(time.Hour)
			m.Receive(now, peerPacket(peers, row.peer))
			if got := untilNextPacket(t, m, now); got != row.gap {
				t.Errorf("next after %v, want %v", got, row.gap)
			}
		})
	}
}

// TestMachine_SendsNothingWhereForbidden: RFC 5880 section 6.8.7 forbids to send in these cases.
func TestMachine_SendsNothingWhereForbidden(t *testing.T) {
	passive := defaultParameters
	passive.Passive = true
	for _, row := range []struct {
		name    string
		machine func() *Machine
		// again makes it send again.
		again func(*Machine)
	}{
		{
			"by a passive system that has heard nothing",
			func() *Machine { return newMachine(passive) },
			func(m *Machine) { m.Receive(start, peerPacket(Down, func(p *Packet) { p.YourDiscriminator = 0 })) },
		},
		{
			"to a peer that takes no packets",
			func() *Machine {
				m := upAndSettled(t, start, defaultParameters)
				m.Receive(start, peerPacket(Up, func(p *Packet) { p.RequiredMinRx = 0 }))
				return m
			},
			func(m *Machine) { m.Receive(start, peerPacket(Up)) },
		},
		{
			"to a peer in Demand mode when both are up",
			func() *Machine {
				m := upAndSettled(t, start, defaultParameters)
				m.Receive(start, peerPacket(Up, func(p *Packet) { p.Demand = true }))
				return m
			},
			func(m *Machine) { m.Receive(start, peerPacket(Up)) },
		},
	} {
		t.Run(row.name, func(t *testing.T) {
			m := row.machine()
			if sent := duePackets(m, at(time.Hour)); len(sent) > 0 {
				t.Errorf("sent %+v", sent)
			}
			row.again(m)
			if sent := duePackets(m, at(time.Hour)); len(sent) != 1 {
				t.Errorf("awake, it sent %+v", sent)
			}
		})
	}
	t.Run("Demand mode does not keep a poll from being sent", func(t *testing.T) {
		m := upAndSettled(t, start, defaultParameters)
		m.Receive(start, peerPacket(Up, func(p *Packet) { p.Demand = true }))
		faster := defaultParameters
		faster.RequiredMinRx = 100 * ms
		m.SetParameters(faster)
		if sent := duePackets(m, at(time.Second)); len(sent) != 1 || !sent[0].Poll {
			t.Errorf("sent %+v", sent)
		}
	})
}

func TestMachine_AnswersAPollAtOnce(t *testing.T) {
	m := upAndSettled(t, start, defaultParameters)
	before := untilNextPacket(t, m, start)
	m.Receive(at(100*ms), peerPacket(Up, func(p *Packet) { p.Poll = true }))
	if _, next, ok := m.NextDue(); !ok || next.After(at(100*ms)) {
		t.Errorf("next at %v", next)
	}
	sent := duePackets(m, at(100*ms))
	if len(sent) != 1 || !sent[0].Final || sent[0].Poll {
		t.Fatalf("sent %+v", sent)
	}
	if got := untilNextPacket(t, m, start); got != before {
		t.Errorf("the next packet moved from %v to %v", before, got)
	}
}

// TestMachine_DetectionTime is RFC 5880 section 6.8.4: the peer's Detect Mult times the longer of our interval and the
// peer's.
func TestMachine_DetectionTime(t *testing.T) {
	for _, row := range []struct {
		name string
		peer func(*Packet)
		want time.Duration
	}{
		{"both alike", func(*Packet) {}, 900 * ms},
		{"the peer sends less often than we take", func(p *Packet) { p.DesiredMinTx = 400 * ms }, 1200 * ms},
		{"the peer would send more often than we take", func(p *Packet) { p.DesiredMinTx = 10 * ms }, 900 * ms},
		{"the multiplier is the peer's", func(p *Packet) { p.DetectMult = 5 }, 1500 * ms},
		{"what the peer takes is nothing to it", func(p *Packet) { p.RequiredMinRx = time.Minute }, 900 * ms},
	} {
		t.Run(row.name, func(t *testing.T) {
			m := upAndSettled(t, start, defaultParameters)
			m.Receive(at(50*ms), peerPacket(Up, row.peer))
			if m.Expired(at(50*ms + row.want - 1)) {
				t.Error("too early")
			}
			if !m.Expired(at(50*ms + row.want)) {
				t.Error("too late")
			}
			if v := m.Snapshot(); v.DetectionTime != row.want || v.ReceiveInterval*time.Duration(m.lastReceived.DetectMult) != row.want {
				t.Errorf("%+v", v)
			}
		})
	}
}

func TestMachine_Jitter(t *testing.T) {
	for _, row := range []struct {
		multiplier  uint8
		least, most float64
		spread      float64
	}{
		{3, 0.75, 0.95, 0.19},
		{1, 0.75, 0.88, 0.12}, // A single late packet would be a failure (RFC 5880 section 6.8.7).
	} {
		want := defaultParameters
		want.DetectMult = row.multiplier
		m := New(1, want, rand.New(rand.NewPCG(1, 2)).Float64)
		m.Receive(start, peerPacket(Init))
		m.Receive(start, peerPacket(Up, func(p *Packet) { p.Final = true }))
		lowest, highest := 2.0, 0.0
		now := start
		for i := range 10000 {
			if len(duePackets(m, now)) != 1 {
				t.Fatal("a turn was not used")
			}
			from, by, _ := m.periodicWindow()
			next := by
			if i%2 == 0 {
				next = from
				if sent := duePackets(m, from.Add(-1)); len(sent) > 0 {
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
