package status

import (
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/daymark-lb/daymark/api/v1beta1"
	"github.com/daymark-lb/daymark/internal/core/cluster"
	"github.com/daymark-lb/daymark/internal/core/lb"
)

// nameScene has the pools gold and silver, the peers tor1 and tor2, and a node with eth0 and eth1.
func nameScene() *References {
	pools := []*lb.Pool{{Name: "gold", Labels: map[string]string{"tier": "gold"}}, {Name: "silver"}}
	node := &v1beta1.Speaker{}
	node.Name = "n1"
	for _, name := range []string{"eth0", "eth1"} {
		node.Status.Network.Interfaces = append(node.Status.Network.Interfaces, v1beta1.NodeInterface{Name: name, Families: []v1beta1.AddressFamily{v1beta1.IPv4}})
	}
	references, _ := NewReferences(&cluster.Objects{
		Pools: lb.NewPools(pools), Peers: []*lb.Peer{{Name: "tor1"}, {Name: "tor2"}}, Nodes: []*lb.Node{{Name: "n1"}}, Speakers: []*v1beta1.Speaker{node},
	}, peerNow)
	return references
}

// words of a list; "" is none.
func words(text string) []string { return strings.Fields(text) }

func TestBGPAdvertisement_NamesThatAreUnknown(t *testing.T) {
	type names struct{ pools, selects, peers string }
	spec := func(n names) v1beta1.BGPAdvertisementSpec {
		s := v1beta1.BGPAdvertisementSpec{Peers: words(n.peers)}
		s.IPAddressPools = words(n.pools)
		for _, tier := range words(n.selects) {
			s.IPAddressPoolSelectors = append(s.IPAddressPoolSelectors, v1beta1.LabelSelector{MatchLabels: map[string]v1beta1.LabelValue{"tier": v1beta1.LabelValue(tier)}})
		}
		return s
	}
	for _, test := range []struct {
		name            string
		before, now     names
		isNew           bool
		accepted        names
		announces, says string
	}{
		{"all are known", names{"gold", "", "tor1"}, names{"silver", "", "tor2"}, false, names{"silver", "", "tor2"}, "silver tor2", ""},
		{
			"a misspelt pool",
			names{"gold", "", ""},
			names{"glod", "", ""},
			false,
			names{"gold", "", ""},
			"gold tor1 tor2",
			"pool glod does not exist; what was listed before counts until then, too: pools gold",
		},
		{
			"a misspelt pool beside one that is added",
			names{"gold", "", ""},
			names{"golf silver", "", ""},
			false,
			names{"gold silver", "", ""},
			"gold silver tor1 tor2", "pool golf does not exist: did you mean gold?; what was listed before counts until then, too: pools gold",
		},
		{
			"all pools before",
			names{},
			names{"silvr", "", ""},
			false,
			names{},
			"gold silver tor1 tor2",
			"pool silvr does not exist: did you mean silver?; what was listed before counts until then, too: all pools",
		},
		{
			"pools by their labels before",
			names{"", "gold", ""},
			names{"silvr", "", ""},
			false,
			names{"", "gold", ""},
			"gold tor1 tor2",
			"pool silvr does not exist: did you mean silver?; what was listed before counts until then, too: pools with tier=gold",
		},
		{
			"pools by their labels now",
			names{"silver", "", ""},
			names{"silvr", "gold", ""},
			false,
			names{"silver", "gold", ""},
			"gold silver tor1 tor2",
			"pool silvr does not exist: did you mean silver?; what was listed before counts until then, too: pools silver",
		},
		{
			"a misspelt peer",
			names{"gold", "", "tor1"},
			names{"gold", "", "tor3"},
			false,
			names{"gold", "", "tor1"},
			"gold tor1",
			"peer tor3 does not exist: did you mean tor1?; what was listed before counts until then, too: peers tor1",
		},
		{
			"all peers before",
			names{"gold", "", ""},
			names{"gold", "", "tor3"},
			false,
			names{"gold", "", ""},
			"gold tor1 tor2",
			"peer tor3 does not exist: did you mean tor1?; what was listed before counts until then, too: all peers",
		},
		{
			"a pool that stood there before was deleted, and another list is edited",
			names{"gold bronze", "", ""},
			names{"silver bronze", "", ""},
			false,
			names{"silver bronze", "", ""},
			"silver tor1 tor2", "pool bronze does not exist",
		},
		{"a new object", names{}, names{"gold bronze", "", "tor1"}, true, names{"gold bronze", "", "tor1"}, "gold tor1", "pool bronze does not exist"},
	} {
		t.Run(test.name, func(t *testing.T) {
			r := nameScene()
			o := &v1beta1.BGPAdvertisement{ObjectMeta: metav1.ObjectMeta{Name: "a", Generation: 2}, Spec: spec(test.now)}
			if !test.isNew {
				o.Status.Accepted = &v1beta1.AcceptedBGPAdvertisement{Generation: 1, Spec: spec(test.before)}
			}
			a := lb.ParseBGPAdvertisement(o)
			if ready := r.BGPAdvertisement(a, ""); ready.Message != test.says || ready.True != (test.says == "") {
				t.Errorf("Ready: %s", text(ready))
			}
			for range 2 { // what is accepted once is no reason to accept more
				if !r.AcceptBGPAdvertisement(o, a) || o.Status.Accepted.Generation != 2 {
					t.Fatal("it is not accepted")
				}
				kept := lb.ParseBGPAdvertisement(o).Keeping(r.known)
				if got := announces(r, &kept.Advertisement, kept); got != test.announces {
					t.Errorf("it announces %q, want %q", got, test.announces)
				}
				if got, want := asText(&o.Status.Accepted.Spec), spec(test.accepted); got != asText(&want) {
					t.Errorf("accepted is %s, want %s", got, asText(&want))
				}
			}
		})
	}
}

// announces are the names of the pools and peers that match.
func announces(r *References, a *lb.Advertisement, b *lb.BGPAdvertisement) string {
	var names []string
	for _, name := range []string{"gold", "silver"} {
		if a.MatchesPool(r.objects.Pools.Named(name)) {
			names = append(names, name)
		}
	}
	for _, name := range []string{"tor1", "tor2"} {
		if b.MatchesPeer(name) {
			names = append(names, name)
		}
	}
	return strings.Join(names, " ")
}

func asText(s *v1beta1.BGPAdvertisementSpec) string {
	var tiers []string
	for _, selector := range s.IPAddressPoolSelectors {
		tiers = append(tiers, string(selector.MatchLabels["tier"]))
	}
	return "pools " + strings.Join(s.IPAddressPools, " ") + ", with " + strings.Join(tiers, " ") + ", peers " + strings.Join(s.Peers, " ")
}

func TestL2Advertisement_InterfacesThatAreUnknown(t *testing.T) {
	for _, test := range []struct {
		name, before, now, accepted, on, says string
	}{
		{"another that is there", "eth0", "eth1", "eth1", "eth1", "True"},
		{
			"a misspelt one", "eth0", "eht0", "eth0", "eth0",
			"False NoInterface: interfaces: eht0: no node that is selected has such an interface that is up; they have eth0, eth1; " +
				"what was listed before counts until then, too: interfaces eth0",
		},
		{
			"a misspelt one beside another", "eth0", "eht0 eth1", "eth0 eth1", "eth0 eth1",
			"True Valid: interfaces: no node that is selected has eht0, or has it up; what was listed before counts until then, too: interfaces eth0",
		},
		{
			"every one before", "", "eno*", "", "eth0 eth1",
			"False NoInterface: interfaces: eno*: no node that is selected has such an interface that is up; they have eth0, eth1; " +
				"what was listed before counts until then, too: all interfaces",
		},
		{
			"one that stood there before and is gone", "eth0 eth7", "eth1 eth7", "eth1 eth7", "eth1",
			"True Valid: interfaces: no node that is selected has eth7, or has it up",
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			r := nameScene()
			o := &v1beta1.L2Advertisement{ObjectMeta: metav1.ObjectMeta{Name: "a", Generation: 2}, Spec: v1beta1.L2AdvertisementSpec{Interfaces: words(test.now)}}
			o.Status.Accepted = &v1beta1.AcceptedL2Advertisement{Generation: 1, Spec: v1beta1.L2AdvertisementSpec{Interfaces: words(test.before)}}
			a := lb.ParseL2Advertisement(o)
			if got := text(r.L2Advertisement(a)); !strings.HasPrefix(got, test.says) {
				t.Errorf("Ready: %s, want %s", got, test.says)
			}
			if !r.AcceptL2Advertisement(o, a) {
				t.Fatal("it is not accepted")
			}
			kept := lb.ParseL2Advertisement(o).Keeping(r.known)
			var on []string
			for _, name := range []string{"eth0", "eth1"} {
				if kept.MatchesInterface(name) {
					on = append(on, name)
				}
			}
			if got := strings.Join(on, " "); got != test.on {
				t.Errorf("it announces on %q, want %q", got, test.on)
			}
			if got := strings.Join(o.Status.Accepted.Spec.Interfaces, " "); got != test.accepted {
				t.Errorf("accepted are %q, want %q", got, test.accepted)
			}
		})
	}
}

// Without what a node says of itself nobody can tell that an interface is unknown: what was accepted before stays until somebody can.
func TestL2Advertisement_InterfacesOfSilentNodes(t *testing.T) {
	r := nameScene()
	o := &v1beta1.L2Advertisement{Spec: v1beta1.L2AdvertisementSpec{Interfaces: words("eth5")}}
	o.Status.Accepted = &v1beta1.AcceptedL2Advertisement{Spec: v1beta1.L2AdvertisementSpec{Interfaces: words("eth0")}}
	r.known = lb.NewKnown(lb.NewPools(nil), nil, []*lb.Node{{Name: "n1"}}, nil, true)
	a := lb.ParseL2Advertisement(o)
	if a.Keeping(r.known).MatchesInterface("eth0") {
		t.Error("an interface was kept though no node says that the other is not there")
	}
	if !r.AcceptL2Advertisement(o, a) || strings.Join(o.Status.Accepted.Spec.Interfaces, " ") != "eth0" {
		t.Errorf("accepted is %q", o.Status.Accepted.Spec.Interfaces)
	}
}
