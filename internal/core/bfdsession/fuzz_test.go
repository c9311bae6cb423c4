package bfdsession

import (
	"encoding/binary"
	"errors"
	"math/rand/v2"
	"testing"
	"time"

	"pgregory.net/rapid"
)

func FuzzPacket_Parse(f *testing.F) {
	f.Add(encodedPacket())
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, b []byte) {
		p, err := Parse(b)
		var reason DiscardReason
		if err != nil {
			if !errors.As(err, &reason) {
				t.Fatalf("%v is no DiscardReason", err)
			}
			return
		}
		if p.MyDiscriminator == 0 || p.DetectMult == 0 || p.YourDiscriminator == 0 && p.State > Down {
			t.Fatalf("let through: %+v", p)
		}
		if back, err := Parse(p.Append(nil)); err != nil || back != p {
			t.Fatalf("%+v came back as %+v, %v", p, back, err)
		}
	})
}

// FuzzMachine_KeepsItsInvariants gives a machine whatever inputs the bytes mean, and checks its invariants after each.
func FuzzMachine_KeepsItsInvariants(f *testing.F) {
	f.Add([]byte{0, 1, 2, 3, 4, 5, 6, 7}, uint64(1))
	seed := make([]byte, 400)
	for i := range seed {
		seed[i] = byte(rand.New(rand.NewPCG(1, uint64(i))).Uint32())
	}
	f.Add(seed, uint64(2))
	f.Fuzz(func(t *testing.T, script []byte, random uint64) {
		m := New(1, defaultParameters, rand.New(rand.NewPCG(random, 0)).Float64)
		now := start
		take := func() uint32 { // The next two bytes; 0 at the end.
			var b [2]byte
			script = script[copy(b[:], script):]
			return uint32(binary.BigEndian.Uint16(b[:]))
		}
		for len(script) > 0 {
			was := m.Snapshot()
			event := NoEvent
			switch what := take(); what % 8 {
			default:
				p := peerPacket(State(take()%4), func(p *Packet) {
					flags := take()
					p.Poll, p.Final, p.Demand = flags&1 != 0, flags&2 != 0, flags&4 != 0
					p.DetectMult = uint8(1 + take()%255)
					p.MyDiscriminator = 1 + take()
					p.DesiredMinTx = time.Duration(take()*take()) * time.Microsecond
					p.RequiredMinRx = time.Duration(take()*take()) * time.Microsecond
				})
				event = m.Receive(now, p)
			case 5:
				now = now.Add(time.Duration(take()) * time.Duration(take()) * time.Microsecond)
				event = m.Expire(now)
			case 6:
				p := withIntervals(time.Duration(10+take())*ms, time.Duration(10+take())*ms)
				p.DetectMult, p.Passive = uint8(1+take()%255), take()&1 != 0
				m.SetParameters(p)
			case 7:
				if take() == 7 {
					m.AdminDown()
				}
			}
			checkInvariants(t, m, now, was, event)
		}
	})
}

// checkInvariants takes the packets that are due, and checks what must always be true.
func checkInvariants(t interface{ Fatalf(string, ...any) }, m *Machine, now time.Time, was Snapshot, event Event) {
	v := m.Snapshot()
	if rose, fell := was.State != Up && v.State == Up, was.State == Up && v.State != Up && v.State != AdminDown; rose != (event == CameUp) ||
		fell != (event == Failed || event == PeerAdminDown) {
		t.Fatalf("from %s to %s with event %d", was.State, v.State, event)
	}
	if (v.State == Up || v.State == Init) && v.RemoteDiscr == 0 {
		t.Fatalf("%s with a peer that is not known", v.State)
	}
	if was.State == AdminDown && v.State != AdminDown {
		t.Fatalf("AdminDown is for good, and it is %s", v.State)
	}
	sent := duePackets(m, now)
	if len(sent) > 2 {
		t.Fatalf("sent %d packets at once", len(sent))
	}
	for _, p := range sent {
		if _, err := Parse(p.Append(nil)); err != nil {
			t.Fatalf("sent %+v, which is %v", p, err)
		}
		if p.State != v.State || p.Poll && p.Final || p.MyDiscriminator != 1 || p.YourDiscriminator != v.RemoteDiscr || p.State != Up && p.DesiredMinTx < time.Second && p.State != AdminDown {
			t.Fatalf("sent %+v", p)
		}
	}
	m.Expire(now)
	duePackets(m, now)
	// The next thing to do is at least the shortest interval away, so that no sequence of packets makes us loop without pause.
	if from, by, ok := m.NextDue(); ok && (!from.After(now) || by.Before(from)) {
		t.Fatalf("at %v it wants to be asked again from %v, by %v", now, from, by)
	}
}

// TestMachine_TwoStayUpWhateverChanges: no session that is up goes down, whatever parameters both ends change, and however
// long packets take within the Detection Time.
func TestMachine_TwoStayUpWhateverChanges(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		const delay = 5 * ms // How long a packet travels: less than any interval.
		random := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 0)).Float64
		draw := func() Parameters {
			interval := rapid.IntRange(10, 3000)
			return Parameters{
				DesiredMinTx:  time.Duration(interval.Draw(t, "tx")) * ms,
				RequiredMinRx: time.Duration(interval.Draw(t, "rx")) * ms,
				DetectMult:    uint8(rapid.IntRange(2, 5).Draw(t, "multiplier")),
			}
		}
		ends := [2]*Machine{New(1, draw(), random), New(2, draw(), random)}
		type flight struct {
			at time.Time
			to int
			p  Packet
		}
		var flying []flight
		now := start
		ups := 0
		run := func(until time.Time) {
			for {
				for i, m := range ends {
					for _, p := range duePackets(m, now) {
						flying = append(flying, flight{now.Add(delay), 1 - i, p})
					}
				}
				next := until
				for _, m := range ends {
					from, by, ok := m.NextDue()
					at := from.Add(time.Duration(random() * float64(by.Sub(from))))
					if ok && at.Before(next) {
						next = at
					}
				}
				if len(flying) > 0 && flying[0].at.Before(next) {
					next = flying[0].at
				}
				if !next.Before(until) {
					now = until
					return
				}
				now = next
				for len(flying) > 0 && !flying[0].at.After(now) {
					f := flying[0]
					flying = flying[1:]
					switch ends[f.to].Receive(now, &f.p) {
					case CameUp:
						ups++
					case Failed, PeerAdminDown:
						t.Fatalf("down after %v, polite packets all along", now.Sub(start))
					case NoEvent:
					}
				}
				for _, m := range ends {
					if m.Expire(now) != NoEvent {
						t.Fatalf("expired after %v, with all packets in time: %+v", now.Sub(start), m.Snapshot())
					}
				}
			}
		}
		run(now.Add(20 * time.Second))
		for range rapid.IntRange(0, 10).Draw(t, "changes") {
			ends[rapid.IntRange(0, 1).Draw(t, "end")].SetParameters(draw())
			run(now.Add(time.Duration(rapid.IntRange(0, 5000).Draw(t, "wait")) * ms))
		}
		run(now.Add(time.Minute))
		if ups != 2 {
			t.Fatalf("%d ends came up", ups)
		}
		for i, m := range ends {
			v, peer := m.Snapshot(), ends[1-i]
			if v.Polling || v.TransmitInterval != max(m.parameters.DesiredMinTx, peer.parameters.RequiredMinRx) ||
				v.ReceiveInterval != max(m.parameters.RequiredMinRx, peer.parameters.DesiredMinTx) {
				t.Fatalf("not what was agreed: %+v, with %+v and %+v", v, m.parameters, peer.parameters)
			}
		}
	})
}
