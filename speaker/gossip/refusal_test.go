package gossip

import (
	"net/netip"
	"testing"

	"github.com/daymark-lb/daymark/internal/netnstest"
)

// A firewall that rejects must not make two speakers think themselves alone.
func TestOnlyTheHostItselfSaysThatNobodyIsThere(t *testing.T) {
	netnstest.NeedProgram(t, "nft")
	host := netnstest.New(t)
	for _, at := range []string{"127.0.0.1", "::1"} {
		port := netip.AddrPortFrom(netip.MustParseAddr(at), 7946)
		host.Do(t, func() {
			if !refusedByHost(port) {
				t.Errorf("%v: a port that nobody listens on is not refused by the host", port)
			}
		})
	}
	host.Run(t, "nft", "add table inet f; add chain inet f in { type filter hook input priority 0; }; add rule inet f in tcp dport 7946 reject with icmpx type port-unreachable")
	for _, at := range []string{"127.0.0.1", "::1"} {
		port := netip.AddrPortFrom(netip.MustParseAddr(at), 7946)
		host.Do(t, func() {
			if refusedByHost(port) {
				t.Errorf("%v: a firewall that rejects passes for the host", port)
			}
		})
	}
}
