package announce

import (
	"fmt"
	"math"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/daymark-lb/daymark/api/v1beta1"
	"github.com/daymark-lb/daymark/internal/core/lb"
)

// asSeen are the attributes of the paths to a prefix that the router hears, by node.
func asSeen(w *World, prefix string) map[string]*Attributes {
	seen := map[string]*Attributes{}
	for _, n := range w.Nodes {
		for _, session := range Compute(w.on(n.Name)).Sessions {
			for _, path := range session.Paths {
				if path.Prefix.String() == prefix {
					seen[n.Name] = path.Attributes
				}
			}
		}
	}
	return seen
}

// preferredOrder are the nodes in the order in which an external router prefers their paths, those that are alike joined by =, and that
// in which an internal one does.
func preferredOrder(seen map[string]*Attributes) (external, internal string) {
	byPath := func(a *Attributes) [2]int64 { return [2]int64{int64(a.Prepend), int64(valueOr(a.MED, 0))} }
	byPreference := func(a *Attributes) [2]int64 {
		return [2]int64{-int64(valueOr(a.LocalPref, DefaultLocalPref)), int64(valueOr(a.MED, 0))}
	}
	return orderBy(seen, byPath), orderBy(seen, byPreference)
}

func orderBy(seen map[string]*Attributes, rank func(*Attributes) [2]int64) string {
	groups := map[[2]int64][]string{}
	for name, attributes := range seen {
		groups[rank(attributes)] = append(groups[rank(attributes)], name)
	}
	var keys [][2]int64
	for key := range groups {
		slices.Sort(groups[key])
		keys = append(keys, key)
	}
	slices.SortFunc(keys, func(a, b [2]int64) int { return slices.Compare(a[:], b[:]) })
	var texts []string
	for _, key := range keys {
		texts = append(texts, strings.Join(groups[key], "="))
	}
	return strings.Join(texts, " ")
}

func TestAffinity_OrderOfNodes(t *testing.T) {
	const vip, prefix = "198.19.0.1", "198.19.0.1/32"
	for _, test := range []struct {
		name   string
		change func(w *World, s *lb.Service)
		prefix string
		want   string
	}{
		{"all alike without it", func(_ *World, s *lb.Service) { s.Affinity = false }, prefix, "n1=n2=n3"},
		{"one after the other with it", func(*World, *lb.Service) {}, prefix, "n2 n1 n3"},
		{"without the best", func(w *World, _ *lb.Service) { w.node("n2").Draining = true }, prefix, "n1 n3"},
		{"under Local only nodes with an endpoint", func(w *World, s *lb.Service) { s.Local = true; w.endpoints(s, "n1", "n3") }, prefix, "n1 n3"},
		{"all that share the address, if one asks for it", func(w *World, s *lb.Service) {
			s.Affinity = false
			w.add("other", vip, everyNode...).Affinity = true
		}, prefix, "n2 n1 n3"},
		{"under Local the only node that serves all that share is best", func(w *World, s *lb.Service) {
			shareLocal(w, s, everyNode, []string{"n3"})
		}, prefix, "n3"},
		{"one that shares and has no endpoints does not count", func(w *World, s *lb.Service) {
			shareLocal(w, s, everyNode, []string{"n3"})
			none := w.add("none", vip)
			none.Local, none.SharingKey = true, "key"
		}, prefix, "n3"},
		{"a node without a peer is not best", func(w *World, _ *lb.Service) {
			w.node("n2").Labels = map[string]string{"rack": "a"}
			w.Peers[0].NodeSelectors = selector("rack!=a")
		}, prefix, "n1 n3"},
		{"nor one whose only peer is Down", func(w *World, _ *lb.Service) { rackPeer(w, "n2", v1beta1.AdminDown) }, prefix, "n1 n3"},
		{"nor one whose only peer is in Maintenance", func(w *World, _ *lb.Service) { rackPeer(w, "n2", v1beta1.AdminMaintenance) }, prefix, "n1 n3"},
		{"one whose only peer is Up may be", func(w *World, _ *lb.Service) { rackPeer(w, "n2", v1beta1.AdminUp) }, prefix, "n2 n1 n3"},
		{"what the advertisements prefer comes first", func(w *World, _ *lb.Service) {
			w.node("n3").Labels = map[string]string{"rack": "a"}
			near := bgpAdvertisement("near", 0, func(s *v1beta1.BGPAdvertisementSpec) { s.LocalPref, s.MED = number(101), number(0) })
			w.BGPAdvertisements[0].MED = ptr(uint32(5))
			near.NodeSelectors = selector("rack=a")
			w.BGPAdvertisements = append(w.BGPAdvertisements, near)
		}, prefix, "n3 n2 n1"},
		{"an aggregate is not ranked", func(w *World, _ *lb.Service) { w.BGPAdvertisements[0].AggregationLength = 24 }, "198.19.0.0/24", "n1=n2=n3"},
		{"nor beside a prefix that is", func(w *World, _ *lb.Service) {
			w.BGPAdvertisements = append(w.BGPAdvertisements, bgpAdvertisement("all", 2, func(s *v1beta1.BGPAdvertisementSpec) {
				length := int32(24)
				s.AggregationLength = &length
			}))
		}, "198.19.0.0/24", "n1=n2=n3"},
	} {
		t.Run(test.name, func(t *testing.T) {
			w := cluster()
			s := w.add("web", vip, everyNode...)
			s.Affinity = true
			test.change(w, s)
			external, internal := preferredOrder(asSeen(w, test.prefix))
			if external != test.want || internal != test.want {
				t.Errorf("external routers prefer %s, internal ones %s; want %s", external, internal, test.want)
			}
			if best, _, _ := strings.Cut(test.want, " "); !strings.Contains(best, "=") && asSeen(w, test.prefix)[best].Prepend != 0 {
				t.Errorf("%s is best, and prepends", best)
			}
		})
	}
}

// rackPeer has a node announce to a peer of its own alone.
func rackPeer(w *World, node string, state v1beta1.AdminState) {
	w.node(node).Labels = map[string]string{"rack": "a"}
	own := *w.Peers[0]
	own.Name, own.Address, own.AdminState, own.NodeSelectors = "rack", own.Address.Next(), state, selector("rack=a")
	w.Peers[0].NodeSelectors = selector("rack!=a")
	w.Peers = append(w.Peers, &own)
}

func TestAffinity_PathsThatRetireHaveTheirOrder(t *testing.T) {
	w := cluster()
	w.add("web", "198.19.0.1", everyNode...).Affinity = true
	before := asSeen(w, "198.19.0.1/32")
	w.Peers[0].AdminState = v1beta1.AdminMaintenance
	for name, was := range before {
		session := Compute(w.on(name)).Sessions[0]
		if len(session.PathsBefore) != 1 || session.PathsBefore[0].Attributes.Prepend != was.Prepend {
			t.Errorf("%s, which prepended %d, has %+v", name, was.Prepend, session.PathsBefore)
		}
	}
}

func TestAffinity_BestIsAsConfiguredAndBackupsAreWorse(t *testing.T) {
	largest := uint32(math.MaxUint32)
	for _, test := range []struct {
		name            string
		configured      Attributes
		rank            int
		preference, med uint32
		prepend         int
	}{
		{"nothing configured", Attributes{}, 1, 99, 1, 1},
		{"the third", Attributes{}, 2, 98, 2, 2},
		{"far behind, MED alone differs", Attributes{}, 77, 97, 77, 3},
		{"below what is configured", Attributes{LocalPref: ptr(uint32(200)), MED: ptr(uint32(50)), Prepend: 2}, 1, 199, 51, 3},
		{"never below 0", Attributes{LocalPref: ptr(uint32(1))}, 2, 0, 2, 2},
		{"no MED overflows", Attributes{MED: &largest}, 1, 99, largest, 1},
	} {
		t.Run(test.name, func(t *testing.T) {
			if best := test.configured.backup(0); best != &test.configured {
				t.Error("the best one is another")
			}
			b := test.configured.backup(test.rank)
			if *b.LocalPref != test.preference || *b.MED != test.med || b.Prepend != test.prepend {
				t.Errorf("LOCAL_PREF %d, MED %d, prepended %d", *b.LocalPref, *b.MED, b.Prepend)
			}
		})
	}
}

func ptr[T any](value T) *T { return &value }

// TestAffinity_PropertiesOfTheOrder: in any cluster exactly one node is best for each address and no two are alike; without affinity all
// are; and a node that leaves moves no address but its own.
func TestAffinity_PropertiesOfTheOrder(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := cluster()
		w.Nodes = nil
		var names []string
		for i := range rapid.IntRange(2, 12).Draw(t, "nodes") {
			names = append(names, fmt.Sprintf("node-%d", i))
			w.Nodes = append(w.Nodes, &lb.Node{Name: names[i]})
		}
		local := rapid.Bool().Draw(t, "local")
		for i := range rapid.IntRange(1, 5).Draw(t, "services") {
			on := rapid.SliceOfNDistinct(rapid.SampledFrom(names), 1, len(names), rapid.ID[string]).Draw(t, "endpoints")
			s := w.add(fmt.Sprintf("web-%d", i), fmt.Sprintf("198.19.0.%d", i), on...)
			s.Local, s.Affinity = local, true
		}
		leaves := rapid.SampledFrom(names).Draw(t, "leaves")
		before := orders(w)
		w.node(leaves).Draining = true
		after := orders(w)
		for addr, was := range before {
			if strings.Contains(was, "=") {
				t.Fatalf("%s: some are alike: %s", addr, was)
			}
			rest := slices.DeleteFunc(strings.Fields(was), func(name string) bool { return name == leaves })
			if got := strings.Fields(after[addr]); !slices.Equal(got, rest) {
				t.Fatalf("%s: the order was %s, and without %s it is %s", addr, was, leaves, got)
			}
		}
		w.node(leaves).Draining = false
		for _, s := range w.Services {
			s.Affinity = false
		}
		for addr, is := range orders(w) {
			if strings.Contains(is, " ") {
				t.Fatalf("%s: without affinity the order is %s", addr, is)
			}
		}
	})
}

// orders are the orders in which a router prefers the nodes, by address; an external and an internal one do alike.
func orders(w *World) map[string]string {
	all := map[string]string{}
	plans := map[string]*Plan{}
	for _, n := range w.Nodes {
		plans[n.Name] = Compute(w.on(n.Name))
	}
	for _, s := range w.Services {
		prefix, seen := netip.PrefixFrom(s.Ingress[0], 32), map[string]*Attributes{}
		for name, plan := range plans {
			for _, path := range plan.Sessions[0].Paths {
				if path.Prefix == prefix {
					seen[name] = path.Attributes
				}
			}
		}
		external, internal := preferredOrder(seen)
		if external != internal {
			internal = "external routers prefer " + external + " = and internal ones " + internal
		}
		all[prefix.String()] = internal
	}
	return all
}

// TestAffinity_AddressesSpreadOverNodes: of 300 addresses each of three nodes is best for about 100.
func TestAffinity_AddressesSpreadOverNodes(t *testing.T) {
	w, best := cluster(), map[string]int{}
	for i := range 300 {
		w.add(fmt.Sprint(i), netip.AddrFrom4([4]byte{198, 19, byte(i >> 8), byte(i)}).String(), everyNode...).Affinity = true
	}
	for _, order := range orders(w) {
		best[strings.Fields(order)[0]]++
	}
	for _, name := range everyNode {
		if best[name] < 70 || best[name] > 130 {
			t.Errorf("best are %v", best)
		}
	}
}

func TestExplain_SaysWhatBecomesOfSessionAffinity(t *testing.T) {
	const vip, one = "198.19.0.1", ", where one node is best and the others are backup, for "
	for _, test := range []struct {
		name   string
		change func(w *World, s *lb.Service)
		want   string
		// prefers: what the Explainer says of the router.
		prefers string
	}{
		{"nothing without it", func(_ *World, s *lb.Service) { s.Affinity = false }, "", ""},
		{"one node is best", func(*World, *lb.Service) {}, one + "session affinity", "n2, then n1, then n3"},
		{"it is that of another Service", func(w *World, s *lb.Service) {
			s.Affinity = false
			w.add("other", vip, everyNode...).Affinity = true
		}, one + "the session affinity of another Service at this address", "n2, then n1, then n3"},
		{"an aggregate does not keep it", func(w *World, _ *lb.Service) {
			w.BGPAdvertisements[0].AggregationLength = 24
		}, ", where session affinity is not kept, since prefixes are aggregated", ""},
		{"the best that has a session", func(w *World, _ *lb.Service) { w.Established["n2"] = nil }, one + "session affinity", "n1, then n3"},
	} {
		t.Run(test.name, func(t *testing.T) {
			w := cluster()
			s := w.add("web", vip, everyNode...)
			s.Affinity = true
			test.change(w, s)
			explainer := NewExplainer(w)
			if got, want := explainer.Explain(s).Message, vip+" by BGP (bgp)"+test.want; got != want {
				t.Errorf("it says %q, want %q", got, want)
			}
			want := ""
			if test.prefers != "" {
				want = vip + ", session affinity: router prefers " + test.prefers
			}
			if got := strings.Join(explainer.Preference(s), "\n"); got != want {
				t.Errorf("it says %q, want %q", got, want)
			}
		})
	}
}
