package layer2

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"testing"
)

// holding returns a set of so many addresses of both families, the tests' own among them.
func holding(many int) set {
	held := set{vip4: {}, vip6: {}}
	for i := uint32(0); len(held) < many; i++ {
		b := [16]byte{0x20, 1, 0xd, 0xb8, 1}
		binary.BigEndian.PutUint32(b[12:], i)
		held[netip.AddrFrom16(b)] = struct{}{}
		held[netip.AddrFrom4([4]byte{10, b[13], b[14], b[15]})] = struct{}{}
	}
	return held
}

// BenchmarkAnswer: the cost of an answer must not grow with the number of addresses held.
func BenchmarkAnswer(b *testing.B) {
	for _, many := range []int{10, 10_000} {
		held := holding(many)
		for _, test := range []struct {
			name   string
			answer func(mac, set, []byte) []byte
			frame  []byte
			silent bool
		}{
			{"ARP", answerARP, request(broadcast, client4, vip4), false},
			{"ARP-ignored", answerARP, request(broadcast, client4, client4.Next()), true},
			{"NDP", answerNDP, solicit(groupMAC6, client6, group6, vip6), false},
			{"NDP-ignored", answerNDP, solicit(groupMAC6, client6, group6, vip6.Next()), true},
		} {
			b.Run(fmt.Sprintf("%s/held=%d", test.name, many), func(b *testing.B) {
				b.ReportAllocs()
				for b.Loop() {
					if reply := test.answer(us, held, test.frame); (reply == nil) != test.silent {
						b.Fatal("wrong answer")
					}
				}
			})
		}
	}
}

// TestAnIgnoredFrameCostsNoMemory: a busy segment asks for others all day.
func TestAnIgnoredFrameCostsNoMemory(t *testing.T) {
	held := holding(100)
	arpFrame := request(broadcast, client4, client4.Next())
	ndpFrame := solicit(groupMAC6, client6, group6, vip6.Next())
	if allocs := testing.AllocsPerRun(100, func() {
		if answerARP(us, held, arpFrame) != nil || answerNDP(us, held, ndpFrame) != nil {
			t.Fatal("answered")
		}
	}); allocs != 0 {
		t.Errorf("%v allocations", allocs)
	}
}
