package announce

import (
	"fmt"
	"math"
	"net/netip"
	"slices"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"pgregory.net/rapid"

	"github.com/daymark-lb/daymark/api/v1beta1"
	"github.com/daymark-lb/daymark/internal/core/lb"
)

// hint gives a Service ready endpoints on some nodes, with the hints that Kubernetes writes for its trafficDistribution.
func (w *World) hint(s *lb.Service, zones map[string]string, on ...string) {
	var list []lb.Endpoint
	for i, node := range on {
		e := lb.Endpoint{Addr: netip.AddrFrom4([4]byte{203, 0, 113, byte(i + 1)}), Node: node, Ready: true}
		if s.Distribution != lb.Anywhere {
			e.Hint.Zone = zones[node]
		}
		if s.Distribution == lb.SameNode {
			e.Hint.Node = node
		}
		list = append(list, e)
	}
	w.Endpoints[s.Key] = lb.NewEndpointSlice(s.Key, list).Endpoints
}

// zoned is a cluster of nodes in zones, with a Service whose service proxies prefer endpoints near by, on some nodes.
func zoned(distribution lb.Distribution, zones map[string]string, on ...string) (*World, *lb.Service) {
	w := cluster()
	w.Nodes = nil
	for name, zone := range zones {
		n := &lb.Node{Name: name, Addresses: []netip.Addr{netip.MustParseAddr("192.0.2.11")}}
		if zone != "" {
			n.Labels = map[string]string{corev1.LabelTopologyZone: zone}
		}
		w.Nodes = append(w.Nodes, n)
		w.Established[name] = map[string]bool{"router": true}
	}
	slices.SortFunc(w.Nodes, func(a, b *lb.Node) int { return strings.Compare(a.Name, b.Name) })
	w.weighBy(v1beta1.WeightByEndpoints)
	s := w.add("web", "198.19.0.1")
	s.Distribution = distribution
	w.hint(s, zones, on...)
	return w, s
}

func TestWeights_WhereProxiesPreferEndpointsNearBy(t *testing.T) {
	const near = ", weighted by the ready endpoints that each node's service proxy prefers (trafficDistribution, or hints of topology)"
	three := map[string]string{"n1": "a", "n2": "a", "n3": "b"}
	for _, test := range []struct {
		name         string
		distribution lb.Distribution
		zones        map[string]string
		on           []string
		change       func(w *World, s *lb.Service)
		want         string
		// condition and explained are parts of what is said; empty: nothing of weights.
		condition, explained string
	}{
		{
			"a zone gets as much as it has endpoints, however many nodes", lb.SameZone, three,
			[]string{"n1", "n3", "n3", "n3"},
			nil, "n1 0.5, n2 0.5, n3 3", near,
			"13 % to n1 (endpoints for its zone a: 1, among nodes: 2), 13 % to n2 (endpoints for its zone a: 1, among nodes: 2), " +
				"75 % to n3 (endpoints for its zone b: 3, among nodes: 1)",
		},
		{
			"a zone without endpoints gets next to nothing", lb.SameZone, three,
			[]string{"n3", "n3"},
			nil, "n1 0.001, n2 0.001, n3 2", near,
			"0 % to n1 (no endpoints but those near other nodes), 0 % to n2 (no endpoints but those near other nodes), 100 % to n3",
		},
		{
			"nodes without a zone use all endpoints, which are near others", lb.SameZone,
			map[string]string{"n1": "a", "n2": "", "n3": "b"},
			[]string{"n1", "n3"},
			nil, "n1 1, n2 0.001, n3 1", near, "0 % to n2 (no endpoints but",
		},
		{
			"one endpoint without a hint, and all hints are ignored", lb.SameZone,
			map[string]string{"n1": "a", "n2": "", "n3": "b"},
			[]string{"n1", "n2", "n3", "n3", "n3", "n3"},
			nil, "n1 2, n2 2, n3 2", near, "33 % to n2 (endpoints: 6, among nodes: 3)",
		},
		{
			"endpoints of a zone where no node announces are left to those that use all", lb.SameZone,
			map[string]string{"n1": "a", "n2": "", "n3": "b"},
			[]string{"n1", "n3", "n3"},
			func(w *World, _ *lb.Service) { w.node("n3").Draining = true }, "n1 1, n2 2", near, "67 % to n2 (endpoints: 2, among nodes: 1)",
		},
		{
			"a node that is dead for the API server does not count in its zone", lb.SameZone, three,
			[]string{"n1", "n3"},
			func(w *World, _ *lb.Service) { w.node("n2").Down = true }, "n1 1, n2 1, n3 1", near, "33 % to n1 (endpoints for its zone a: 1, among nodes: 1)",
		},
		{
			"a node with endpoints gets as much as it has", lb.SameNode, three,
			[]string{"n1", "n1", "n3"},
			nil, "n1 2, n2 0.001, n3 1", near,
			"67 % to n1 (endpoints on it: 2), 0 % to n2 (no endpoints but those near other nodes), 33 % to n3 (endpoints on it: 1)",
		},
		{
			"endpoints on a node that does not announce are left to the others of its zone", lb.SameNode,
			map[string]string{"n1": "a", "n2": "a", "n3": "a", "n4": "b"},
			[]string{"n1", "n1", "n4"},
			func(w *World, _ *lb.Service) { w.node("n1").Draining = true }, "n2 1, n3 1, n4 1", near,
			"33 % to n2 (endpoints for its zone a: 2, among nodes: 2)",
		},
		{
			"which are those that have none of their own", lb.SameNode,
			map[string]string{"n1": "a", "n2": "a", "n3": "a", "n4": "a"},
			[]string{"n1", "n1", "n2"},
			func(w *World, _ *lb.Service) { w.node("n1").Draining = true },
			"n2 1, n3 1, n4 1", near,
			"33 % to n2 (endpoints on it: 1), 33 % to n3 (endpoints for its zone a: 2, among nodes: 2)",
		},
		{
			"endpoints that are hinted for a node alone", lb.SameNode,
			map[string]string{"n1": "", "n2": "", "n3": ""},
			[]string{"n1", "n1", "n2"},
			nil,
			"n1 2, n2 1, n3 0.001", near, "67 % to n1 (endpoints on it: 2)",
		},
		{"all nodes alike when endpoints terminate and none is ready", lb.SameZone, three, nil, func(w *World, s *lb.Service) {
			w.Endpoints[s.Key] = lb.NewEndpointSlice(s.Key, []lb.Endpoint{
				{Addr: w.Nodes[0].Addresses[0], Node: "n1", Draining: true, Hint: lb.Hint{Zone: "a"}},
			}).Endpoints
		}, "n1 0.333, n2 0.333, n3 0.333", near, "33 % to n3 (endpoints: 1, among nodes: 3)"},
		{
			"hints that something else has written, which proxies heed as well", lb.SameZone, three,
			[]string{"n1", "n3", "n3", "n3"},
			func(_ *World, s *lb.Service) { s.Distribution = lb.Anywhere },
			"n1 0.5, n2 0.5, n3 3", near, "75 % to n3 (endpoints for its zone b: 3, among nodes: 1)",
		},
		{
			"equal ones while an endpoint has no such hint", lb.SameZone,
			map[string]string{"n1": "a", "n2": "", "n3": "b"},
			[]string{"n1", "n2"},
			func(_ *World, s *lb.Service) { s.Distribution = lb.Anywhere },
			"n1 0.667, n2 0.667, n3 0.667", near, "33 % to n3 (endpoints: 2, among nodes: 3)",
		},
		{
			"none without hints", lb.SameZone,
			map[string]string{"n1": "", "n2": "", "n3": ""},
			[]string{"n1", "n2"},
			func(_ *World, s *lb.Service) { s.Distribution = lb.Anywhere },
			"n1 -, n2 -, n3 -", ", not weighted by endpoints, since under externalTrafficPolicy Cluster", "",
		},
		{"of all that share the address", lb.SameZone, three, []string{"n1"}, func(w *World, s *lb.Service) {
			other := w.add("other", "198.19.0.1", "n3", "n3", "n3")
			s.SharingKey, other.SharingKey = "key", "key"
		}, "n1 1.5, n2 1.5, n3 1", near, "n1 (endpoints for its zone a: 1, among nodes: 2; endpoints: 3, among nodes: 3)"},
		{
			"none where one node is best for session affinity", lb.SameZone, three,
			[]string{"n1"},
			func(_ *World, s *lb.Service) { s.Affinity = true },
			"n1 -, n2 -, n3 -", "one node is best", "",
		},
		{"none for an aggregate", lb.SameZone, three, []string{"n1"}, func(w *World, _ *lb.Service) {
			w.BGPAdvertisements[0].AggregationLength = 24
		}, "", ", not weighted by endpoints, since prefixes are aggregated", ""},
		{"under the policy Local, the endpoints on each node", lb.SameZone, three, []string{"n1", "n3", "n3"}, func(_ *World, s *lb.Service) {
			s.Local = true
		}, "n1 1, n3 2", ", weighted by the ready endpoints on each node", "33 % to n1 (endpoints: 1)"},
	} {
		t.Run(test.name, func(t *testing.T) {
			w, s := zoned(test.distribution, test.zones, test.on...)
			if test.change != nil {
				test.change(w, s)
			}
			if got := weightsSeen(w, "198.19.0.1/32"); got != test.want {
				t.Errorf("the paths have %q, want %q", got, test.want)
			}
			e := NewExplainer(w)
			condition, explained := e.Explain(s).Message, strings.Join(e.Weights(s), "\n")
			if !strings.Contains(condition, test.condition) {
				t.Errorf("the condition says %q, want %q", condition, test.condition)
			}
			if !strings.Contains(explained, test.explained) || (test.explained == "") != (explained == "") {
				t.Errorf("it is explained by %q, want %q", explained, test.explained)
			}
		})
	}
}

// The condition of a Service follows from others if they share its address and weigh it.
func TestExplainer_WeightsOfASharedAddressFollowFromAllOfIt(t *testing.T) {
	w, s := zoned(lb.Anywhere, map[string]string{"n1": "a", "n2": "b"}, "n1")
	other := w.add("other", "198.19.0.1", "n1")
	s.SharingKey, other.SharingKey, other.Distribution = "key", "key", lb.SameZone
	e := NewExplainer(w)
	if message := e.Explain(s).Message; !strings.Contains(message, "weighted by the ready endpoints that") || e.Alone(s.Ingress[0]) {
		t.Errorf("alone: %t, it says %q", e.Alone(s.Ingress[0]), message)
	}
	w.BGPAdvertisements[0].WeightBy = ""
	if !NewExplainer(w).Alone(s.Ingress[0]) {
		t.Error("without weights it depends on the others")
	}
}

// Other hints are another division of the connections among the nodes.
func TestRouted_OtherHintsAreAnotherRevision(t *testing.T) {
	zones := map[string]string{"n1": "a", "n2": "a", "n3": "b"}
	revision := func(on ...string) uint64 {
		w, _ := zoned(lb.SameZone, zones, on...)
		w.BGPAdvertisements[0].ConnectionDraining = 1
		return Compute(w.on("n1")).Routed[0].Revision
	}
	if first := revision("n1", "n3"); first == revision("n1", "n3", "n3") || first != revision("n2", "n3") {
		t.Error("revisions do not follow the weights")
	}
}

// inUse are the endpoints that kube-proxy uses on a node, by topologyModeFromHints and CategorizeEndpoints of its package.
func inUse(endpoints []lb.Endpoint, node, zone string) (used []int) {
	allNodes, allZones, forNode, forZone := true, true, false, false
	for _, e := range endpoints {
		allNodes, allZones = allNodes && e.Hint.Node != "", allZones && e.Hint.Zone != ""
		forNode, forZone = forNode || e.Hint.Node == node, forZone || e.Hint.Zone == zone && zone != ""
	}
	for i, e := range endpoints {
		switch {
		case allNodes && forNode:
			if e.Hint.Node == node {
				used = append(used, i)
			}
		case allZones && forZone:
			if e.Hint.Zone == zone {
				used = append(used, i)
			}
		default:
			used = append(used, i)
		}
	}
	return used
}

// Whatever nodes, zones and hints there are: with the weights that the nodes send, and what kube-proxy does with what arrives at each,
// every endpoint gets as much as any other, if its zone has a node that uses the endpoints of the zone, or its node announces.
func TestWeights_EveryEndpointGetsAsMuch(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		zones, count := map[string]string{}, rapid.IntRange(1, 8).Draw(t, "nodes")
		var names []string
		for i := range count {
			name := fmt.Sprint("n", i)
			names = append(names, name)
			zones[name] = rapid.SampledFrom([]string{"a", "b", "c", "c", ""}).Draw(t, "zone")
		}
		on := rapid.SliceOfN(rapid.SampledFrom(names), 1, 20).Draw(t, "on")
		w, s := zoned(rapid.SampledFrom([]lb.Distribution{lb.SameZone, lb.SameNode}).Draw(t, "distribution"), zones, on...)
		for _, n := range w.Nodes[1:] {
			n.Draining = rapid.IntRange(0, 4).Draw(t, "draining") == 0
		}
		var endpoints []lb.Endpoint
		for _, node := range on {
			e := lb.Endpoint{Node: node, Hint: lb.Hint{Zone: zones[node]}}
			if s.Distribution == lb.SameNode {
				e.Hint.Node = node
			}
			endpoints = append(endpoints, e)
		}
		gets, sum := make([]float64, len(endpoints)), 0.0
		for name, a := range asSeen(w, "198.19.0.1/32") {
			if a.Weight < lb.LeastWeight {
				t.Fatalf("%s has the weight %d", name, a.Weight)
			}
			used := inUse(endpoints, name, zones[name])
			weight := float64(a.Weight) / float64(lb.OneWeight)
			sum += weight
			for _, i := range used {
				gets[i] += weight / float64(len(used))
			}
		}
		if least := 0.01; sum > float64(len(on))+least || sum < 1-least {
			t.Fatalf("the weights of %d endpoints are %g", len(on), sum)
		}
		if !evenly(w, zones, endpoints) {
			return
		}
		for i := range gets {
			if math.Abs(gets[i]-1) > 0.02 {
				t.Fatalf("of %v in %v each gets %v", on, zones, gets)
			}
		}
	})
}

// evenly reports whether weights can give each endpoint as much as any other while those near it are preferred.
func evenly(w *World, zones map[string]string, endpoints []lb.Endpoint) bool {
	var announcing []string
	for _, n := range w.Nodes {
		if !n.Draining {
			announcing = append(announcing, n.Name)
		}
	}
	byNode := slices.ContainsFunc(endpoints, func(e lb.Endpoint) bool { return e.Hint.Node != "" })
	unhinted := slices.ContainsFunc(endpoints, func(e lb.Endpoint) bool { return e.Hint.Zone == "" })
	return !slices.ContainsFunc(endpoints, func(e lb.Endpoint) bool {
		if byNode {
			return !slices.Contains(announcing, e.Node)
		}
		return !unhinted && !slices.ContainsFunc(announcing, func(n string) bool { return zones[n] == e.Hint.Zone })
	})
}
