package announce

import (
	"maps"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/daymark-lb/daymark/internal/core/lb"
)

func linkWith(name string, addresses ...string) lb.Link {
	link := lb.Link{Name: name}
	for _, address := range addresses {
		link.Addresses = append(link.Addresses, netip.MustParsePrefix(address))
	}
	return link
}

// Whoever announced it would be a second host with the address, and a host with ECMP.
func TestNodeAddresses_AreAnnouncedByNobody(t *testing.T) {
	for _, addr := range []string{"192.0.2.200", "198.19.0.1"} {
		w := cluster()
		s := w.add("web", addr, everyNode...)
		w.NodeAddresses = map[netip.Addr]NodeAddress{s.Ingress[0]: {Node: "n2", Interface: "eth0"}}
		for _, node := range everyNode {
			if acts(w, node, addr) {
				t.Errorf("%s announces %s, which n2's kernel has", node, addr)
			}
		}
		w.NodeAddresses = nil
		if !acts(w, "n1", addr) {
			t.Errorf("nobody announces %s, which no kernel has", addr)
		}
	}
}

func TestNodeAddresses_CountAsLongAsTheNodeStays(t *testing.T) {
	var known NodeAddresses
	nodes := []string{"n1", "n2"}
	stays := func(node string) bool { return slices.Contains(nodes, node) }
	vip, other := netip.MustParseAddr("192.0.2.200"), netip.MustParseAddr("192.0.2.201")
	links := map[string][]lb.Link{
		"n1": {linkWith("eth0", "192.0.2.11/24")},
		"n2": {linkWith("lo", "127.0.0.1/8", "192.0.2.200/32"), linkWith("eth0", "192.0.2.200/24"), linkWith("kube-ipvs0", "192.0.2.201/32")},
	}
	now := time.Unix(0, 0)
	update := func(links map[string][]lb.Link) map[netip.Addr]NodeAddress {
		now = now.Add(LostFor)
		_, _, _ = known.Update(now, KnownAddresses{Links: links, Stays: stays})
		now = now.Add(LostFor) // What was lost counts no more.
		got, _, _ := known.Update(now, KnownAddresses{Links: links, Stays: stays})
		return got
	}
	got := update(links)
	if got[vip] != (NodeAddress{Node: "n2", Interface: "eth0"}) || len(got) != 2 || got[other] != (NodeAddress{}) {
		t.Errorf("known are %v", got)
	}
	if got = update(map[string][]lb.Link{"n1": links["n1"]}); got[vip].Node != "n2" {
		t.Error("the speaker of n2 is away, and its address is forgotten")
	}
	links["n1"] = []lb.Link{linkWith("eth0", "192.0.2.11/24", "192.0.2.200/32")}
	if got = update(links); got[vip].Node != "n1" {
		t.Errorf("of two nodes %s is named, not the first", got[vip].Node)
	}
	delete(links, "n1")
	nodes = []string{"n2"}
	links["n2"] = []lb.Link{linkWith("eth0", "192.0.2.12/24")}
	if got = update(links); !maps.Equal(got, map[netip.Addr]NodeAddress{netip.MustParseAddr("192.0.2.12"): {Node: "n2", Interface: "eth0"}}) {
		t.Errorf("after it has left both nodes, known are %v", got)
	}
}

// A virtual IP that moves between nodes is on none for a moment, and nobody is to take it then.
func TestNodeAddresses_CountForAWhileAfterTheyAreLost(t *testing.T) {
	for _, of := range []string{"192.0.2.200", "2001:db8::5:0"} {
		for _, by := range []struct {
			name string
			lose func(links map[string][]lb.Link) (down string)
		}{
			{"the kernel loses it", func(links map[string][]lb.Link) string {
				links["n1"] = []lb.Link{linkWith("eth0")}
				return ""
			}},
			{"the node is down", func(links map[string][]lb.Link) string {
				delete(links, "n1")
				return "n1"
			}},
		} {
			vip := netip.MustParseAddr(of)
			single := netip.PrefixFrom(vip, vip.BitLen()).String()
			links := map[string][]lb.Link{"n1": {linkWith("eth0", single)}, "n2": {linkWith("eth0", "192.0.2.12/24")}}
			down := ""
			var known NodeAddresses
			now := time.Unix(0, 0)
			has := func(after time.Duration) (NodeAddress, time.Duration) {
				now = now.Add(after)
				got, _, wait := known.Update(now, KnownAddresses{Links: links, Stays: func(node string) bool { return node != down }})
				return got[vip], wait
			}
			if got, wait := has(0); got != (NodeAddress{Node: "n1", Interface: "eth0"}) || wait != 0 {
				t.Errorf("%s, before %s: %+v, wait %s", of, by.name, got, wait)
			}
			down = by.lose(links)
			if got, wait := has(time.Hour); got != (NodeAddress{Node: "n1", Interface: "eth0", Lost: true}) || wait != LostFor {
				t.Errorf("%s, when %s: %+v, wait %s", of, by.name, got, wait)
			}
			links["n2"] = append(links["n2"], linkWith("lo", single))
			if got, wait := has(time.Second); got != (NodeAddress{Node: "n2", Interface: "lo"}) || wait != 0 {
				t.Errorf("%s, when n2 has it: %+v, wait %s", of, got, wait)
			}
			links["n2"] = links["n2"][:1]
			if got, _ := has(time.Hour); got.Node != "n2" || !got.Lost {
				t.Errorf("%s, when n2 has lost it: %+v", of, got)
			}
			if got, wait := has(LostFor - time.Second); !got.Lost || wait != time.Second {
				t.Errorf("%s, at the end: %+v, wait %s", of, got, wait)
			}
			if got, wait := has(time.Second); got != (NodeAddress{}) || wait != 0 {
				t.Errorf("%s, later: %+v, wait %s", of, got, wait)
			}
		}
	}
}

// A speaker that is started meanwhile has seen nothing.
func TestNodeAddresses_LostOnesAreTold(t *testing.T) {
	var saw, started NodeAddresses
	vip, everywhere := netip.MustParseAddr("192.0.2.200"), func(string) bool { return true }
	has, without := []lb.Link{linkWith("eth0", "192.0.2.11/24", "192.0.2.200/32")}, []lb.Link{linkWith("eth0", "192.0.2.11/24")}
	now := time.Unix(0, 0)
	for _, links := range [][]lb.Link{has, without} {
		_, _, _ = saw.Update(now, KnownAddresses{Links: map[string][]lb.Link{"n1": links}, Stays: everywhere})
	}
	for node, lost := range map[string]int{"": 1, "n1": 1, "n2": 0} {
		if got := saw.LostBy(node); len(got) != lost {
			t.Errorf("lost by %q are %v", node, got)
		}
	}
	told := OwnAddresses(saw.LostBy(""))
	for _, tell := range []map[string][]netip.Addr{nil, {"n2": slices.Collect(maps.Keys(told))}, nil} {
		got, _, wait := started.Update(now, KnownAddresses{Links: map[string][]lb.Link{"n1": without}, Told: tell, Stays: everywhere})
		if _, counts := got[vip]; counts != (tell != nil) || counts && !got[vip].Lost || wait != 0 {
			t.Errorf("told %v, it takes it for %+v, wait %s", tell, got[vip], wait)
		}
		if again := started.LostBy(""); len(again) != 0 {
			t.Errorf("it tells of %v, which it was told", again)
		}
	}
}

func TestNodePrefixes_EveryAddressIsAnnouncedByNobody(t *testing.T) {
	var known NodeAddresses
	local := func(name, prefix string) lb.Link {
		return lb.Link{Name: name, NoARP: true, Local: []netip.Prefix{netip.MustParsePrefix(prefix)}}
	}
	links := map[string][]lb.Link{
		"n1": {local("kube-ipvs0", "192.0.2.128/25")},
		"n2": {linkWith("eth0", "192.0.2.12/24"), local("lo", "192.0.2.200/31")},
	}
	now, everywhere := time.Unix(0, 0), func(string) bool { return true }
	for _, step := range []struct {
		name, addr, want string
		change           func()
	}{
		{"an address of it", "192.0.2.200", "lo", func() {}},
		{"one beside it", "192.0.2.202", "", func() {}},
		{"the route was taken away", "192.0.2.200", "", func() { links["n2"] = links["n2"][:1] }},
		{"it is of one address", "192.0.2.200", "eth0", func() { links["n2"] = []lb.Link{local("eth0", "192.0.2.200/32")} }},
	} {
		step.change()
		w := cluster()
		w.add("web", step.addr, everyNode...)
		now = now.Add(LostFor)
		_, _, _ = known.Update(now, KnownAddresses{Links: links, Stays: everywhere})
		now = now.Add(LostFor)
		w.NodeAddresses, w.NodePrefixes, _ = known.Update(now, KnownAddresses{Links: links, Stays: everywhere})
		if announced := acts(w, "n1", step.addr); announced != (step.want == "") {
			t.Errorf("%s: announced %t", step.name, announced)
		}
		got := NewExplainer(w).Explain(w.Services[0])
		if step.want != "" && (got.Reason != ReasonNodeHasAddress.Name || !strings.Contains(got.Message, "node n2 itself, on interface "+step.want)) {
			t.Errorf("%s: it is explained as %+v", step.name, got)
		}
		var services Computer
		services.Compute(w)
		own := services.OwnServiceAddresses(links["n2"])
		if has := len(own) == 1 && own[0].Interface == step.want; has != (step.want != "") {
			t.Errorf("%s: the node says that it has %v", step.name, own)
		}
	}
}

func TestRelevantLinks_HaveLocalPrefixes(t *testing.T) {
	lo := lb.Link{Name: "lo", NoARP: true, Local: []netip.Prefix{netip.MustParsePrefix("192.0.2.192/26")}}
	if got := RelevantLinks([]lb.Link{lo}, nil); len(got) != 1 {
		t.Errorf("the others are told of %v", got)
	}
}
