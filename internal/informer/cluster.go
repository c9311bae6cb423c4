package informer

import (
	"context"
	"errors"
	"net/netip"
	"reflect"
	"slices"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/daymark-lb/daymark/api/v1beta1"
	"github.com/daymark-lb/daymark/internal/core/cluster"
	"github.com/daymark-lb/daymark/internal/core/lb"
)

// Kinds are the kinds that a Cluster reads, and Services.
func Kinds() []client.Object {
	return []client.Object{
		&corev1.Service{}, &discoveryv1.EndpointSlice{}, &corev1.Node{}, &corev1.Secret{},
		&v1beta1.IPAddressPool{}, &v1beta1.L2Advertisement{}, &v1beta1.BGPAdvertisement{}, &v1beta1.BGPPeer{},
		&v1beta1.BFDProfile{}, &v1beta1.Community{}, &v1beta1.Speaker{},
	}
}

// Parsed is an object and its parsed value. The object belongs to the informer: it is never changed.
type Parsed[T client.Object, V any] struct {
	Object T
	Value  V
}

// NewParsedLister makes a Lister of objects together with their parsed values. An object whose value stays equal keeps the value that it
// had, as with NewValueLister: to write the counts of a pool into its status is no change of the pool.
func NewParsedLister[T client.Object, V any](informers cache.Informers, parse func(T) V) *Lister[T, Parsed[T, V]] {
	l := NewLister(informers, func(object T) Parsed[T, V] { return Parsed[T, V]{object, parse(object)} })
	l.adopt = func(before, now Parsed[T, V]) Parsed[T, V] {
		if reflect.DeepEqual(before.Value, now.Value) {
			now.Value = before.Value
		}
		return now
	}
	return l
}

// Values are the parsed values of objects.
func Values[T client.Object, V any](objects []Parsed[T, V]) []V {
	values := make([]V, len(objects))
	for i := range objects {
		values[i] = objects[i].Value
	}
	return values
}

// Unparsed is the parser of kinds that are used as they are.
func Unparsed[T any](object T) T { return object }

// Cluster lists the kinds that both programs read, but for Services, of which they keep different things. It is not safe for
// use by several goroutines.
type Cluster struct {
	slices      *Lister[*discoveryv1.EndpointSlice, *lb.EndpointSlice]
	nodes       *Lister[*corev1.Node, *lb.Node]
	secrets     *Lister[*corev1.Secret, *corev1.Secret]
	pools       *Lister[*v1beta1.IPAddressPool, Parsed[*v1beta1.IPAddressPool, *lb.Pool]]
	l2          *Lister[*v1beta1.L2Advertisement, Parsed[*v1beta1.L2Advertisement, *lb.L2Advertisement]]
	bgp         *Lister[*v1beta1.BGPAdvertisement, Parsed[*v1beta1.BGPAdvertisement, *lb.BGPAdvertisement]]
	peers       *Lister[*v1beta1.BGPPeer, Parsed[*v1beta1.BGPPeer, *lb.Peer]]
	profiles    *Lister[*v1beta1.BFDProfile, Parsed[*v1beta1.BFDProfile, *lb.BFDProfile]]
	communities *Lister[*v1beta1.Community, *v1beta1.Community]
	speakers    *Lister[*v1beta1.Speaker, *v1beta1.Speaker]

	endpoints  endpoints
	index      poolIndex
	nodeValues nodes
}

// NewCluster makes a Cluster. Nothing is read before the first List. The EndpointSlices of speakers count in one namespace, that of
// Daymark: in another a tenant may have written them.
func NewCluster(informers cache.Informers, namespace string) *Cluster {
	return &Cluster{
		endpoints:   endpoints{namespace: namespace},
		slices:      NewValueLister(informers, lb.ParseEndpointSlice),
		nodes:       NewValueLister(informers, lb.ParseNode),
		secrets:     NewLister(informers, Unparsed[*corev1.Secret]),
		pools:       NewParsedLister(informers, lb.ParsePool),
		l2:          NewParsedLister(informers, lb.ParseL2Advertisement),
		bgp:         NewParsedLister(informers, lb.ParseBGPAdvertisement),
		peers:       NewParsedLister(informers, lb.ParsePeer),
		profiles:    NewParsedLister(informers, lb.ParseBFDProfile),
		communities: NewLister(informers, Unparsed[*v1beta1.Community]),
		speakers:    NewLister(informers, Unparsed[*v1beta1.Speaker]),
	}
}

// Snapshot is what a Cluster listed. Lists are in order of name.
type Snapshot struct {
	// Objects without Services, Namespaces and Reservations: the caller adds those it reads. Of the annotations of Nodes they have those that
	// somebody reads.
	cluster.Objects
	// Objects of the kinds whose status the controller writes, with their values.
	ParsedPools             []Parsed[*v1beta1.IPAddressPool, *lb.Pool]
	ParsedL2Advertisements  []Parsed[*v1beta1.L2Advertisement, *lb.L2Advertisement]
	ParsedBGPAdvertisements []Parsed[*v1beta1.BGPAdvertisement, *lb.BGPAdvertisement]
	ParsedPeers             []Parsed[*v1beta1.BGPPeer, *lb.Peer]
	ParsedBFDProfiles       []Parsed[*v1beta1.BFDProfile, *lb.BFDProfile]
	// ChangedEndpoints are the Services whose endpoints may be others than at the List before.
	ChangedEndpoints []lb.Key
	// SpeakerAddresses are where the speakers say that they gossip, by node. Do not change the map.
	SpeakerAddresses map[string]netip.AddrPort
}

// List reads all stores once. An error means that the cluster is not known, so nothing may be changed. The Endpoints of a Snapshot are
// valid until the next List.
func (c *Cluster) List(ctx context.Context) (*Snapshot, error) {
	s := &Snapshot{}
	changed, err := c.slices.Changes(ctx)
	s.Endpoints, s.SpeakerAddresses = c.endpoints.join(changed) // whatever becomes of the other kinds: the next call does not return it again
	err = errors.Join(
		err, Read(ctx, c.nodes, &s.Nodes), Read(ctx, c.secrets, &s.Secrets),
		Read(ctx, c.pools, &s.ParsedPools), Read(ctx, c.l2, &s.ParsedL2Advertisements), Read(ctx, c.bgp, &s.ParsedBGPAdvertisements),
		Read(ctx, c.peers, &s.ParsedPeers), Read(ctx, c.profiles, &s.ParsedBFDProfiles),
		Read(ctx, c.communities, &s.Communities), Read(ctx, c.speakers, &s.Speakers),
	)
	if err != nil {
		return nil, err
	}
	s.ChangedEndpoints, c.endpoints.changed = c.endpoints.changed, nil
	s.Pools = c.index.of(Values(s.ParsedPools))
	s.L2Advertisements, s.BGPAdvertisements = Values(s.ParsedL2Advertisements), Values(s.ParsedBGPAdvertisements)
	s.Peers, s.BFDProfiles = Values(s.ParsedPeers), Values(s.ParsedBFDProfiles)
	s.Nodes = c.nodeValues.of(s.Nodes, s.Peers)
	return s, nil
}

// Read puts the list of one kind into a variable.
func Read[T client.Object, V any](ctx context.Context, from *Lister[T, V], into *[]V) (err error) {
	*into, err = from.List(ctx)
	return err
}

// poolIndex keeps the index of pools as long as they are the same. The zero value is ready for use.
type poolIndex struct {
	pools []*lb.Pool
	index *lb.Pools
}

func (p *poolIndex) of(pools []*lb.Pool) *lb.Pools {
	if p.index == nil || !slices.Equal(p.pools, pools) {
		p.pools, p.index = pools, lb.NewPools(pools)
	}
	return p.index
}
