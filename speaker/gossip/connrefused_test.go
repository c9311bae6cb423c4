package gossip

import (
	"errors"
	"net/netip"
	"strings"
	"testing"

	"github.com/daymark-lb/daymark/internal/netnstest"
)

// A firewall that rejects must not make two speakers think themselves alone.
func TestRefusedByHost_IsNotFooledByAFirewall(t *testing.T) {
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
				t.Errorf("%v: a firewall that rejects is taken for the host", port)
			}
		})
	}
}

func TestDescribe_SaysWhatAFailureMeans(t *testing.T) {
	for text, want := range map[string]string{
		"1 error occurred:\n\t* failed to join 1.2.3.4:7946: dial tcp: connect: connection refused": "refused",
		"failed to join 1.2.3.4:7946: dial tcp: i/o timeout":                                        "nothing answers",
		"failed to join 1.2.3.4:7946: EOF":                                                          "key",
		"something\n\t* new":                                                                        "something * new",
	} {
		if got := describe(errors.New(text)); !strings.Contains(got, want) {
			t.Errorf("%q became %q, want %q in it", text, got, want)
		}
	}
}
