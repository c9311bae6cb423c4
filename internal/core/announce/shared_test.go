package announce

import (
	"fmt"
	"net/netip"
	"testing"

	"github.com/daymark-lb/daymark/internal/core/lb"
)

func TestSharedAddresses(t *testing.T) {
	link := func(name string, addresses ...string) lb.Link {
		l := lb.Link{Name: name, Up: true}
		for _, text := range addresses {
			l.Addresses = append(l.Addresses, netip.MustParsePrefix(text))
		}
		return l
	}
	own := []lb.Link{
		link("eth0", "192.0.2.11/24", "2001:db8::11/64", "fe80::1/64"), link("eth1", "198.51.100.1/24"), link("docker0", "203.0.113.1/25"), link("eth2", "203.0.113.200/32"),
	}
	down := link("eth0", "192.0.2.12/24")
	down.Up = false
	for _, test := range []struct {
		name   string
		others []lb.Link
		known  string
		want   string
	}{
		{"those of both families", []lb.Link{link("eth0", "192.0.2.12/24", "2001:db8::12/64", "fe80::2/64")}, "192.0.2.12", "[{192.0.2.12/24 [eth0]} {2001:db8::12/64 [eth0]}]"},
		{"that which Kubernetes knows comes first", []lb.Link{link("eth0", "192.0.2.12/24"), link("eth1", "198.51.100.2/24")}, "198.51.100.2", "[{198.51.100.2/24 [eth1]} {192.0.2.12/24 [eth0]}]"},
		{"else the lowest", []lb.Link{link("eth1", "198.51.100.2/24"), link("eth0", "192.0.2.12/24")}, "203.0.113.9", "[{192.0.2.12/24 [eth0]} {198.51.100.2/24 [eth1]}]"},
		{"not behind a router", []lb.Link{link("eth0", "203.0.113.130/26")}, "203.0.113.130", "[]"},
		{"not on a bridge of containers that each node has", []lb.Link{link("docker0", "203.0.113.2/25")}, "203.0.113.2", "[]"},
		{"not our own address", []lb.Link{link("eth0", "192.0.2.11/24")}, "192.0.2.11", "[]"},
		{"not without a subnet", []lb.Link{link("eth2", "203.0.113.201/32")}, "203.0.113.201", "[]"},
		{"not on a link that is down", []lb.Link{down}, "192.0.2.12", "[]"},
	} {
		if got := fmt.Sprint(SharedAddresses(own, test.others, []netip.Addr{netip.MustParseAddr(test.known)})); got != test.want {
			t.Errorf("%s: %s, not %s", test.name, got, test.want)
		}
	}
}
