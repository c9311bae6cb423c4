package announce

import (
	"net/netip"
	"slices"
	"testing"

	"github.com/daymark-lb/daymark/api/v1beta1"
	"github.com/daymark-lb/daymark/internal/core/election"
	"github.com/daymark-lb/daymark/internal/core/lb"
)

func TestSegment_OneInterfaceAnswers(t *testing.T) {
	subnet, smaller := netip.MustParsePrefix("192.0.2.0/24"), netip.MustParsePrefix("192.0.2.192/26")
	link := func(name, address string, routes ...netip.Prefix) lb.Link {
		l := linkWith(name, address, "fe80::1/64")
		l.Up, l.Routes = true, routes
		return l
	}
	eth0, eth1 := link("eth0", "192.0.2.11/24"), link("eth1", "192.0.2.12/24", subnet)
	for _, test := range []struct {
		name   string
		links  []lb.Link
		change func(w *World)
		want   []string
		detour Detour
	}{
		{"that of the kernel's route", []lb.Link{eth0, eth1}, func(*World) {}, []string{"eth1"}, Detour{}},
		{"the first by name where no route is known", []lb.Link{link("eth1", "192.0.2.12/24"), eth0}, func(*World) {}, []string{"eth0"}, Detour{}},
		{"the one that is named, though traffic leaves by the other", []lb.Link{eth0, eth1}, func(w *World) {
			w.L2Advertisements[0].Interfaces = []string{"eth0"}
		}, []string{"eth0"}, Detour{Subnet: subnet, Family: lb.IPv4, Answers: "eth0", Leaves: "eth1"}},
		{"of two that are named that of the route", []lb.Link{eth0, eth1}, func(w *World) {
			w.L2Advertisements[0].Interfaces = []string{"eth*"}
		}, []string{"eth1"}, Detour{}},
		{
			"one without the subnet that is named on purpose as well",
			[]lb.Link{eth0, link("eth2", "198.51.100.1/24"), {Name: "eth3", Up: true}},
			func(w *World) { w.L2Advertisements[0].Interfaces = []string{"eth0", "eth2", "eth3"} },
			[]string{"eth0", "eth2", "eth3"},
			Detour{},
		},
		{"none without the subnet that a pattern happens to match", []lb.Link{eth0, link("eth2", "198.51.100.1/24")}, func(w *World) {
			w.L2Advertisements[0].Interfaces = []string{"eth*"}
		}, []string{"eth0"}, Detour{}},
		{"one for each advertisement that names any: they are two segments", []lb.Link{eth0, eth1}, func(w *World) {
			second := *w.L2Advertisements[0]
			w.L2Advertisements[0].Interfaces = []string{"eth0"}
			second.Name, second.Interfaces = "second", []string{"eth1"}
			w.L2Advertisements = append(w.L2Advertisements, &second)
		}, []string{"eth0", "eth1"}, Detour{Subnet: subnet, Family: lb.IPv4, Answers: "eth0", Leaves: "eth1"}},
		{"the named one when another advertisement names none", []lb.Link{eth0, eth1}, func(w *World) {
			second := *w.L2Advertisements[0]
			second.Name, second.Interfaces = "second", []string{"eth0"}
			w.L2Advertisements = append(w.L2Advertisements, &second)
		}, []string{"eth0"}, Detour{Subnet: subnet, Family: lb.IPv4, Answers: "eth0", Leaves: "eth1"}},
		{"that of the smallest subnet", []lb.Link{eth1, link("eth2", "192.0.2.193/26", smaller)}, func(*World) {}, []string{"eth2"}, Detour{}},
		{"the one with a route and a lone address", []lb.Link{link("eth0", "192.0.2.11/32", subnet), link("eth1", "198.51.100.1/24")}, func(*World) {}, []string{"eth0"}, Detour{}},
		{
			"another one while that of the route is down",
			[]lb.Link{eth0, {Name: "eth1", Addresses: eth1.Addresses, Routes: eth1.Routes}},
			func(*World) {},
			[]string{"eth0"},
			Detour{Subnet: subnet, Family: lb.IPv4, Answers: "eth0", Leaves: "eth1"},
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			w := cluster()
			w.add("web", "192.0.2.200", everyNode...)
			w.Links["n1"] = test.links
			test.change(w)
			plan := Compute(w)
			if got := plan.Contests[0].Interfaces; !slices.Equal(got, test.want) {
				t.Errorf("answered on %v, want %v", got, test.want)
			}
			if want := slices.DeleteFunc([]Detour{test.detour}, func(d Detour) bool { return d.Answers == "" }); !slices.Equal(plan.Detours, want) {
				t.Errorf("detours %v, want %v", plan.Detours, want)
			}
			for i := range w.Links["n1"] {
				w.Links["n1"][i].PolicyRouted = true
			}
			if got := Compute(w).Detours; len(got) > 0 {
				t.Errorf("policy routing cares for it, and it is said: %v", got)
			}
		})
	}
}

// What a node cannot do must not elect it.
func TestSegment_NodeThatCannotAnswerIsNoCandidate(t *testing.T) {
	const vip6 = "2001:db8::1"
	for _, test := range []struct {
		name, addr string
		change     func(l *lb.Link)
		want       []string
	}{
		{"where IPv4 cannot be answered", "192.0.2.200", func(l *lb.Link) { l.Unable = []lb.Family{lb.IPv4} }, []string{"n2", "n3"}},
		{"where only IPv6 cannot", "192.0.2.200", func(l *lb.Link) { l.Unable = []lb.Family{lb.IPv6} }, everyNode},
		{"where IPv6 cannot be answered", vip6, func(l *lb.Link) { l.Unable = []lb.Family{lb.IPv6} }, []string{"n2", "n3"}},
		{"where IPv6 is disabled", vip6, func(l *lb.Link) { l.Addresses = l.Addresses[:1] }, []string{"n2", "n3"}},
		{"where all is well", vip6, func(*lb.Link) {}, everyNode},
	} {
		t.Run(test.name, func(t *testing.T) {
			w := cluster()
			s := w.add("web", test.addr, everyNode...)
			w.links(func(links []lb.Link) []lb.Link {
				links[0].Addresses = append(slices.Clone(links[0].Addresses), netip.MustParsePrefix("fe80::1/64"))
				return links
			})
			test.change(&w.Links["n1"][0])
			if test.addr == vip6 {
				w.L2Advertisements[0].Pools = nil
				w.Pools = lb.NewPools([]*lb.Pool{pool("lan6", "2001:db8::/64", 1)})
			}
			if got := candidates(t, w, s.Ingress[0].String()); !slices.Equal(got, test.want) {
				t.Errorf("held by one of %v, want %v", got, test.want)
			}
		})
	}
}

func TestMissingInterfaces_SaysWhichAndWhatIsThereInstead(t *testing.T) {
	w := cluster()
	adv := w.L2Advertisements[0]
	eth0, eth1 := lb.Link{Name: "eth0", Up: true}, lb.Link{Name: "eth1", Up: true}
	many := map[string][]lb.Link{"n1": {eth0}, "n2": make([]lb.Link, v1beta1.SpeakerNetworkLimit)}
	one := map[string][]lb.Link{"n1": {eth0}, "n2": {eth0, {Name: "eth1"}}}
	for _, test := range []struct {
		interfaces []string
		links      map[string][]lb.Link
		want       string
		all        bool
	}{
		{[]string{"nope0"}, one, "interfaces: nope0: no node that is selected has such an interface that is up; they have eth0, eth1", true},
		{[]string{"eth1"}, one, "interfaces: eth1: no node that is selected has such an interface that is up; they have eth0, eth1", true},
		{[]string{"eth0", "nope0", "wlan*"}, one, "interfaces: no node that is selected has nope0, wlan*, or has it up", false},
		{[]string{"nope0"}, map[string][]lb.Link{"n1": nil}, "interfaces: nope0: no node that is selected has such an interface that is up; they have none", true},
		{[]string{"eth*"}, one, "", false},
		{[]string{"eth0", "eth1"}, map[string][]lb.Link{"n1": {eth0}, "n2": {eth1}}, "", false},
		{[]string{"nope0"}, nil, "", false},
		{[]string{"eth0", "nope0"}, many, "", false},
		{nil, one, "", false},
	} {
		adv.Interfaces = test.interfaces
		if got, all := MissingInterfaces(adv, lb.NewKnown(w.Pools, nil, w.Nodes, test.links, true)); got != test.want || all != test.all {
			t.Errorf("%v: it says %q, %t", test.interfaces, got, all)
		}
	}
	adv.Interfaces, adv.NodeSelectors = []string{"nope0"}, selector("no=such")
	if got, _ := MissingInterfaces(adv, lb.NewKnown(w.Pools, nil, w.Nodes, one, true)); got != "" {
		t.Errorf("of nodes that are not selected it says %q", got)
	}
}

func TestContests_LeastDetectionCounts(t *testing.T) {
	w := cluster()
	w.add("web", "192.0.2.200", everyNode...)
	second := *w.L2Advertisements[0]
	second.Name = "second"
	w.L2Advertisements = append(w.L2Advertisements, &second)
	ask := []election.Question{{Node: "n2", Addr: netip.MustParseAddr("192.0.2.200")}}
	others := map[string][]lb.Link{"n2": {{Name: "eth0", MAC: "02:00:00:00:00:02"}}}
	for said, want := range map[v1beta1.ConflictDetection]v1beta1.ConflictDetection{"": "", "Probe": "", "Warn": "Warn", "Off": "Off"} {
		w.L2Advertisements[0].Detection, second.Detection = "Probe", said
		plan := Compute(w)
		if got := plan.Layer2Addresses(&election.Decision{Hold: []election.Hold{{Addr: ask[0].Addr}}}, &Ways{})[0].Detection; got != want {
			t.Errorf("%s beside Probe gives %q", said, got)
		}
		if paths := plan.Layer2Questions(ask, w.Links["n1"], others)[0].Paths; len(paths) == 0 != (said == "Off") {
			t.Errorf("%s: asked by %v", said, paths)
		}
	}
}
