package reconcile

import (
	"context"
	"errors"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/daymark-lb/daymark/api/v1beta1"
	"github.com/daymark-lb/daymark/internal/core/ipam"
	"github.com/daymark-lb/daymark/internal/core/lb"
	"github.com/daymark-lb/daymark/internal/view"
)

// parsed is an object of ours and what it means. The object belongs to the cache: it is never changed.
type parsed[T client.Object, V any] struct {
	object T
	value  V
}

func parse[T client.Object, V any](read func(T) V) func(T) parsed[T, V] {
	return func(object T) parsed[T, V] { return parsed[T, V]{object, read(object)} }
}

// Kinds of the API group, each with its meaning.
type (
	poolObject        = parsed[*v1beta1.IPAddressPool, *lb.Pool]
	reservationObject = parsed[*v1beta1.IPReservation, *lb.Reservation]
	l2Object          = parsed[*v1beta1.L2Advertisement, *lb.L2Advertisement]
	bgpObject         = parsed[*v1beta1.BGPAdvertisement, *lb.BGPAdvertisement]
	peerObject        = parsed[*v1beta1.BGPPeer, *lb.Peer]
)

// tables are what the loop reads.
type tables struct {
	services     *view.Table[*corev1.Service, *record]
	slices       *view.Table[*discoveryv1.EndpointSlice, *lb.EndpointSlice]
	nodes        *view.Table[*corev1.Node, *lb.Node]
	namespaces   *view.Table[*corev1.Namespace, *corev1.Namespace]
	secrets      *view.Table[*corev1.Secret, *corev1.Secret]
	pools        *view.Table[*v1beta1.IPAddressPool, poolObject]
	reservations *view.Table[*v1beta1.IPReservation, reservationObject]
	l2           *view.Table[*v1beta1.L2Advertisement, l2Object]
	bgp          *view.Table[*v1beta1.BGPAdvertisement, bgpObject]
	peers        *view.Table[*v1beta1.BGPPeer, peerObject]
	profiles     *view.Table[*v1beta1.BFDProfile, *v1beta1.BFDProfile]
	communities  *view.Table[*v1beta1.Community, *v1beta1.Community]
	speakers     *view.Table[*v1beta1.Speaker, *v1beta1.Speaker]

	endpoints view.Endpoints
	goodL2    view.LastGood[*lb.L2Advertisement]
	goodBGP   view.LastGood[*lb.BGPAdvertisement]
	goodPeers view.LastGood[*lb.Peer]
}

// kinds that wake the loop: those it reads.
func kinds() []client.Object {
	return []client.Object{
		&corev1.Service{}, &discoveryv1.EndpointSlice{}, &corev1.Node{}, &corev1.Namespace{}, &corev1.Secret{},
		&v1beta1.IPAddressPool{}, &v1beta1.IPReservation{}, &v1beta1.L2Advertisement{}, &v1beta1.BGPAdvertisement{},
		&v1beta1.BGPPeer{}, &v1beta1.BFDProfile{}, &v1beta1.Community{}, &v1beta1.Speaker{},
	}
}

func newTables(from cache.Cache) tables {
	return tables{
		services:     view.NewTable(from, parseRecord),
		slices:       view.NewTable(from, lb.ParseEndpointSlice),
		nodes:        view.NewTable(from, lb.ParseNode),
		namespaces:   view.NewTable(from, itself[*corev1.Namespace]),
		secrets:      view.NewTable(from, itself[*corev1.Secret]),
		pools:        view.NewTable(from, parse(lb.ParsePool)),
		reservations: view.NewTable(from, parse(lb.ParseReservation)),
		l2:           view.NewTable(from, parse(lb.ParseL2Advertisement)),
		bgp:          view.NewTable(from, parse(lb.ParseBGPAdvertisement)),
		peers:        view.NewTable(from, parse(lb.ParsePeer)),
		profiles:     view.NewTable(from, itself[*v1beta1.BFDProfile]),
		communities:  view.NewTable(from, itself[*v1beta1.Community]),
		speakers:     view.NewTable(from, itself[*v1beta1.Speaker]),
	}
}

func itself[T any](object T) T { return object }

// sight is everything as it was when a pass began. All lists are in order of namespace and name.
type sight struct {
	services     []*record
	slices       []*lb.EndpointSlice
	nodes        []*lb.Node
	namespaces   []*corev1.Namespace
	secrets      []*corev1.Secret
	pools        []poolObject
	index        *lb.Pools
	reservations []reservationObject
	l2           []l2Object
	bgp          []bgpObject
	peers        []peerObject
	profiles     []*v1beta1.BFDProfile
	communities  []*v1beta1.Community
	speakers     []*v1beta1.Speaker
}

// look reads every cache once. An error means that nothing is known, so nothing may be changed.
func (t *tables) look(ctx context.Context) (*sight, error) {
	s := &sight{}
	err := errors.Join(
		list(ctx, t.services, &s.services), list(ctx, t.slices, &s.slices), list(ctx, t.nodes, &s.nodes), list(ctx, t.namespaces, &s.namespaces),
		list(ctx, t.secrets, &s.secrets), list(ctx, t.pools, &s.pools), list(ctx, t.reservations, &s.reservations),
		list(ctx, t.l2, &s.l2), list(ctx, t.bgp, &s.bgp), list(ctx, t.peers, &s.peers), list(ctx, t.profiles, &s.profiles),
		list(ctx, t.communities, &s.communities), list(ctx, t.speakers, &s.speakers),
	)
	s.index = lb.NewPools(values(s.pools))
	return s, err
}

func list[T client.Object, V any](ctx context.Context, from *view.Table[T, V], into *[]V) (err error) {
	*into, err = from.List(ctx)
	return err
}

// values are the meanings of objects.
func values[T client.Object, V any](objects []parsed[T, V]) []V {
	list := make([]V, len(objects))
	for i := range objects {
		list[i] = objects[i].value
	}
	return list
}

// world is what ipam looks at.
func (l *Loop) world(s *sight) ipam.World {
	w := ipam.World{
		Now: l.now(), Classes: l.classes, Nodes: s.nodes, Memory: l.memory,
		Services:     make([]*lb.Service, len(s.services)),
		Pools:        s.index,
		Reservations: values(s.reservations),
		Namespaces:   make(map[string]map[string]string, len(s.namespaces)),
	}
	for i, r := range s.services {
		w.Services[i] = r.Service
	}
	for _, namespace := range s.namespaces {
		w.Namespaces[namespace.Name] = namespace.Labels
	}
	return w
}
