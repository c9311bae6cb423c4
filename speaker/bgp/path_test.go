package bgp

import (
	"net/netip"
	"testing"

	"github.com/daymark-lb/daymark/internal/lb"
	"github.com/daymark-lb/daymark/speaker/announce"
)

func TestNextHopIsThisEndOfTheSession(t *testing.T) {
	loopback, elsewhere, six := netip.MustParseAddr("127.0.0.1"), netip.MustParseAddr("192.0.2.9"), netip.MustParseAddr("2001:db8::9")
	session := announce.Session{Address: loopback, Port: 179, NextHop4: elsewhere, NextHop6: six}
	sourced := session
	sourced.Source = netip.MustParseAddr("127.0.0.2")
	unreachable := session
	unreachable.VRF = "red"
	for _, test := range []struct {
		name    string
		session announce.Session
		family  lb.Family
		want    netip.Addr
	}{
		{"the address that the kernel dials from, not the node's own", session, lb.IPv4, loopback},
		{"the source that is configured", sourced, lb.IPv4, sourced.Source},
		{"the node's own for the other family", session, lb.IPv6, six},
		{"the node's own where the kernel's choice is not known", unreachable, lb.IPv4, elsewhere},
	} {
		t.Run(test.name, func(t *testing.T) {
			if got, err := nextHopOf(&test.session, test.family); err != nil || got != test.want {
				t.Errorf("next hop %s and error %v, want %s", got, err, test.want)
			}
		})
	}
	if _, err := nextHopOf(&announce.Session{Address: loopback, Port: 179}, lb.IPv6); err == nil {
		t.Error("a family without a next hop is no error")
	}
}
