package bfdsession

import (
	"errors"
	"testing"
	"time"
)

// wire is a good packet as it travels.
func wire() []byte {
	return []byte{
		0x20 | 3, 0xc0 | 0x20, 5, 24,
		0, 0, 0, 2, 0, 0, 0, 1,
		0, 0x04, 0x93, 0xe0, // 300 ms
		0, 0x01, 0x86, 0xa0, // 100 ms
		0, 0, 0x03, 0xe8, // 1 ms
	}
}

func TestPacketOnTheWire(t *testing.T) {
	want := Packet{
		Diag: DiagNeighborDown, State: Up, Poll: true, Multiplier: 5, Mine: 2, Yours: 1,
		DesiredMinTx: 300 * ms, RequiredMinRx: 100 * ms, RequiredMinEchoRx: ms,
	}
	if got, err := Parse(wire()); err != nil || got != want {
		t.Errorf("parsed %+v, %v", got, err)
	}
	if got := want.Append(nil); string(got) != string(wire()) {
		t.Errorf("wrote %x, want %x", got, wire())
	}
	for flag, change := range map[byte]func(*Packet){
		0x20: func(p *Packet) { p.Poll = true }, 0x10: func(p *Packet) { p.Final = true },
		0x08: func(p *Packet) { p.Independent = true }, 0x02: func(p *Packet) { p.Demand = true },
	} {
		p := Packet{State: Down, Multiplier: 1, Mine: 1}
		change(&p)
		written := p.Append(nil)
		if written[1] != 0x40|flag {
			t.Errorf("flag %#x is written as %#x", flag, written[1])
		}
		if back, err := Parse(written); err != nil || back != p {
			t.Errorf("flag %#x is read as %+v, %v", flag, back, err)
		}
	}
}

func TestAnIntervalThatDoesNotFit(t *testing.T) {
	p := Packet{State: Down, Multiplier: 1, Mine: 1, DesiredMinTx: 1000 * time.Hour, RequiredMinRx: -time.Second}
	back, err := Parse(p.Append(nil))
	if err != nil || back.DesiredMinTx != 4294967295*time.Microsecond || back.RequiredMinRx != 0 {
		t.Errorf("%+v, %v", back, err)
	}
}

// TestWhatIsDiscarded are the checks of RFC 5880 section 6.8.6 that come before the session is known.
func TestWhatIsDiscarded(t *testing.T) {
	set := func(at int, value byte) func([]byte) []byte {
		return func(b []byte) []byte { b[at] = value; return b }
	}
	for _, row := range []struct {
		name   string
		change func([]byte) []byte
		want   error
	}{
		{"nothing wrong", func(b []byte) []byte { return b }, nil},
		{"more in the datagram than the packet", func(b []byte) []byte { return append(b, 1, 2, 3) }, nil},
		{"an empty datagram", func([]byte) []byte { return nil }, FaultShort},
		{"a byte is missing", func(b []byte) []byte { return b[:Size-1] }, FaultShort},
		{"version 0", set(0, 3), FaultVersion},
		{"version 2", set(0, 0x40|3), FaultVersion},
		{"a length below the least", set(3, Size-1), FaultLength},
		{"a length beyond the datagram", set(3, Size+1), FaultLength},
		{"multiplier 0", set(2, 0), FaultMultiplier},
		{"multipoint", set(1, 0xc1), FaultMultipoint},
		{"no discriminator of its own", set(7, 0), FaultDiscriminator},
		{"up without ours", set(11, 0), FaultState},
		{"init without ours", func(b []byte) []byte { b[1], b[11] = 0x80, 0; return b }, FaultState},
		{"down without ours", func(b []byte) []byte { b[1], b[11] = 0x40, 0; return b }, nil},
		{"admin down without ours", func(b []byte) []byte { b[1], b[11] = 0, 0; return b }, nil},
		{"authentication, and we use none", set(1, 0xc4), FaultAuth},
		{"authentication with its section", func(b []byte) []byte {
			b[1], b[3] = 0xc4, Size+2
			return append(b, 1, 2)
		}, FaultAuth},
	} {
		t.Run(row.name, func(t *testing.T) {
			if _, err := Parse(row.change(wire())); !errors.Is(err, row.want) {
				t.Errorf("%v, want %v", err, row.want)
			}
		})
	}
}
