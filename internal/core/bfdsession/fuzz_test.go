package bfdsession

import (
	"encoding/binary"
	"errors"
	"math/rand/v2"
	"testing"
	"time"

	"pgregory.net/rapid"
)

func FuzzParse(f *testing.F) {
	f.Add(wire())
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, b []byte) {
		p, err := Parse(b)
		var fault Fault
		if err != nil {
			if !errors.As(err, &fault) {
				t.Fatalf("%v is no Fault", err)
			}
			return
		}
		if p.Mine == 0 || p.Multiplier == 0 || p.Yours == 0 && p.State > Down {
			t.Fatalf("let through: %+v", p)
		}
		if back, err := Parse(p.Append(nil)); err != nil || back != p {
			t.Fatalf("%+v came back as %+v, %v", p, back, err)
		}
	})
}

// FuzzMachine does to a machine whatever the bytes say, and checks after every step what must always be true.
func FuzzMachine(f *testing.F) {
	f.Add([]byte{0, 1, 2, 3, 4, 5, 6, 7}, uint64(1))
	seed := make([]byte, 400)
	for i := range seed {
		seed[i] = byte(rand.New(rand.NewPCG(1, uint64(i))).Uint32())
	}
	f.Add(seed, uint64(2))
	f.Fuzz(func(t *testing.T, script []byte, random uint64) {
		m := New(1, usual, rand.New(rand.NewPCG(random, 0)).Float64)
		now := start
		take := func() uint32 { // The next two bytes; 0 at the end.
			var b [2]byte
			script = script[copy(b[:], script):]
			return uint32(binary.BigEndian.Uint16(b[:]))
		}
		for len(script) > 0 {
			was := m.View()
			event := Kept
			switch what := take(); what % 8 {
			default:
				p := said(State(take()%4), func(p *Packet) {
					flags := take()
					p.Poll, p.Final, p.Demand = flags&1 != 0, flags&2 != 0, flags&4 != 0
					p.Multiplier = uint8(1 + take()%255)
					p.Mine = 1 + take()
					p.DesiredMinTx = time.Duration(take()*take()) * time.Microsecond
					p.RequiredMinRx = time.Duration(take()*take()) * time.Microsecond
				})
				event = m.Receive(now, p)
			case 5:
				now = now.Add(time.Duration(take()) * time.Duration(take()) * time.Microsecond)
				event = m.Expire(now)
			case 6:
				p := params(time.Duration(10+take())*ms, time.Duration(10+take())*ms)
				p.Multiplier, p.Passive = uint8(1+take()%255), take()&1 != 0
				m.Change(p)
			case 7:
				if take() == 7 {
					m.Leave()
				}
			}
			check(t, m, now, was, event)
		}
	})
}

// check takes what is due and holds the machine to its promises.
func check(t interface{ Fatalf(string, ...any) }, m *Machine, now time.Time, was View, event Event) {
	v := m.View()
	if rose, fell := was.State != Up && v.State == Up, was.State == Up && v.State != Up && v.State != AdminDown; rose != (event == CameUp) ||
		fell != (event == Failed || event == Withdrawn) {
		t.Fatalf("from %s to %s with event %d", was.State, v.State, event)
	}
	if (v.State == Up || v.State == Init) && v.Peer == 0 {
		t.Fatalf("%s with a peer that is not known", v.State)
	}
	if was.State == AdminDown && v.State != AdminDown {
		t.Fatalf("AdminDown is for good, and it is %s", v.State)
	}
	sent := sends(m, now)
	if len(sent) > 2 {
		t.Fatalf("sent %d packets at once", len(sent))
	}
	for _, p := range sent {
		if _, err := Parse(p.Append(nil)); err != nil {
			t.Fatalf("sent %+v, which is %v", p, err)
		}
		if p.State != v.State || p.Poll && p.Final || p.Mine != 1 || p.Yours != v.Peer || p.State != Up && p.DesiredMinTx < time.Second && p.State != AdminDown {
			t.Fatalf("sent %+v", p)
		}
	}
	m.Expire(now)
	sends(m, now)
	// What is left to do is at least the shortest of intervals away, so that no sequence of packets makes us spin.
	if from, by, ok := m.Next(); ok && (!from.After(now) || by.Before(from)) {
		t.Fatalf("at %v it wants to be asked again from %v, by %v", now, from, by)
	}
}

// TestTwoMachinesStayUp: whatever both ends change, and however the packets between them take their time within the
// detection time, no session that is up goes down.
func TestTwoMachinesStayUp(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		const delay = 5 * ms // On the way, less than any interval.
		random := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 0)).Float64
		draw := func() Parameters {
			interval := rapid.IntRange(10, 3000)
			return Parameters{
				DesiredMinTx:  time.Duration(interval.Draw(t, "tx")) * ms,
				RequiredMinRx: time.Duration(interval.Draw(t, "rx")) * ms,
				Multiplier:    uint8(rapid.IntRange(2, 5).Draw(t, "multiplier")),
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
					for _, p := range sends(m, now) {
						flying = append(flying, flight{now.Add(delay), 1 - i, p})
					}
				}
				next := until
				for _, m := range ends {
					from, by, ok := m.Next()
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
					case Failed, Withdrawn:
						t.Fatalf("down after %v, polite packets all along", now.Sub(start))
					case Kept:
					}
				}
				for _, m := range ends {
					if m.Expire(now) != Kept {
						t.Fatalf("expired after %v, with all packets in time: %+v", now.Sub(start), m.View())
					}
				}
			}
		}
		run(now.Add(20 * time.Second))
		for range rapid.IntRange(0, 10).Draw(t, "changes") {
			ends[rapid.IntRange(0, 1).Draw(t, "end")].Change(draw())
			run(now.Add(time.Duration(rapid.IntRange(0, 5000).Draw(t, "wait")) * ms))
		}
		run(now.Add(time.Minute))
		if ups != 2 {
			t.Fatalf("%d ends came up", ups)
		}
		for i, m := range ends {
			v, peer := m.View(), ends[1-i]
			if v.Polling || v.Transmit != max(m.want.DesiredMinTx, peer.want.RequiredMinRx) ||
				v.Receive != max(m.want.RequiredMinRx, peer.want.DesiredMinTx) {
				t.Fatalf("not what was agreed: %+v, with %+v and %+v", v, m.want, peer.want)
			}
		}
	})
}
