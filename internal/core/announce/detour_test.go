package announce

import (
	"net/netip"
	"slices"
	"testing"

	"github.com/daymark-lb/daymark/internal/core/lb"
)

func TestDetours_TheDefaultRouteLeavesElsewhere(t *testing.T) {
	subnet := netip.MustParsePrefix("192.0.2.0/24")
	link := func(name, address string, change func(*lb.Link)) lb.Link {
		l := linkWith(name, address, "fe80::1/64")
		l.Up = true
		change(&l)
		return l
	}
	same := func(*lb.Link) {}
	isDefault := func(l *lb.Link) { l.DefaultRoute = []lb.Family{lb.IPv4} }
	routed := func(l *lb.Link) { l.Routes = []netip.Prefix{subnet} }
	uplink := link("eth0", "198.51.100.1/24", isDefault)
	for _, test := range []struct {
		name  string
		links []lb.Link
		want  []Detour
	}{
		{"there is none", []lb.Link{link("eth1", "192.0.2.11/24", same)}, nil},
		{"it is that of the other family", []lb.Link{
			link("eth0", "198.51.100.1/24", func(l *lb.Link) { l.DefaultRoute = []lb.Family{lb.IPv6} }), link("eth1", "192.0.2.11/24", same),
		}, nil},
		{"it leaves by the interface that answers", []lb.Link{link("eth1", "192.0.2.11/24", isDefault)}, nil},
		{"it is of two, of which one answers", []lb.Link{uplink, link("eth1", "192.0.2.11/24", isDefault)}, nil},
		{"the subnet has no route of its own", []lb.Link{uplink, link("eth1", "192.0.2.11/24", same)}, []Detour{
			{Subnet: subnet, Family: lb.IPv4, Answers: "eth1", Leaves: "eth0", Default: true},
		}},
		{"the subnet has one", []lb.Link{uplink, link("eth1", "192.0.2.11/24", routed)}, []Detour{
			{Subnet: subnet, Family: lb.IPv4, Answers: "eth1", Leaves: "eth0", Default: true, OthersOnly: true},
		}},
		{"the addresses are in no subnet", []lb.Link{uplink, link("eth1", "203.0.113.1/24", same)}, []Detour{
			{Family: lb.IPv4, Answers: "eth1", Leaves: "eth0", Default: true},
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			w := cluster()
			w.add("web", "192.0.2.200", everyNode...)
			w.L2Advertisements[0].Interfaces = []string{"eth1"}
			w.Links["n1"] = test.links
			if got := Compute(w).Detours; !slices.Equal(got, test.want) {
				t.Errorf("they are %+v, want %+v", got, test.want)
			}
			for i := range w.Links["n1"] {
				w.Links["n1"][i].PolicyRouted = true
			}
			if got := Compute(w).Detours; len(got) > 0 {
				t.Errorf("policy routing cares for it, and it is said: %+v", got)
			}
		})
	}
}
