// Package metallb stands in for MetalLB 0.16 in the lab: it gives addresses to Services, answers ARP for them and announces them by BGP.
// Its one job is to heed what MetalLB heeds when Services change over: its pools, its advertisements' serviceSelectors, the addresses in
// the status, which it keeps while a pool contains them and clears when none does. It refuses to elect by gossip, to answer neighbor
// discovery, and to be configured further than tests need.
package metallb

import (
	"context"
	"errors"
	"net/netip"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/daymark-lb/daymark/cli/source"
	"github.com/daymark-lb/daymark/e2e/lab"
	"github.com/daymark-lb/daymark/e2e/lab/check"
	"github.com/daymark-lb/daymark/internal/core/lb"
)

// T is a test.
type T interface {
	check.T
	Cleanup(func())
}

// StandIn is MetalLB, as far as the lab needs it: one controller, and a speaker on every node.
type StandIn struct {
	cluster  *lab.Cluster
	speakers []*speaker
	// routes by BGP of each node; none unless StartBGP was called.
	routes map[string]*routes
	// converged are the versions of Services, and of the pools, that the controller has looked at.
	converged map[lb.Key]string
}

// Install makes its namespace and its kinds; these go when the test ends.
func Install(t T, cluster *lab.Cluster) {
	t.Helper()
	check.Must(t, "make MetalLB's namespace", cluster.TryApply("{apiVersion: v1, kind: Namespace, metadata: {name: "+Namespace+"}}"))
	cluster.Apply(definitions())
	cluster.Kubectl("wait", "--for=condition=Established", "crd", "-l", "of=metallb", "--timeout=15s")
}

// Start it, until the test ends.
func Start(t T, cluster *lab.Cluster) {
	t.Helper()
	(&StandIn{cluster: cluster, converged: map[lb.Key]string{}}).start(t)
}

// StartBGP starts it, with a session of each node with the lab's router.
func StartBGP(t T, cluster *lab.Cluster) {
	t.Helper()
	s := &StandIn{cluster: cluster, converged: map[lb.Key]string{}, routes: map[string]*routes{}}
	for _, node := range cluster.Nodes() {
		r, err := startRoutes(node, cluster.Logs())
		if r != nil {
			t.Cleanup(func() { check.Must(t, "stop MetalLB's BGP on "+node.Name, r.close()) })
		}
		check.Must(t, "start MetalLB's BGP on "+node.Name, err)
		s.routes[node.Name] = r
	}
	s.start(t)
}

func (s *StandIn) start(t T) {
	t.Helper()
	cluster := s.cluster
	ctx, cancel := context.WithCancel(context.Background())
	for _, node := range cluster.Nodes() {
		one, err := newSpeaker(node)
		check.Must(t, "start MetalLB's speaker on "+node.Name, err)
		s.speakers = append(s.speakers, one)
	}
	from, err := source.NewCluster(cluster.Config(), time.Now)
	check.Must(t, "read for MetalLB", err)
	seen, err := from.Follow(ctx, time.Millisecond, source.Queries("", source.Services, source.EndpointSlices, pools, l2Advertisements, bgpAdvertisements)...)
	check.Must(t, "read for MetalLB", err)
	done := make(chan error, 1)
	go func() { done <- s.run(ctx, seen) }()
	t.Cleanup(func() {
		cancel()
		err := <-done
		for _, one := range s.speakers {
			err = errors.Join(err, one.close())
		}
		check.Must(t, "run MetalLB", err)
	})
}

func (s *StandIn) run(ctx context.Context, seen <-chan *source.Objects) error {
	for objects := range seen {
		w := s.world(objects)
		s.control(ctx, w)
		if err := s.announce(ctx, w); err != nil && ctx.Err() == nil {
			return err
		}
	}
	return nil
}

// world is what both programs decide from.
type world struct {
	services       []*corev1.Service
	serving        map[lb.Key]bool
	pools          []*pool
	advertisements []*unstructured.Unstructured
}

type pool struct {
	name, version string
	auto          bool
	ranges        []lb.Range
}

func (s *StandIn) world(objects *source.Objects) *world {
	w := &world{serving: map[lb.Key]bool{}}
	for _, service := range source.Of[*corev1.Service](objects) {
		if service.Spec.Type == corev1.ServiceTypeLoadBalancer && service.Spec.LoadBalancerClass == nil && service.DeletionTimestamp.IsZero() {
			w.services = append(w.services, service)
		}
	}
	for _, slice := range source.Of[*discoveryv1.EndpointSlice](objects) {
		for _, endpoint := range slice.Endpoints {
			if ready := endpoint.Conditions.Ready; ready == nil || *ready {
				w.serving[lb.Key{Namespace: slice.Namespace, Name: slice.Labels[discoveryv1.LabelServiceName]}] = true
			}
		}
	}
	for _, o := range source.Of[*unstructured.Unstructured](objects) {
		switch o.GetKind() {
		case pools.Kind:
			w.pools = append(w.pools, readPool(o))
		case l2Advertisements.Kind, bgpAdvertisements.Kind:
			w.advertisements = append(w.advertisements, o)
		}
	}
	return w
}

func readPool(o *unstructured.Unstructured) *pool {
	p := &pool{name: o.GetName(), version: o.GetResourceVersion()}
	p.auto, _, _ = unstructured.NestedBool(o.Object, "spec", "autoAssign")
	texts, _, _ := unstructured.NestedStringSlice(o.Object, "spec", "addresses")
	for _, text := range texts {
		if r, err := lb.ParseRange(text); err == nil {
			p.ranges = append(p.ranges, r)
		}
	}
	return p
}

// poolOf an address; nil: none contains it.
func (w *world) poolOf(address netip.Addr) *pool {
	i := slices.IndexFunc(w.pools, func(p *pool) bool { return lb.Containing(p.ranges, address) >= 0 })
	if i < 0 {
		return nil
	}
	return w.pools[i]
}

func key(s *corev1.Service) lb.Key { return lb.Key{Namespace: s.Namespace, Name: s.Name} }

// shown are the addresses in the status.
func shown(s *corev1.Service) (all []netip.Addr) {
	for _, entry := range s.Status.LoadBalancer.Ingress {
		if address, err := netip.ParseAddr(entry.IP); err == nil {
			all = append(all, address)
		}
	}
	return all
}
