package reconcile

import (
	"context"
	"errors"
	"reflect"
	"slices"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/daymark-lb/daymark/api/v1beta1"
	"github.com/daymark-lb/daymark/internal/core/cluster"
	"github.com/daymark-lb/daymark/internal/core/lb"
	"github.com/daymark-lb/daymark/internal/core/status"
	"github.com/daymark-lb/daymark/internal/informer"
)

// cachedService is a Service of a resourceVersion.
type cachedService struct {
	status.Observed
	version string
}

func parseService(from *corev1.Service) *cachedService {
	return &cachedService{status.Observed{Service: lb.ParseService(from), Written: status.ParseService(from)}, from.ResourceVersion}
}

// SameButText reports whether another version of the Service differs in nothing that is decided by.
func (s *cachedService) SameButText(other *cachedService) bool {
	a, b := *s.Service, *other.Service
	a.Version, a.Managed = b.Version, b.Managed
	return reflect.DeepEqual(&a, &b) && s.Written.SameButText(&other.Written)
}

// CacheOptions are those of the cache that a loop reads.
func CacheOptions(scheme *runtime.Scheme, namespace string, classes lb.Classes) cache.Options {
	return informer.KeepParsed(informer.Options(scheme, namespace, classes), parseService)
}

type parsedReservation = informer.Parsed[*v1beta1.IPReservation, *lb.Reservation]

// listers read the kinds that the loop looks at.
type listers struct {
	services     *informer.Lister[*corev1.Service, *cachedService]
	namespaces   *informer.Lister[*corev1.Namespace, *corev1.Namespace]
	reservations *informer.Lister[*v1beta1.IPReservation, parsedReservation]
	others       *informer.Cluster
	lastGood     *informer.LastGoodObjects
	provided     providedServices
	// changedEndpoints are the Services whose endpoints may be others than in the last pass that came to its end.
	changedEndpoints []lb.Key
}

func newListers(informers cache.Informers, namespace string) *listers {
	return &listers{
		services:     informer.NewLister(informers, parseService),
		namespaces:   informer.NewLister(informers, informer.Unparsed[*corev1.Namespace]),
		reservations: informer.NewParsedLister(informers, lb.ParseReservation),
		others:       informer.NewCluster(informers, namespace),
		lastGood:     informer.NewLastGoodObjects(),
	}
}

// kinds are those whose changes wake the loop: all that it reads.
func kinds() []client.Object {
	return append(informer.Kinds(), &corev1.Namespace{}, &v1beta1.IPReservation{})
}

// snapshot is the cluster as it was when a pass began. All lists are in order of namespace and name.
type snapshot struct {
	*informer.Snapshot
	services           []*cachedService
	parsedReservations []parsedReservation
	// lastGood are the objects with the last good version in the place of each broken pool.
	lastGood cluster.Objects
	// changedEndpoints are the Services whose endpoints may be others than in the pass before.
	changedEndpoints []lb.Key
}

// read reads every store once. An error means that the cluster is not known, so nothing may be changed.
func (l *listers) read(ctx context.Context) (*snapshot, error) {
	others, err := l.others.List(ctx)
	s := &snapshot{Snapshot: others}
	if others != nil {
		l.changedEndpoints = append(l.changedEndpoints, others.ChangedEndpoints...)
		s.changedEndpoints = l.changedEndpoints
	}
	var namespaces []*corev1.Namespace
	err = errors.Join(
		err, informer.Read(ctx, l.services, &s.services), informer.Read(ctx, l.namespaces, &namespaces),
		informer.Read(ctx, l.reservations, &s.parsedReservations),
	)
	if err != nil {
		return nil, err
	}
	s.Reservations = informer.Values(s.parsedReservations)
	s.Namespaces, s.Providers = make(map[string]map[string]string, len(namespaces)), map[string]string{}
	for _, namespace := range namespaces {
		s.Namespaces[namespace.Name] = namespace.Labels
		if provider := lb.Provider(namespace); provider != "" {
			s.Providers[namespace.Name] = provider
		}
	}
	s.lastGood = *l.lastGood.SubstitutePools(s.Objects)
	return s, nil
}

// service of a key, which must exist.
func (s *snapshot) service(key lb.Key) *cachedService {
	i, _ := s.find(key)
	return s.services[i]
}

// find finds the place of a Service.
func (s *snapshot) find(key lb.Key) (int, bool) {
	return slices.BinarySearchFunc(s.services, key, func(c *cachedService, key lb.Key) int { return c.Key.Compare(key) })
}

// setServices sets the Services of a snapshot, with the providers of their namespaces.
func (s *snapshot) setServices(services []*cachedService, provided *providedServices) {
	s.services, s.Services = services, make([]*lb.Service, len(services))
	if len(s.Providers) > 0 {
		s.services = provided.of(services, s.Providers)
	}
	for i, c := range s.services {
		s.Services[i] = c.Service
	}
	s.lastGood.Services = s.Services
}

// providedServices are Services with the providers of their namespaces, by what they are without. They are kept, because a Service that
// is another one counts as changed.
type providedServices map[*cachedService]*cachedService

// of returns Services with providers, given by namespace, and forgets those of before.
func (p *providedServices) of(services []*cachedService, providers map[string]string) []*cachedService {
	with, known := slices.Clone(services), providedServices{}
	for i, c := range services {
		provider := providers[c.Key.Namespace]
		if provider == "" || c.Provider != "" {
			continue
		}
		named := (*p)[c]
		if named == nil || named.Provider != provider {
			named = &cachedService{c.Observed, c.version}
			named.Service = c.WithProvider(provider)
		}
		with[i], known[c] = named, named
	}
	*p = known
	return with
}
