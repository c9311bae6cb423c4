package announce

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"

	"github.com/daymark-lb/daymark/api/v1beta1"
	"github.com/daymark-lb/daymark/internal/core/election"
	"github.com/daymark-lb/daymark/internal/core/lb"
)

// pods gives a Service so many ready endpoints on n1, n2 and n3.
func (w *World) pods(s *lb.Service, counts ...int) {
	var endpoints []lb.Endpoint
	for node, count := range counts {
		for i := range count {
			addr := netip.AddrFrom4([4]byte{198, 18, byte(node), byte(i + 1)})
			endpoints = append(endpoints, lb.Endpoint{Addr: addr, Node: everyNode[node], Ready: true})
		}
	}
	w.Endpoints[s.Key] = lb.JoinEndpoints([]*lb.EndpointSlice{lb.NewEndpointSlice(s.Key, endpoints)})
}

func TestLayer2_RanksOfNodes(t *testing.T) {
	for _, test := range []struct {
		name   string
		change func(w *World, s *lb.Service)
		want   string
	}{
		{"under Local by the number of ready endpoints", func(w *World, s *lb.Service) {
			s.Local = true
			w.pods(s, 1, 2, 5)
		}, "[1 2 5]"},
		{"under Local up to 255", func(w *World, s *lb.Service) {
			s.Local = true
			w.pods(s, 1, 0, 255)
			w.Endpoints[s.Key] = w.Endpoints[s.Key].Update(nil, []*lb.EndpointSlice{lb.NewEndpointSlice(s.Key, []lb.Endpoint{
				{Addr: netip.MustParseAddr("198.18.3.1"), Node: "n3", Ready: true},
			})})
		}, "[1 0 255]"},
		{"under Local none when all have as many", func(w *World, s *lb.Service) {
			s.Local = true
			w.pods(s, 2, 0, 2)
		}, "none"},
		{"under Cluster none", func(w *World, s *lb.Service) { w.pods(s, 1, 2, 5) }, "none"},
		{"the zone with endpoints", func(w *World, s *lb.Service) {
			s.Distribution = lb.SameZone
			w.pods(s, 1)
		}, "[1 1 0]"},
		{"the node with endpoints, and then the zone", func(w *World, s *lb.Service) {
			s.Distribution = lb.SameNode
			w.pods(s, 1)
		}, "[2 1 0]"},
		{"the node with endpoints where nodes have no zones", func(w *World, s *lb.Service) {
			s.Distribution = lb.SameNode
			w.pods(s, 0, 1)
			for _, n := range w.Nodes {
				n.Labels = nil
			}
		}, "[0 2 0]"},
		{"none where nodes have no zones", func(w *World, s *lb.Service) {
			s.Distribution = lb.SameZone
			w.pods(s, 1)
			for _, n := range w.Nodes {
				n.Labels = nil
			}
		}, "none"},
		{"under Local not by trafficDistribution", func(w *World, s *lb.Service) {
			s.Local, s.Distribution = true, lb.SameNode
			w.pods(s, 3, 0, 3)
		}, "none"},
		{"none when an advertisement says so", func(w *World, s *lb.Service) {
			s.Local = true
			w.pods(s, 1, 2, 5)
			second := *w.L2Advertisements[0]
			second.Name, second.Preference = "second", v1beta1.PreferNone
			w.L2Advertisements = append(w.L2Advertisements, &second)
		}, "none"},
		{"the sum over the Services that share the address", func(w *World, s *lb.Service) {
			s.Local = true
			w.pods(s, 1, 2, 5)
			other := w.add("other", "192.0.2.200", everyNode...)
			other.Local = true
			w.pods(other, 7, 1, 1)
		}, "[8 3 6]"},
		{"the sum over Services with endpoints in the same zones", func(w *World, s *lb.Service) {
			other := w.add("other", "192.0.2.200", everyNode...)
			third := w.add("third", "192.0.2.200", everyNode...)
			s.Distribution, other.Distribution, third.Distribution = lb.SameZone, lb.SameZone, lb.SameZone
			w.pods(s, 1)
			w.pods(other, 1)
			w.pods(third, 0, 0, 1)
		}, "[2 2 1]"},
		{"those of one Service that shares the address with others", func(w *World, s *lb.Service) {
			s.Distribution = lb.SameNode
			w.pods(s, 0, 0, 1)
			w.add("other", "192.0.2.200", everyNode...)
		}, "[0 0 2]"},
	} {
		t.Run(test.name, func(t *testing.T) {
			w := cluster()
			for i, zone := range []string{"a", "a", "b"} {
				w.Nodes[i].Labels = map[string]string{corev1.LabelTopologyZone: zone}
			}
			test.change(w, w.add("web", "192.0.2.200", everyNode...))
			got := "none"
			if ranks := Compute(w).Contests[0].Ranks; ranks != nil {
				got = fmt.Sprintf("[%d %d %d]", ranks.Of("n1"), ranks.Of("n2"), ranks.Of("n3"))
			}
			if got != test.want {
				t.Errorf("the ranks are %s, want %s", got, test.want)
			}
		})
	}
}

func TestLayer2_AddressesShareTheRanksOfAZone(t *testing.T) {
	w := cluster()
	w.node("n1").Labels = map[string]string{corev1.LabelTopologyZone: "a"}
	for _, addr := range []string{"192.0.2.200", "192.0.2.201"} {
		w.add("at-"+addr, addr, "n1").Distribution = lb.SameZone
	}
	if contests := Compute(w).Contests; contests[0].Ranks == nil || contests[0].Ranks != contests[1].Ranks {
		t.Error("two Ranks for the same zones")
	}
}

func TestLayer2_AddressesShareEqualRanks(t *testing.T) {
	w := cluster()
	for i := range w.Nodes {
		w.Nodes[i].Labels = map[string]string{corev1.LabelTopologyZone: "a"}
	}
	local, near := [2]*lb.Service{}, [2]*lb.Service{}
	for i := range 2 {
		local[i] = w.add(fmt.Sprint("local", i), fmt.Sprint("192.0.2.20", i), everyNode...)
		near[i] = w.add(fmt.Sprint("near", i), fmt.Sprint("192.0.2.21", i), everyNode...)
		local[i].Local, near[i].Distribution = true, lb.SameNode
		w.pods(local[i], 1, 2, 5)
		w.pods(near[i], 1)
	}
	contests := Compute(w).Contests
	for _, i := range []int{0, 2} {
		if contests[i].Ranks == nil || contests[i].Ranks != contests[i+1].Ranks {
			t.Errorf("%s and %s do not share their Ranks", contests[i].Addr, contests[i+1].Addr)
		}
	}
	if contests[0].Ranks == contests[2].Ranks {
		t.Error("all share them")
	}
}

func TestLayer2_TheSumOfRanksIsWorkedOutOnce(t *testing.T) {
	w := cluster()
	n := newNearness(newRules(w))
	a, b := election.NewRanks([]election.Rank{{Node: "n1", Rank: 1}}, nil), election.NewRanks([]election.Rank{{Node: "n2", Rank: 2}}, nil)
	first := n.sum(a, b)
	if allocs := testing.AllocsPerRun(10, func() { n.sum(a, b) }); allocs > 0 || n.sum(a, b) != first {
		t.Errorf("the sum is worked out again, with %v allocations", allocs)
	}
}

func TestExplain_SaysHowNodesAreToEndpoints(t *testing.T) {
	w := cluster()
	for i, zone := range []string{"a", "a", "b"} {
		w.Nodes[i].Labels = map[string]string{corev1.LabelTopologyZone: zone}
	}
	local, near := w.add("local", "192.0.2.200", everyNode...), w.add("near", "192.0.2.201", everyNode...)
	local.Local, near.Distribution = true, lb.SameNode
	w.pods(local, 1, 0, 5)
	w.pods(near, 1)
	said := func(e *Explainer, s *lb.Service) (all string) {
		for _, n := range e.Answer(s, s.Ingress[0], nil).Nodes {
			all += n.Node + ": " + n.Nearness + "; "
		}
		return all
	}
	e := NewExplainer(w)
	if got, want := said(e, local), "n1: 1 ready endpoint; n2: ; n3: 5 ready endpoints; "; got != want {
		t.Errorf("it says %q, want %q", got, want)
	}
	if got, want := said(e, near), "n1: preferred: an endpoint is on it; n2: preferred: endpoints are in its zone; n3: ; "; got != want {
		t.Errorf("it says %q, want %q", got, want)
	}
	if got, want := e.Explain(near).Message, ", of equal nodes from one with an endpoint or else in a zone with endpoints"; !strings.Contains(got, want) {
		t.Errorf("the condition says %q, want %q", got, want)
	}
	w.L2Advertisements[0].Preference = v1beta1.PreferNone
	e = NewExplainer(w)
	if got := said(e, local) + said(e, near) + e.Explain(near).Message; strings.Contains(got, "endpoint") {
		t.Errorf("it says %q though endpoints do not count", got)
	}
}

// BenchmarkExplainer_Answer answers for an address with an endpoint on each of 500 nodes.
func BenchmarkExplainer_Answer(b *testing.B) {
	for name, local := range map[string]bool{"Local": true, "Cluster": false} {
		b.Run(name, func(b *testing.B) {
			w := cluster()
			var nodes []string
			var endpoints []lb.Endpoint
			for i := range 500 {
				n := *w.Nodes[0]
				n.Name = fmt.Sprintf("m%03d", i)
				w.Nodes, nodes = append(w.Nodes, &n), append(nodes, n.Name)
				endpoints = append(endpoints, lb.Endpoint{Addr: netip.AddrFrom4([4]byte{198, 18, byte(i / 250), byte(i % 250)}), Node: n.Name, Ready: true})
			}
			s := w.add("web", "192.0.2.200", nodes...)
			s.Local = local
			w.Endpoints[s.Key] = lb.JoinEndpoints([]*lb.EndpointSlice{lb.NewEndpointSlice(s.Key, endpoints)})
			e := NewExplainer(w)
			for b.Loop() {
				e.Answer(s, s.Ingress[0], nil)
			}
		})
	}
}

func TestNearness_SumsAreBounded(t *testing.T) {
	w := cluster()
	n := newNearness(newRules(w))
	one := election.NewRanks([]election.Rank{{Node: "n1", Rank: 1}}, nil)
	first := n.sum(one, one)
	for range maxSums + 1 {
		n.sum(one, election.NewRanks([]election.Rank{{Node: "n2", Rank: 1}}, nil))
	}
	if len(n.sums) > maxSums || n.sum(one, one) != first {
		t.Errorf("%d are kept, or one is made twice", len(n.sums))
	}
}
