package reconcile

import (
	"context"
	"errors"
	"slices"

	corev1 "k8s.io/api/core/v1"
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

type parsedReservation = informer.Parsed[*v1beta1.IPReservation, *lb.Reservation]

// listers read the kinds that the loop looks at.
type listers struct {
	services     *informer.Lister[*corev1.Service, *cachedService]
	namespaces   *informer.Lister[*corev1.Namespace, *corev1.Namespace]
	reservations *informer.Lister[*v1beta1.IPReservation, parsedReservation]
	others       *informer.Cluster
	lastGood     *informer.LastGoodObjects
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
}

// read reads every store once. An error means that the cluster is not known, so nothing may be changed.
func (l *listers) read(ctx context.Context) (*snapshot, error) {
	others, err := l.others.List(ctx)
	s := &snapshot{Snapshot: others}
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
	i, _ := slices.BinarySearchFunc(s.services, key, func(c *cachedService, key lb.Key) int { return c.Key.Compare(key) })
	return s.services[i]
}

// setServices sets the Services of a snapshot.
func (s *snapshot) setServices(services []*cachedService) {
	s.services, s.Services = make([]*cachedService, len(services)), make([]*lb.Service, len(services))
	for i, c := range services {
		if service := c.WithProvider(s.Providers[c.Key.Namespace]); service != c.Service {
			named := *c
			named.Service = service
			c = &named
		}
		s.services[i], s.Services[i] = c, c.Service
	}
	s.lastGood.Services = s.Services
}
