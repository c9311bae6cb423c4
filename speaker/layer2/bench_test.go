package layer2

import (
	"encoding/binary"
	"fmt"
	"log/slog"
	"maps"
	"net/netip"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/mdlayher/ndp"
	"github.com/mdlayher/packet"
	"golang.org/x/sys/unix"
)

// holding returns a set of that many held addresses of both families, with vip4 and vip6 among them.
func holding(many int) addressSet {
	held := addressesOf(true, vip4, vip6)
	for i := uint32(0); len(held) < many; i++ {
		b := [16]byte{0x20, 1, 0xd, 0xb8, 1}
		binary.BigEndian.PutUint32(b[12:], i)
		maps.Copy(held, addressesOf(true, netip.AddrFrom16(b), netip.AddrFrom4([4]byte{10, b[13], b[14], b[15]})))
	}
	return held
}

// BenchmarkResponder_Answer: the cost of an answer must not grow with the number of addresses held.
func BenchmarkResponder_Answer(b *testing.B) {
	for _, many := range []int{10, 10_000} {
		held := holding(many)
		for _, test := range []struct {
			name   string
			handle func(mac, addressSet, []byte) outcome
			frame  []byte
			silent bool
		}{
			{"ARP", handleARP, request(broadcast, client4, vip4), false},
			{"ARP-ignored", handleARP, request(broadcast, client4, client4.Next()), true},
			{"NDP", handleNDP, solicit(groupMAC6, client6, group6, vip6), false},
			{"NDP-ignored", handleNDP, solicit(groupMAC6, client6, group6, vip6.Next()), true},
		} {
			b.Run(fmt.Sprintf("%s/held=%d", test.name, many), func(b *testing.B) {
				b.ReportAllocs()
				for b.Loop() {
					if h := test.handle(us, held, test.frame); (h.reply == nil) != test.silent {
						b.Fatal("wrong answer")
					}
				}
			})
		}
	}
}

// TestResponder_IgnoredFrameCostsNoMemory: a busy segment has many requests for other hosts.
func TestResponder_IgnoredFrameCostsNoMemory(t *testing.T) {
	held := holding(100)
	arpFrame := request(broadcast, client4, client4.Next())
	ndpFrame := solicit(groupMAC6, client6, group6, vip6.Next())
	if allocs := testing.AllocsPerRun(100, func() {
		if handleARP(us, held, arpFrame).reply != nil || handleNDP(us, held, ndpFrame).reply != nil {
			t.Fatal("answered")
		}
	}); allocs != 0 {
		t.Errorf("%v allocations", allocs)
	}
}

// BenchmarkResponder_AnswerOnTheWire measures from the far end of a cable how long an answer takes: ours, with 10,000
// addresses held, and the kernel's, for an address of its own on the same interface. It reports both medians; ours may
// be 200 µs longer.
func BenchmarkResponder_AnswerOnTheWire(b *testing.B) {
	s := newSegment(b, "near0")
	kernel4, kernel6 := netip.MustParseAddr("192.0.2.2"), netip.MustParseAddr("2001:db8::2")
	for _, own := range []string{"192.0.2.2/24", "2001:db8::2/64 nodad"} {
		if out, err := exec.CommandContext(b.Context(), "ip",
			append([]string{"addr", "add", "dev", "near0"}, strings.Fields(own)...)...).CombinedOutput(); err != nil {
			b.Fatalf("%v: %s", err, out)
		}
	}
	r := begin(b, Config{Log: slog.New(slog.DiscardHandler)})
	if err := r.Set(b.Context(), on([]string{"near0"}, slices.Collect(maps.Keys(holding(10_000)))...)); err != nil {
		b.Fatal(err)
	}
	ours := s.mac(b)
	for _, test := range []struct {
		name      string
		kind      int
		vip, own  netip.Addr
		ask       func(netip.Addr) []byte
		answering func(frame []byte, target netip.Addr) bool
	}{
		{
			"ARP", unix.ETH_P_ARP, vip4, kernel4,
			func(target netip.Addr) []byte { return request(ours, client4, target) },
			func(frame []byte, target netip.Addr) bool {
				p, ok := parseARP(frame)
				return ok && p.reply && p.to == client && p.sender == target
			},
		},
		{
			"NDP", unix.ETH_P_IPV6, vip6, kernel6,
			func(target netip.Addr) []byte {
				return solicit(ours, client6, target, target, link(ndp.Source, client))
			},
			func(frame []byte, target netip.Addr) bool {
				p, ok := parseIPv6(frame)
				return ok && p.to == client && p.source == target
			},
		},
	} {
		b.Run(test.name, func(b *testing.B) {
			conn := s.listen(b, test.kind)
			measure := func(target netip.Addr) time.Duration {
				frame, buffer := test.ask(target), make([]byte, maxFrameLength)
				begin := time.Now()
				if _, err := conn.WriteTo(frame, &packet.Addr{HardwareAddr: frame[:6]}); err != nil {
					b.Fatal(err)
				}
				for {
					n, _, err := conn.ReadFrom(buffer)
					if err != nil {
						b.Fatal(err)
					}
					if test.answering(buffer[:n], target) {
						return time.Since(begin)
					}
				}
			}
			if err := conn.SetReadDeadline(time.Now().Add(time.Minute)); err != nil {
				b.Fatal(err)
			}
			var vips, kernels []time.Duration
			for b.Loop() {
				kernels, vips = append(kernels, measure(test.own)), append(vips, measure(test.vip))
			}
			b.ReportMetric(0, "ns/op") // The sum of both has no meaning.
			b.ReportMetric(median(kernels), "µs-kernel")
			b.ReportMetric(median(vips), "µs-ours")
		})
	}
}

// median returns the median in microseconds.
func median(all []time.Duration) float64 {
	slices.Sort(all)
	return float64(all[len(all)/2].Nanoseconds()) / 1000
}
