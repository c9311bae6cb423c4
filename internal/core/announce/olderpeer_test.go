package announce

import (
	"net/netip"
	"testing"
)

func TestOlderPeer_IsReadFromTheProblemOfASession(t *testing.T) {
	for _, router := range []string{"192.0.2.1:179", "[2001:db8::1]:179", "[fe80::1%eth0]:1179"} {
		if got := OlderPeer(OlderText("tor.a", Router{Addr: netip.MustParseAddrPort(router)})); got != "tor.a" {
			t.Errorf("the session with %s is overridden by %q", router, got)
		}
	}
	for _, other := range []string{"", "dial 192.0.2.1:179: connection refused", "BGPPeer tor", "BGPPeer tor names the same router, 192.0.2.1:179"} {
		if got := OlderPeer(other); got != "" {
			t.Errorf("by %q a session is overridden by %s", other, got)
		}
	}
}
