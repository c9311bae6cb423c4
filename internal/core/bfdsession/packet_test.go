package bfdsession

import (
	"errors"
	"testing"
	"time"
)

// encodedPacket is a valid packet.
func encodedPacket() []byte {
	return []byte{
		0x20 | 3, 0xc0 | 0x20, 5, 24,
		0, 0, 0, 2, 0, 0, 0, 1,
		0, 0x04, 0x93, 0xe0, // 300 ms
		0, 0x01, 0x86, 0xa0, // 100 ms
		0, 0, 0x03, 0xe8, // 1 ms
	}
}

func TestPacket_Encoding(t *testing.T) {
	want := Packet{
		Diag: DiagNeighborSignaledDown, State: Up, Poll: true, DetectMult: 5, MyDiscriminator: 2, YourDiscriminator: 1,
		DesiredMinTx: 300 * ms, RequiredMinRx: 100 * ms, RequiredMinEchoRx: ms,
	}
	if got, err := Parse(encodedPacket()); err != nil || got != want {
		t.Errorf("parsed %+v, %v", got, err)
	}
	if got := want.Append(nil); string(got) != string(encodedPacket()) {
		t.Errorf("wrote %x, want %x", got, encodedPacket())
	}
	for flag, change := range map[byte]func(*Packet){
		0x20: func(p *Packet) { p.Poll = true }, 0x10: func(p *Packet) { p.Final = true },
		0x08: func(p *Packet) { p.ControlPlaneIndependent = true }, 0x02: func(p *Packet) { p.Demand = true },
	} {
		p := Packet{State: Down, DetectMult: 1, MyDiscriminator: 1}
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

func TestPacket_IntervalThatDoesNotFit(t *testing.T) {
	p := Packet{State: Down, DetectMult: 1, MyDiscriminator: 1, DesiredMinTx: 1000 * time.Hour, RequiredMinRx: -time.Second}
	back, err := Parse(p.Append(nil))
	if err != nil || back.DesiredMinTx != 4294967295*time.Microsecond || back.RequiredMinRx != 0 {
		t.Errorf("%+v, %v", back, err)
	}
}

// TestPacket_Discarded makes the checks of RFC 5880 section 6.8.6 that need no session.
func TestPacket_Discarded(t *testing.T) {
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
		{"an empty datagram", func([]byte) []byte { return nil }, DiscardShort},
		{"a byte is missing", func(b []byte) []byte { return b[:PacketSize-1] }, DiscardShort},
		{"version 0", set(0, 3), DiscardVersion},
		{"version 2", set(0, 0x40|3), DiscardVersion},
		{"a length below the least", set(3, PacketSize-1), DiscardLength},
		{"a length beyond the datagram", set(3, PacketSize+1), DiscardLength},
		{"multiplier 0", set(2, 0), DiscardDetectMult},
		{"multipoint", set(1, 0xc1), DiscardMultipoint},
		{"no discriminator of its own", set(7, 0), DiscardDiscriminator},
		{"up without ours", set(11, 0), DiscardState},
		{"init without ours", func(b []byte) []byte { b[1], b[11] = 0x80, 0; return b }, DiscardState},
		{"down without ours", func(b []byte) []byte { b[1], b[11] = 0x40, 0; return b }, nil},
		{"admin down without ours", func(b []byte) []byte { b[1], b[11] = 0, 0; return b }, nil},
		{"authentication, and we use none", set(1, 0xc4), DiscardAuthentication},
		{"authentication with its section", func(b []byte) []byte {
			b[1], b[3] = 0xc4, PacketSize+2
			return append(b, 1, 2)
		}, DiscardAuthentication},
	} {
		t.Run(row.name, func(t *testing.T) {
			if _, err := Parse(row.change(encodedPacket())); !errors.Is(err, row.want) {
				t.Errorf("%v, want %v", err, row.want)
			}
		})
	}
}
