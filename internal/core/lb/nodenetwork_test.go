package lb

import (
	"net/netip"
	"strings"
	"testing"

	"github.com/daymark-lb/daymark/api/v1beta1"
)

func TestParseNodeNetwork(t *testing.T) {
	speaker := &v1beta1.Speaker{Status: v1beta1.SpeakerStatus{Network: v1beta1.SpeakerNetwork{
		Addresses: []string{"192.0.2.11/24", "of a later version"}, MoreAddresses: []string{"192.0.2.20-192.0.2.21", "2001:db8::/126", "of a later version"},
		Gateways: []string{"192.0.2.1", "of a later version"},
	}}}
	got := ParseNodeNetwork(speaker)
	for addr, want := range map[string]bool{
		"192.0.2.11": true, "192.0.2.12": false, "192.0.2.20": true, "192.0.2.21": true, "192.0.2.22": false, "2001:db8::3": true, "2001:db8::4": false,
	} {
		if got.Has(netip.MustParseAddr(addr)) != want {
			t.Errorf("that it has %s is said to be %t", addr, !want)
		}
	}
	if len(got.Gateways) != 1 {
		t.Errorf("its gateways are %v", got.Gateways)
	}
}

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
