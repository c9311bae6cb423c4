package ipam

import (
	"net/netip"
	"testing"

	"github.com/daymark-lb/daymark/internal/core/lb"
	"github.com/daymark-lb/daymark/internal/core/reason"
)

// network is what the speaker of node n1 reports: addresses with their subnets, and gateways.
func network(addresses, gateways []string) lb.NodeNetwork {
	n := lb.NodeNetwork{Node: "n1"}
	for _, text := range addresses {
		n.Addresses = append(n.Addresses, netip.MustParsePrefix(text))
	}
	for _, text := range gateways {
		n.Gateways = append(n.Gateways, netip.MustParseAddr(text))
	}
	return n
}

func external(addrs ...string) func(*lb.Service) {
	return func(s *lb.Service) {
		s.ExternalIPs = nil
		for _, text := range addrs {
			s.ExternalIPs = append(s.ExternalIPs, netip.MustParseAddr(text))
		}
	}
}

func plain(s *lb.Service) { s.LoadBalancer = false }

func TestCompute_NeverGives(t *testing.T) {
	for _, test := range []struct {
		name string
		pool string
		// set makes the first address of the pool one that is never given.
		set func(*fixture)
		// second is the address that a Service gets in its place.
		first, second string
		reason        reason.Reason
		text          string
	}{
		{
			"an address that a node's kernel has on any interface", "192.0.2.8/29",
			func(s *fixture) { s.networks = []lb.NodeNetwork{network([]string{"192.0.2.8/32"}, nil)} },
			"192.0.2.8", "192.0.2.9", ReasonTaken, "it is node n1's own",
		},
		{
			"one of so many that its Speaker object has only their ranges", "192.0.2.8/29",
			func(s *fixture) {
				s.networks = []lb.NodeNetwork{{Node: "n1", More: []lb.Range{lb.RangeOf(netip.MustParsePrefix("192.0.2.8/32"))}}}
			},
			"192.0.2.8", "192.0.2.9", ReasonTaken, "it is node n1's own",
		},
		{
			"a default gateway", "192.0.2.8/29",
			func(s *fixture) { s.networks = []lb.NodeNetwork{network(nil, []string{"192.0.2.8"})} },
			"192.0.2.8", "192.0.2.9", ReasonTaken, "it is the default gateway of node n1",
		},
		{
			"a router", "192.0.2.8/29",
			func(s *fixture) {
				s.routers = []lb.PeerAddress{{Addr: netip.MustParseAddr("192.0.2.8"), Peer: "tor"}}
			},
			"192.0.2.8", "192.0.2.9", ReasonTaken, "it is the router of BGPPeer tor",
		},
		{
			"the network address of a subnet", "192.0.2.0/29",
			func(s *fixture) { s.networks = []lb.NodeNetwork{network([]string{"192.0.2.20/24"}, nil)} },
			"192.0.2.0", "192.0.2.1", ReasonPoolNotEligible, "no host may have it in the subnet 192.0.2.0/24",
		},
		{
			"the broadcast address of a subnet", "192.0.2.7-192.0.2.8",
			func(s *fixture) { s.networks = []lb.NodeNetwork{network([]string{"192.0.2.2/29"}, nil)} },
			"192.0.2.7", "192.0.2.8", ReasonPoolNotEligible, "no host may have it in the subnet 192.0.2.0/29",
		},
		{
			"the subnet-router anycast address", "2001:db8::/64",
			func(s *fixture) { s.networks = []lb.NodeNetwork{network([]string{"2001:db8::99/64"}, nil)} },
			"2001:db8::", "2001:db8::1", ReasonPoolNotEligible, "no host may have it in the subnet 2001:db8::/64",
		},
		{
			"an address in externalIPs of a Service of whatever type", "192.0.2.8/29",
			func(s *fixture) { s.service("other/web", plain, external("192.0.2.8")) },
			"192.0.2.8", "192.0.2.9", ReasonTaken, "it is in spec.externalIPs of a Service of another namespace",
		},
		{
			"a cluster IP", "10.96.255.255-10.97.0.0",
			func(s *fixture) {
				s.serviceCIDRs = []lb.NamedRange{{Range: lb.RangeOf(netip.MustParsePrefix("10.96.0.0/16")), Name: "ServiceCIDR kubernetes"}}
			},
			"10.96.255.255", "10.97.0.0", ReasonPoolNotEligible, "it is in ServiceCIDR kubernetes",
		},
		{
			"a pod's range", "10.244.1.255-10.244.2.0",
			func(s *fixture) {
				s.nodes = []*lb.Node{{Name: "n1", PodCIDRs: []lb.Range{lb.RangeOf(netip.MustParsePrefix("10.244.1.0/24"))}}}
			},
			"10.244.1.255", "10.244.2.0", ReasonPoolNotEligible, "it is in the pod range of node n1",
		},
		{"unspecified", "0.255.255.255-1.0.0.0", func(*fixture) {}, "0.255.255.255", "1.0.0.0", ReasonPoolNotEligible, "it is in a range of unspecified addresses"},
		{"unspecified and loopback of IPv6", "::-::2", func(*fixture) {}, "::", "::2", ReasonPoolNotEligible, "it is in a range of unspecified addresses"},
		{"link-local of IPv6", "febf:ffff:ffff:ffff:ffff:ffff:ffff:ffff-fec0::", func(*fixture) {}, "febf:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "fec0::", ReasonPoolNotEligible, "it is in a range of link-local addresses"},
		{"multicast of IPv6", "feff::-feff::1 ff02::1", func(*fixture) {}, "ff02::1", "feff::", ReasonPoolNotEligible, "it is in a range of multicast addresses"},
		{"loopback", "127.255.255.255-128.0.0.0", func(*fixture) {}, "127.255.255.255", "128.0.0.0", ReasonPoolNotEligible, "it is in a range of loopback addresses"},
		{"link-local", "169.254.255.255-169.255.0.0", func(*fixture) {}, "169.254.255.255", "169.255.0.0", ReasonPoolNotEligible, "it is in a range of link-local addresses"},
		{"multicast", "239.255.255.255-240.0.0.0", func(*fixture) {}, "239.255.255.255", "240.0.0.0", ReasonPoolNotEligible, "it is in a range of multicast addresses"},
	} {
		t.Run(test.name, func(t *testing.T) {
			ofFamily := func(service *lb.Service) {
				service.Families = []lb.Family{lb.FamilyOf(netip.MustParseAddr(test.first))}
			}
			s := newFixture(t)
			s.pool("p", test.pool)
			test.set(s)
			s.service("any", ofFamily)
			s.service("asks", ofFamily, asks(test.first))
			s.pass().has("any", test.second)
			s.has("asks", "")
			s.says("asks", test.reason, test.text)
			if count := s.use("p").Count(lb.FamilyOf(netip.MustParseAddr(test.first))); count.Available.Sign() < 0 || count.Reserved.Sign() != 0 {
				t.Errorf("%s available: %s", count.Available, count)
			}

			// What is given already is kept, and the condition says so.
			s = newFixture(t)
			s.pool("p", test.pool)
			s.service("has", ofFamily, asks(test.first))
			s.memory = Memory{}
			s.edit("has", writes(test.first))
			test.set(s)
			s.pass().has("has", test.first)
			s.says("has", ReasonAssigned, "from pool p, which")
			if count := s.use("p").Count(lb.FamilyOf(netip.MustParseAddr(test.first))); count.Available.Sign() < 0 || count.Assigned != 1 {
				t.Errorf("%s available: %s", count.Available, count)
			}
		})
	}
}

func TestCompute_NetworkAddressesCanBeAllowed(t *testing.T) {
	s := newFixture(t)
	s.pool("p", "192.0.2.0/31", func(p *lb.Pool) { p.AllowNetworkAddresses = true })
	s.networks = []lb.NodeNetwork{network([]string{"192.0.2.20/24"}, nil)}
	s.service("a")
	s.pass().has("a", "192.0.2.0")
}

func TestCompute_ExternalIPs(t *testing.T) {
	t.Run("a Service may have its own", func(t *testing.T) {
		s := newFixture(t)
		s.pool("p", "192.0.2.0/28")
		s.service("a", asks("192.0.2.5"), external("192.0.2.5"))
		s.pass().has("a", "192.0.2.5")
		s.says("a", ReasonAssigned)
	})
	t.Run("a namespace blocks no more than it may hold", func(t *testing.T) {
		s := newFixture(t)
		s.pool("p", "192.0.2.0/30", func(p *lb.Pool) { p.MaxPerNamespace = 1 })
		s.service("evil/a", plain, external("192.0.2.0", "192.0.2.1"))
		s.service("evil/b", plain, external("192.0.2.2", "192.0.2.3"))
		s.service("good")
		s.pass().has("good", "192.0.2.1")
	})
	t.Run("nobody is kept from joining an address that is given", func(t *testing.T) {
		s := newFixture(t)
		s.pool("p", "192.0.2.0/28")
		s.service("a", shares("k", 80))
		s.pass().has("a", "192.0.2.0")
		s.service("evil/x", plain, external("192.0.2.0"))
		s.service("b", shares("k", 81))
		s.pass().has("b", "192.0.2.0")
		s.has("a", "192.0.2.0")
	})
}

func TestCompute_PoolNamesWhatItNeverGives(t *testing.T) {
	s := newFixture(t)
	s.pool("p", "126.255.255.255-127.0.0.3 192.0.2.0/28")
	s.networks = []lb.NodeNetwork{network([]string{"192.0.2.5/24"}, []string{"192.0.2.1"})}
	s.pass()
	use := s.use("p")
	if len(use.Blocked) != 1 || use.Blocked[0].Range.String() != "127.0.0.0/30" || use.Blocked[0].Name != "loopback" {
		t.Errorf("blocked %v", use.Blocked)
	}
	if len(use.Nodes) != 2 || !use.Nodes[0].Gateway || use.Nodes[1].Node != "n1" {
		t.Errorf("nodes %v", use.Nodes)
	}
	s.service("x", plain, external("192.0.2.9"))
	s.pass()
	if left := s.use("p").Left; len(left) != 2 || left[0].Range.String() != "192.0.2.0" || left[0].Cause != NetworkAddress || left[1].Cause != ExternalIP {
		t.Errorf("left out %v", left)
	}
	// 1 + 16, without the gateway, the node's own and the network address.
	if got := use.IPv4.Available.Int64(); got != 14 {
		t.Errorf("%d available: %s", got, use.IPv4)
	}
}

func TestPlanner_DecidesAnewWhenARouterComes(t *testing.T) {
	s := newFixture(t)
	s.pool("p", "192.0.2.8/29")
	s.service("web")
	s.pass().has("web", "192.0.2.8")
	var planner Planner
	for range 3 {
		planner.Compute(s.world())
	}
	plan := planner.Compute(s.world())
	if _, all := plan.Decided(); all {
		t.Fatal("it decides anew though nothing has changed")
	}
	s.routers = []lb.PeerAddress{{Addr: netip.MustParseAddr("192.0.2.8"), Peer: "tor"}}
	plan = planner.Compute(s.world())
	if _, all := plan.Decided(); !all || len(plan.Pools[0].Nodes) != 1 || plan.Pools[0].Nodes[0].Peer != "tor" {
		t.Errorf("it decides on all: %t, nodes %v", all, plan.Pools[0].Nodes)
	}
}
