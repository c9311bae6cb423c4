package announce

import (
	"fmt"
	"net/netip"
	"testing"

	"github.com/daymark-lb/daymark/api/v1beta1"
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
		{"not on a bridge of containers that each node has", []lb.Link{link("docker0", "203.0.113.2/25")}, "192.0.2.12", "[]"},
		{"not our own address", []lb.Link{link("eth0", "192.0.2.11/24")}, "192.0.2.11", "[]"},
		{"not without a subnet", []lb.Link{link("eth2", "203.0.113.201/32")}, "203.0.113.201", "[]"},
		{"not on a link that is down", []lb.Link{down}, "192.0.2.12", "[]"},
	} {
		if got := fmt.Sprint(SharedAddresses(own, test.others, nil, []netip.Addr{netip.MustParseAddr(test.known)})); got != test.want {
			t.Errorf("%s: %s, not %s", test.name, got, test.want)
		}
	}
}

// A node may have its address on a bridge that is called like one of containers: br-eno1 of MAAS, br-ex of Open vSwitch.
func TestSharedAddresses_OnABridgeOfTheNodes(t *testing.T) {
	bridge := func(v4, v6 string) []lb.Link {
		return []lb.Link{{Name: "br-eno1", Up: true, Addresses: []netip.Prefix{netip.MustParsePrefix(v4), netip.MustParsePrefix(v6)}}}
	}
	own, others := bridge("192.0.2.11/24", "2001:db8::11/64"), bridge("192.0.2.12/24", "2001:db8::12/64")
	none, both := "[]", "[{192.0.2.12/24 [br-eno1]} {2001:db8::12/64 [br-eno1]}]"
	for _, test := range []struct {
		name                   string
		interfaces             []string
		ownAddress, itsAddress string
		want                   string
	}{
		{"nobody says that it leads to other nodes", nil, "198.51.100.1", "198.51.100.2", none},
		{"this node's address is on it", nil, "192.0.2.11", "198.51.100.2", both},
		{"the other's address is on it", nil, "198.51.100.1", "192.0.2.12", "[{192.0.2.12/24 [br-eno1]}]"},
		{"an advertisement names it", []string{"br-eno*"}, "198.51.100.1", "198.51.100.2", both},
	} {
		advertisement := lb.ParseL2Advertisement(&v1beta1.L2Advertisement{Spec: v1beta1.L2AdvertisementSpec{Interfaces: test.interfaces}})
		outer := OuterLinks(own, []*lb.L2Advertisement{advertisement}, []netip.Addr{netip.MustParseAddr(test.ownAddress)})
		if got := fmt.Sprint(SharedAddresses(own, others, outer, []netip.Addr{netip.MustParseAddr(test.itsAddress)})); got != test.want {
			t.Errorf("%s: %s, not %s", test.name, got, test.want)
		}
	}
}

// Of a node that has not said which links it has, Kubernetes knows the addresses.
func TestNeighborAddresses(t *testing.T) {
	own := []lb.Link{
		{Name: "docker0", Up: true, Addresses: []netip.Prefix{netip.MustParsePrefix("203.0.113.1/25")}},
		{Name: "eth0", Up: true, Addresses: []netip.Prefix{netip.MustParsePrefix("192.0.2.11/24"), netip.MustParsePrefix("2001:db8::11/64")}},
		{Name: "br-ex", Up: true, Addresses: []netip.Prefix{netip.MustParsePrefix("198.51.100.11/24")}},
		{Name: "eth1", Up: true, Addresses: []netip.Prefix{netip.MustParsePrefix("203.0.113.200/32")}},
	}
	var known []netip.Addr
	for _, text := range []string{"192.0.2.12", "2001:db8::12", "198.51.100.12", "203.0.113.2", "203.0.113.200", "192.0.2.11", "2001:db8:1::1"} {
		known = append(known, netip.MustParseAddr(text))
	}
	want := "[{192.0.2.12/24 [eth0]} {2001:db8::12/64 [eth0]} {198.51.100.12/24 [br-ex]}]"
	if got := fmt.Sprint(NeighborAddresses(own, []string{"br-ex"}, known)); got != want {
		t.Errorf("%s, not %s", got, want)
	}
}
