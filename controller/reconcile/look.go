package reconcile

import (
	"context"
	"errors"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/daymark-lb/daymark/api/v1beta1"
	"github.com/daymark-lb/daymark/internal/core/cluster"
	"github.com/daymark-lb/daymark/internal/core/lb"
	"github.com/daymark-lb/daymark/internal/informer"
)

type reservation = informer.Parsed[*v1beta1.IPReservation, *lb.Reservation]

// kinds reads the kinds that the loop looks at.
type kinds struct {
	services     *informer.Lister[*corev1.Service, *record]
	namespaces   *informer.Lister[*corev1.Namespace, *corev1.Namespace]
	reservations *informer.Lister[*v1beta1.IPReservation, reservation]
	others       *informer.Cluster
	lastGood     informer.LastGoodObjects
}

func newKinds(informers cache.Informers) *kinds {
	return &kinds{
		services:     informer.NewLister(informers, parseRecord),
		namespaces:   informer.NewLister(informers, informer.Unparsed[*corev1.Namespace]),
		reservations: informer.NewParsedLister(informers, lb.ParseReservation),
		others:       informer.NewCluster(informers),
	}
}

// watched are the kinds whose changes wake the loop: those it reads.
func watched() []client.Object {
	return append(informer.Kinds(), &corev1.Namespace{}, &v1beta1.IPReservation{})
}

// snapshot is the cluster as it was when a pass began. All lists are in order of namespace and name.
type snapshot struct {
	*informer.Snapshot
	services           []*record
	parsedReservations []reservation
	// announced are the objects that announcing depends on: a broken one counts as it was before.
	announced cluster.Objects
}

// read reads every store once. An error means that the cluster is not known, so nothing may be changed.
func (k *kinds) read(ctx context.Context) (*snapshot, error) {
	others, err := k.others.List(ctx)
	s := &snapshot{Snapshot: others}
	var namespaces []*corev1.Namespace
	err = errors.Join(
		err, informer.Read(ctx, k.services, &s.services), informer.Read(ctx, k.namespaces, &namespaces),
		informer.Read(ctx, k.reservations, &s.parsedReservations),
	)
	if err != nil {
		return nil, err
	}
	s.Reservations = informer.Values(s.parsedReservations)
	s.Namespaces = make(map[string]map[string]string, len(namespaces))
	for _, namespace := range namespaces {
		s.Namespaces[namespace.Name] = namespace.Labels
	}
	s.announced = k.lastGood.Substitute(s.Objects)
	return s, nil
}

// setServices replaces the Services of a snapshot.
func (s *snapshot) setServices(services []*record) {
	s.services = services
	s.Services = make([]*lb.Service, len(services))
	for i, r := range services {
		s.Services[i] = r.Service
	}
	s.announced.Services = s.Services
}
