package announce

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/daymark-lb/daymark/api/v1beta1"
	"github.com/daymark-lb/daymark/internal/core/lb"
)

// weighted is a cluster with a Service under the policy Local that has 1, 2 and 5 pods on its nodes.
func weighted(by v1beta1.WeightBy) (*World, *lb.Service) {
	w := cluster()
	w.weighBy(by)
	s := w.add("web", "198.19.0.1", slices.Concat(slices.Repeat([]string{"n1"}, 1), slices.Repeat([]string{"n2"}, 2), slices.Repeat([]string{"n3"}, 5))...)
	s.Local = true
	return w, s
}

func (w *World) weighBy(by v1beta1.WeightBy) {
	w.BGPAdvertisements = []*lb.BGPAdvertisement{bgpAdvertisement("bgp", 1, func(s *v1beta1.BGPAdvertisementSpec) { s.WeightBy = by })}
}

func (w *World) annotate(node, weight string) {
	w.node(node).Annotations = map[string]string{v1beta1.AnnotationWeight: weight}
}

// weightsSeen are the weights of the paths to a prefix by node, in words; - for a path without one.
func weightsSeen(w *World, prefix string) string {
	var texts []string
	seen := asSeen(w, prefix)
	for _, n := range w.Nodes {
		switch a := seen[n.Name]; {
		case a == nil:
		case a.Weight == 0:
			texts = append(texts, n.Name+" -")
		default:
			texts = append(texts, fmt.Sprintf("%s %s", n.Name, a.Weight))
		}
	}
	return strings.Join(texts, ", ")
}

func TestWeights_OfPaths(t *testing.T) {
	const single = "198.19.0.1/32"
	endpoints, annotation := v1beta1.WeightByEndpoints, v1beta1.WeightByNodeAnnotation
	for _, test := range []struct {
		name   string
		by     v1beta1.WeightBy
		change func(w *World, s *lb.Service)
		prefix string
		want   string
		// condition and explained are parts of what is said; empty: nothing of weights.
		condition, explained string
	}{
		{"none unless asked for", "", func(*World, *lb.Service) {}, single, "n1 -, n2 -, n3 -", "", ""},
		{
			"the endpoints on each node", endpoints, func(*World, *lb.Service) {}, single, "n1 1, n2 2, n3 5", ", weighted by the ready endpoints on each node",
			"router is asked to give 13 % to n1 (endpoints: 1), 25 % to n2 (endpoints: 2), 63 % to n3 (endpoints: 5), if it heeds link bandwidths",
		},
		{
			"a node without endpoints announces nothing", endpoints, func(w *World, s *lb.Service) { w.endpoints(s, "n1", "n3", "n3") }, single, "n1 1, n3 2",
			", weighted by the ready", "33 % to n1 (endpoints: 1), 67 % to n3 (endpoints: 2)",
		},
		{"terminating endpoints when none is ready", endpoints, func(w *World, s *lb.Service) {
			var list []lb.Endpoint
			for i, node := range []string{"n1", "n1", "n2"} {
				list = append(list, lb.Endpoint{Addr: w.Nodes[i].Addresses[0], Node: node, Draining: true})
			}
			w.Endpoints[s.Key] = lb.NewEndpointSlice(s.Key, list).Endpoints
		}, single, "n1 2, n2 1", ", weighted", "67 % to n1 (endpoints: 2)"},
		{"of all that share the address", endpoints, func(w *World, s *lb.Service) {
			shareLocal(w, s, []string{"n1", "n2", "n2"}, []string{"n1", "n1", "n2"})
		}, single, "n1 3, n2 3", ", weighted", "50 % to n1 (endpoints: 3), 50 % to n2 (endpoints: 3)"},
		{"of all that share the address, though one is not advertised", endpoints, func(w *World, s *lb.Service) {
			shareLocal(w, s, []string{"n1", "n2", "n2"}, []string{"n1", "n1", "n2", "n2", "n2", "n2"})
			s.Labels = lb.NewLabels(map[string]string{"app": "web"})
			w.BGPAdvertisements[0].ServiceSelectors = selector("app=web")
		}, single, "n1 3, n2 6", ", weighted", "33 % to n1 (endpoints: 3), 67 % to n2 (endpoints: 6)"},
		{"a node that does not serve all that share announces nothing", endpoints, func(w *World, s *lb.Service) {
			shareLocal(w, s, []string{"n1", "n1", "n2"}, []string{"n1"})
		}, single, "n1 3", ", weighted", "100 % to n1 (endpoints: 3), if"},
		{
			"none under Cluster", endpoints, func(_ *World, s *lb.Service) { s.Local = false }, single, "n1 -, n2 -, n3 -",
			", not weighted by endpoints, since under externalTrafficPolicy Cluster every node serves all of them", "",
		},
		{
			"none for an aggregate", endpoints, func(w *World, _ *lb.Service) { w.BGPAdvertisements[0].AggregationLength = 24 }, "198.19.0.0/24", "n1 -, n2 -, n3 -",
			", not weighted by endpoints, since prefixes are aggregated", "",
		},
		{
			"none where one node is best for session affinity", endpoints, func(_ *World, s *lb.Service) { s.Affinity = true }, single, "n1 -, n2 -, n3 -",
			"one node is best", "",
		},
		{
			"the nodes' annotations, 1 where there is none", annotation, func(w *World, _ *lb.Service) { w.annotate("n1", "40"); w.annotate("n3", "7") }, single,
			"n1 40, n2 1, n3 7", ", weighted by the annotation daymark.io/weight of each node",
			"83 % to n1 (weight 40), 2 % to n2 (weight 1: it has no annotation daymark.io/weight), 15 % to n3 (weight 7)",
		},
		{"1 for an annotation that is no weight", annotation, func(w *World, _ *lb.Service) {
			w.annotate("n1", " 10000")
			w.annotate("n2", "10001")
			w.annotate("n3", "many")
		}, single, "n1 10000, n2 1, n3 1", "daymark.io/weight of each node, which counts as 1 where it is no number from 1 to 10000, as on n2, n3", `weight 1: its annotation daymark.io/weight, "many", is no number from 1 to 10000`},
		{"of nodes whose annotation is no weight only those count that an advertisement selects", annotation, func(w *World, _ *lb.Service) {
			w.annotate("n1", "0")
			w.annotate("n2", "2.5")
			w.node("n2").Labels = map[string]string{"edge": "yes"}
			w.BGPAdvertisements[0].NodeSelectors = selector("edge=yes")
		}, single, "n2 1", "as on n2", `weight 1: its annotation daymark.io/weight, "2.5", is no number`},
		{"annotations under Cluster, and for an aggregate", annotation, func(w *World, s *lb.Service) {
			s.Local, w.BGPAdvertisements[0].AggregationLength = false, 24
			w.annotate("n2", "3")
		}, "198.19.0.0/24", "n1 1, n2 3, n3 1", ", weighted by the annotation", "60 % to n2 (weight 3)"},
		{"annotations for an aggregate, whichever Services it has", annotation, func(w *World, s *lb.Service) {
			s.Local, w.BGPAdvertisements[0].AggregationLength = false, 24
			affine := w.add("affine", "198.19.0.2", "n1")
			affine.Local, affine.Affinity = true, true
			slices.Reverse(w.Services)
			w.annotate("n2", "3")
		}, "198.19.0.0/24", "n1 1, n2 3, n3 1", ", weighted by the annotation", "20 % to n1 (weight 1: it has"},
		{"annotations for an aggregate, which does not keep session affinity", annotation, func(w *World, s *lb.Service) {
			s.Affinity, w.BGPAdvertisements[0].AggregationLength = true, 24
			w.annotate("n2", "3")
		}, "198.19.0.0/24", "n1 1, n2 3, n3 1", ", where session affinity is not kept", "60 % to n2 (weight 3)"},
		{
			"no annotations where one node is best for session affinity", annotation, func(_ *World, s *lb.Service) { s.Affinity = true }, single,
			"n1 -, n2 -, n3 -", "one node is best", "",
		},
		{"those of the older advertisement", annotation, func(w *World, _ *lb.Service) {
			w.BGPAdvertisements = append(w.BGPAdvertisements, bgpAdvertisement("younger", 9, func(s *v1beta1.BGPAdvertisementSpec) { s.WeightBy = endpoints }))
		}, single, "n1 1, n2 1, n3 1", ", weighted by the annotation", "33 % to n1 (weight 1: it has"},
		{"on some nodes alone, which routers do not heed", endpoints, func(w *World, _ *lb.Service) {
			w.node("n2").Labels = map[string]string{"edge": "yes"}
			w.BGPAdvertisements[0].NodeSelectors = selector("edge=yes")
			w.BGPAdvertisements = append(w.BGPAdvertisements, bgpAdvertisement("all", 9, nil))
		}, single, "n1 -, n2 2, n3 -", ", weighted", "equal shares to all, since the paths of these have no weight: n1, n3"},
	} {
		t.Run(test.name, func(t *testing.T) {
			w, s := weighted(test.by)
			test.change(w, s)
			if got := weightsSeen(w, test.prefix); got != test.want {
				t.Errorf("the paths have %q, want %q", got, test.want)
			}
			e := NewExplainer(w)
			condition, explained := e.Explain(s).Message, strings.Join(e.Weights(s), "\n")
			if !strings.Contains(condition, test.condition) || test.condition == "" && strings.Contains(condition, "weight") {
				t.Errorf("the condition says %q, want %q", condition, test.condition)
			}
			if !strings.Contains(explained, test.explained) || (test.explained == "") != (explained == "") {
				t.Errorf("it is explained by %q, want %q", explained, test.explained)
			}
		})
	}
}

func TestWeights_EachPeerIsToldWhatItsAdvertisementSays(t *testing.T) {
	w, _ := weighted("")
	w.BGPAdvertisements = []*lb.BGPAdvertisement{
		bgpAdvertisement("older", 1, func(s *v1beta1.BGPAdvertisementSpec) {
			s.WeightBy, s.Peers = v1beta1.WeightByNodeAnnotation, []string{"router"}
		}),
		bgpAdvertisement("younger", 2, func(s *v1beta1.BGPAdvertisementSpec) {
			s.WeightBy, s.Peers = v1beta1.WeightByEndpoints, []string{"second"}
		}),
	}
	second := *w.Peers[0]
	second.Name, second.Address = "second", w.Nodes[0].Addresses[0].Next()
	w.Peers = append(w.Peers, &second)
	sessions := Compute(w.on("n3")).Sessions
	if len(sessions) != 2 {
		t.Fatalf("there are %d sessions", len(sessions))
	}
	for _, session := range sessions {
		want := map[string]lb.Weight{"router": lb.WeightOf(1), "second": lb.WeightOf(5)}[session.Peer]
		if len(session.Paths) != 1 || session.Paths[0].Attributes.Weight != want {
			t.Errorf("%s is told %v, want the weight %s", session.Peer, session.Paths, want)
		}
	}
}

// TestWeights_PathsOfOneWeightShareAttributes keeps the number of UPDATE messages small.
func TestWeights_PathsOfOneWeightShareAttributes(t *testing.T) {
	w, _ := weighted(v1beta1.WeightByEndpoints)
	w.add("other", "198.19.0.2", "n1").Local = true
	w.add("third", "198.19.0.3", "n1", "n1").Local = true
	paths := Compute(w).Sessions[0].Paths
	if len(paths) != 3 || paths[0].Attributes != paths[1].Attributes || paths[0].Attributes == paths[2].Attributes {
		t.Errorf("of weights 1, 1 and 2 the paths are %v", paths)
	}
}
