package lb

import (
	"net/netip"
	"strings"
	"testing"
)

func TestNetworkAddresses(t *testing.T) {
	for subnet, want := range map[string]string{
		"192.0.2.20/24": "192.0.2.0 192.0.2.255", "192.0.2.5/30": "192.0.2.4 192.0.2.7", "192.0.2.4/31": "", "192.0.2.4/32": "",
		"2001:db8::7/64": "2001:db8::", "2001:db8::6/127": "", "2001:db8::7/128": "",
	} {
		if got := strings.Join(Strings(NetworkAddresses(netip.MustParsePrefix(subnet))), " "); got != want {
			t.Errorf("of %s they are %q, want %q", subnet, got, want)
		}
	}
}
