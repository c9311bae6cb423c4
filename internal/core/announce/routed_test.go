package announce

import (
	"fmt"
	"net/netip"
	"slices"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/daymark-lb/daymark/api/v1beta1"
	"github.com/daymark-lb/daymark/internal/core/lb"
)

// drainingFor is a BGPAdvertisement with a time.
func drainingFor(name string, d time.Duration) *lb.BGPAdvertisement {
	return bgpAdvertisement(name, 1, func(s *v1beta1.BGPAdvertisementSpec) { s.ConnectionDraining = metav1.Duration{Duration: d} })
}

func TestRouted_NodesOfAnAddress(t *testing.T) {
	for _, test := range []struct {
		name   string
		change func(w *World, s *lb.Service)
		want   string
	}{
		{"all nodes under the policy Cluster", func(*World, *lb.Service) {}, "[{198.19.0.1 [n1 n2 n3] 0 10m0s false false}]"},
		{"those with endpoints under Local", func(_ *World, s *lb.Service) { s.Local = true }, "[{198.19.0.1 [n2] 0 10m0s true false}]"},
		{"an endpoint that terminates still serves", func(w *World, s *lb.Service) {
			s.Local = true
			w.Endpoints[s.Key] = lb.NewEndpointSlice(s.Key, []lb.Endpoint{
				{Addr: netip.MustParseAddr("203.0.113.1"), Node: "n1", Draining: true}, {Addr: netip.MustParseAddr("203.0.113.2"), Node: "n2", Ready: true},
			}).Endpoints
		}, "[{198.19.0.1 [n2] 0 10m0s false false}]"},
		{"not one that drains", func(w *World, _ *lb.Service) { w.node("n1").Draining = true }, "[{198.19.0.1 [n2 n3] 0 10m0s false false}]"},
		{"whose speaker is not there it does not know", func(w *World, _ *lb.Service) { w.Members.Alive = []string{"n1"} }, "[{198.19.0.1 [n1 n2 n3] 0 10m0s false false}]"},
		{"only those of a peer", func(w *World, _ *lb.Service) {
			for _, peer := range w.Peers {
				peer.NodeSelectors = selector("kubernetes.io/hostname=nowhere")
			}
		}, "[{198.19.0.1 [] 0 10m0s false false}]"},
		{"nobody without endpoints, and it is remembered", func(w *World, s *lb.Service) { w.endpoints(s) }, "[{198.19.0.1 [] 0 10m0s false false}]"},
		{"the longest of two counts", func(w *World, _ *lb.Service) {
			w.BGPAdvertisements = append(w.BGPAdvertisements, drainingFor("b", time.Hour), drainingFor("c", 0))
		}, "[{198.19.0.1 [n1 n2 n3] 0 1h0m0s false false}]"},
		{"with 0 there is none", func(w *World, _ *lb.Service) { w.BGPAdvertisements = []*lb.BGPAdvertisement{drainingFor("a", 0)} }, "[]"},
		{"Services that share it", func(w *World, s *lb.Service) {
			s.Local = true
			w.add("other", "198.19.0.1", "n3").Local = true
			w.add("first", "198.19.0.0", "n3")
		}, "[{198.19.0.0 [n1 n2 n3] 0 10m0s false false} {198.19.0.1 [n2 n3] 0 10m0s true false}]"},
	} {
		w := cluster()
		w.BGPAdvertisements = []*lb.BGPAdvertisement{drainingFor("bgp", 10*time.Minute)}
		s := w.add("web", "198.19.0.1", "n2")
		test.change(w, s)
		for range 2 {
			if got := fmt.Sprint(Compute(w).Routed); got != test.want {
				t.Errorf("%s: %s, not %s", test.name, got, test.want)
			}
			slices.Reverse(w.Services)
			slices.Reverse(w.Nodes)
		}
	}
}

// What a node does for its endpoints alone is known to all nodes at the same time. That the load follows soon is for weights by endpoints.
func TestRouted_WhoFollowsEndpoints(t *testing.T) {
	for _, test := range []struct {
		name   string
		by     v1beta1.WeightBy
		change func(w *World, s *lb.Service)
		want   bool
	}{
		{"with an endpoint here", v1beta1.WeightByEndpoints, func(*World, *lb.Service) {}, true},
		{"without one", v1beta1.WeightByEndpoints, func(w *World, s *lb.Service) { w.endpoints(s, "n2", "n3") }, true},
		{"under Cluster all announce", v1beta1.WeightByEndpoints, func(_ *World, s *lb.Service) { s.Local = false }, false},
		{"without weights", "", func(*World, *lb.Service) {}, false},
		{"drained", v1beta1.WeightByEndpoints, func(w *World, _ *lb.Service) { w.node("n1").Draining = true }, false},
		{"a Service that shares it and does not", v1beta1.WeightByEndpoints, func(w *World, _ *lb.Service) { w.add("other", "198.19.0.1", "n3") }, false},
	} {
		w, s := weighted(test.by)
		w.BGPAdvertisements[0].ConnectionDraining = time.Minute
		test.change(w, s)
		if routed := Compute(w).Routed; len(routed) != 1 || routed[0].Follows != test.want {
			t.Errorf("%s: %+v", test.name, routed)
		}
	}
}

// Routers move connections among nodes that stay when these are weighed or preferred differently.
func TestRouted_AnotherDivisionIsAnotherRevision(t *testing.T) {
	weighBy := func(by v1beta1.WeightBy) func(*v1beta1.BGPAdvertisementSpec) {
		return func(s *v1beta1.BGPAdvertisementSpec) { s.WeightBy = by }
	}
	another := func(w *World, s *lb.Service) { w.endpoints(s, "n1", "n1", "n2", "n3") }
	for _, test := range []struct {
		name          string
		advertisement func(*v1beta1.BGPAdvertisementSpec)
		change        func(w *World, s *lb.Service)
		cluster       bool
		differs       bool
	}{
		{"one more endpoint", weighBy(v1beta1.WeightByEndpoints), another, false, true},
		{"under the policy Cluster", weighBy(v1beta1.WeightByEndpoints), another, true, false},
		{"without weights", weighBy(""), another, false, false},
		{"an annotation of a node", weighBy(v1beta1.WeightByNodeAnnotation), func(w *World, _ *lb.Service) {
			w.node("n2").Annotations = map[string]string{v1beta1.AnnotationWeight: "7"}
		}, false, true},
		{"an endpoint where annotations weigh", weighBy(v1beta1.WeightByNodeAnnotation), another, false, false},
		{"a node that is preferred", weighBy(""), func(w *World, _ *lb.Service) {
			preferred := bgpAdvertisement("preferred", 2, func(s *v1beta1.BGPAdvertisementSpec) { s.LocalPref = number(200) })
			preferred.NodeSelectors = selector("rack=a")
			w.node("n1").Labels = map[string]string{"rack": "a"}
			w.BGPAdvertisements = append(w.BGPAdvertisements, preferred)
		}, false, true},
		{"a community, which routers may prefer by", weighBy(""), func(w *World, _ *lb.Service) {
			w.BGPAdvertisements = append(w.BGPAdvertisements, bgpAdvertisement("marked", 2, func(s *v1beta1.BGPAdvertisementSpec) { s.Communities = []string{"64512:1"} }))
		}, false, true},
		{"session affinity", weighBy(""), func(_ *World, s *lb.Service) { s.Affinity = true }, true, true},
		{"an aggregated prefix", weighBy(""), func(w *World, _ *lb.Service) {
			w.BGPAdvertisements = append(w.BGPAdvertisements, bgpAdvertisement("wide", 2, func(s *v1beta1.BGPAdvertisementSpec) {
				length := int32(24)
				s.AggregationLength = &length
			}))
		}, true, true},
		{"a router of two does not hear of it any more", weighBy(""), func(w *World, _ *lb.Service) {
			other := *w.Peers[0]
			other.Name, w.BGPAdvertisements[0].Peers = "other", []string{"router"}
			w.Peers = append(w.Peers, &other)
		}, true, true},
		{"nothing", weighBy(v1beta1.WeightByEndpoints), func(*World, *lb.Service) {}, false, false},
	} {
		revision := func(change func(w *World, s *lb.Service)) uint64 {
			w := cluster()
			w.BGPAdvertisements = []*lb.BGPAdvertisement{bgpAdvertisement("bgp", 1, func(s *v1beta1.BGPAdvertisementSpec) {
				s.ConnectionDraining = metav1.Duration{Duration: time.Minute}
				test.advertisement(s)
			})}
			s := w.add("web", "198.19.0.1", "n1", "n2", "n3")
			s.Local = !test.cluster
			change(w, s)
			return Compute(w).Routed[0].Revision
		}
		if got := revision(func(*World, *lb.Service) {}) != revision(test.change); got != test.differs {
			t.Errorf("%s: another revision: %t", test.name, got)
		}
	}
}

// Which node is best by session affinity changes with a crash: its route must not wait, as those of another division do.
func TestRouted_WhoIsBestByAffinityIsNoRevision(t *testing.T) {
	revision := func(alive ...string) uint64 {
		w := cluster()
		w.BGPAdvertisements = []*lb.BGPAdvertisement{drainingFor("bgp", time.Minute)}
		s := w.add("web", "198.19.0.1", alive...)
		s.Local, s.Affinity = true, true
		w.Members.Alive = alive
		return Compute(w).Routed[0].Revision
	}
	if revision("n1", "n2", "n3") != revision("n1", "n3") {
		t.Error("another revision")
	}
}

// A node whose routers do not hear of an address attracts no packets for it.
func TestRouted_NodesWhoseRoutersHearOfIt(t *testing.T) {
	w := cluster()
	w.add("web", "198.19.0.1", everyNode...)
	w.BGPAdvertisements = []*lb.BGPAdvertisement{drainingFor("bgp", time.Minute)}
	w.BGPAdvertisements[0].Peers = []string{"router"}
	w.node("n2").Labels = map[string]string{"rack": "b"}
	other := *w.Peers[0]
	other.Name, other.NodeSelectors, w.Peers[0].NodeSelectors = "other", selector("rack=b"), selector("rack!=b")
	w.Peers = append(w.Peers, &other)
	if got := Compute(w).Routed[0].Nodes; !slices.Equal(got, []string{"n1", "n3"}) {
		t.Errorf("%v", got)
	}
}

func TestContests_Draining(t *testing.T) {
	w := cluster()
	w.add("web", "192.0.2.200", "n1")
	for _, want := range []time.Duration{0, time.Minute, time.Hour, time.Hour} {
		w.L2Advertisements = append(w.L2Advertisements, lb.ParseL2Advertisement(&v1beta1.L2Advertisement{
			ObjectMeta: meta(want.String(), 1), Spec: v1beta1.L2AdvertisementSpec{ConnectionDraining: metav1.Duration{Duration: want}},
		}))
		if got := Compute(w).Contests[0].Draining; got != want {
			t.Errorf("%s, not %s", got, want)
		}
	}
}
