package gossip

import (
	"log/slog"
	"net/netip"
	"runtime"
	"testing"
)

// A buffer for the largest datagram, allocated for each, would be most of what a speaker allocates.
func TestTransport_ADatagramAllocatesItsOwnLengthOnly(t *testing.T) {
	at := func(text string) netip.AddrPort { return netip.MustParseAddrPort(text) }
	from, err := listen(at("127.0.3.1:0"), slog.New(slog.DiscardHandler), anybody("127.0.3.1", "127.0.3.2"), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer from.Shutdown()
	to, err := listen(at("127.0.3.2:0"), slog.New(slog.DiscardHandler), anybody("127.0.3.1", "127.0.3.2"), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer to.Shutdown()
	ip, port, _ := to.FinalAdvertiseAddr("", 0)
	addr, _ := netip.AddrFromSlice(ip)
	there := netip.AddrPortFrom(addr, uint16(port)).String()

	const many = 1000
	message := append(append([]byte{}, labelled...), make([]byte, 91)...)
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	for range many {
		if _, err := from.WriteTo(message, there); err != nil {
			t.Fatal(err)
		}
		if p := <-to.PacketCh(); len(p.Buf) != len(message) || p.From.String() == there {
			t.Fatalf("%d bytes from %s", len(p.Buf), p.From)
		}
	}
	runtime.ReadMemStats(&after)
	if each := (after.TotalAlloc - before.TotalAlloc) / many; each > 2048 {
		t.Errorf("a datagram of %d bytes costs %d", len(message), each)
	}
	for range 2 { // memberlist may have done so already.
		if err := from.Shutdown(); err != nil {
			t.Error(err)
		}
	}
}

// anybody is a guard that takes some addresses for those of nodes.
func anybody(addresses ...string) *guard {
	nodes := map[netip.Addr]struct{}{}
	for _, addr := range addresses {
		nodes[netip.MustParseAddr(addr)] = struct{}{}
	}
	return newGuard(func() map[netip.Addr]struct{} { return nodes }, func() int { return 0 }, func() {})
}
