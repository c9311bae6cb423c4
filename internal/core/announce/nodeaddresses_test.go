package announce

import (
	"maps"
	"net/netip"
	"slices"
	"strings"
	"testing"

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
		w.NodeAddresses = map[netip.Addr]NodeAddress{s.Ingress[0]: {"n2", "eth0"}}
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
	got, _ := known.Update(links, stays)
	if got[vip] != (NodeAddress{"n2", "eth0"}) || len(got) != 2 || got[other] != (NodeAddress{}) {
		t.Errorf("known are %v", got)
	}
	if got, _ = known.Update(map[string][]lb.Link{"n1": links["n1"]}, stays); got[vip].Node != "n2" {
		t.Error("the speaker of n2 is away, and its address is forgotten")
	}
	links["n1"] = []lb.Link{linkWith("eth0", "192.0.2.11/24", "192.0.2.200/32")}
	if got, _ = known.Update(links, stays); got[vip].Node != "n1" {
		t.Errorf("of two nodes %s is named, not the first", got[vip].Node)
	}
	delete(links, "n1")
	nodes = []string{"n2"}
	links["n2"] = []lb.Link{linkWith("eth0", "192.0.2.12/24")}
	if got, _ = known.Update(links, stays); !maps.Equal(got, map[netip.Addr]NodeAddress{netip.MustParseAddr("192.0.2.12"): {"n2", "eth0"}}) {
		t.Errorf("after it has left both nodes, known are %v", got)
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
	everywhere := func(string) bool { return true }
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
		w.NodeAddresses, w.NodePrefixes = known.Update(links, everywhere)
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
