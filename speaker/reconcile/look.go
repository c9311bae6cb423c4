package reconcile

import (
	"context"
	"errors"
	"net/netip"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/daymark-lb/daymark/api/v1beta1"
	"github.com/daymark-lb/daymark/internal/core/announce"
	"github.com/daymark-lb/daymark/internal/core/lb"
	"github.com/daymark-lb/daymark/internal/view"
	"github.com/daymark-lb/daymark/speaker/bgp"
	"github.com/daymark-lb/daymark/speaker/gossip"
)

// kinds that the loop looks at; each change of one is a wake.
var kinds = []client.Object{
	&corev1.Service{}, &discoveryv1.EndpointSlice{}, &corev1.Node{}, &corev1.Secret{},
	&v1beta1.IPAddressPool{}, &v1beta1.L2Advertisement{}, &v1beta1.BGPAdvertisement{}, &v1beta1.BGPPeer{},
	&v1beta1.BFDProfile{}, &v1beta1.Community{}, &v1beta1.Speaker{},
}

// tables are the kinds that the loop looks at, as values.
type tables struct {
	services    *view.Table[*corev1.Service, *lb.Service]
	slices      *view.Table[*discoveryv1.EndpointSlice, *lb.EndpointSlice]
	nodes       *view.Table[*corev1.Node, *lb.Node]
	secrets     *view.Table[*corev1.Secret, *corev1.Secret]
	pools       *view.Table[*v1beta1.IPAddressPool, *lb.Pool]
	l2          *view.Table[*v1beta1.L2Advertisement, *lb.L2Advertisement]
	bgp         *view.Table[*v1beta1.BGPAdvertisement, *lb.BGPAdvertisement]
	peers       *view.Table[*v1beta1.BGPPeer, *lb.Peer]
	profiles    *view.Table[*v1beta1.BFDProfile, *lb.BFDProfile]
	communities *view.Table[*v1beta1.Community, *v1beta1.Community]
	speakers    *view.Table[*v1beta1.Speaker, *v1beta1.Speaker]

	endpoints view.Endpoints
	indexed   []*lb.Pool
	poolIndex *lb.Pools
	goodPools view.LastGood[*lb.Pool]
	goodL2    view.LastGood[*lb.L2Advertisement]
	goodBGP   view.LastGood[*lb.BGPAdvertisement]
	goodPeers view.LastGood[*lb.Peer]
}

func newTables(informers cache.Informers) *tables {
	return &tables{
		services:    view.NewTable(informers, lb.ParseService),
		slices:      view.NewTable(informers, lb.ParseEndpointSlice),
		nodes:       view.NewTable(informers, lb.ParseNode),
		secrets:     view.NewTable(informers, itself[*corev1.Secret]),
		pools:       view.NewTable(informers, lb.ParsePool),
		l2:          view.NewTable(informers, lb.ParseL2Advertisement),
		bgp:         view.NewTable(informers, lb.ParseBGPAdvertisement),
		peers:       view.NewTable(informers, lb.ParsePeer),
		profiles:    view.NewTable(informers, lb.ParseBFDProfile),
		communities: view.NewTable(informers, itself[*v1beta1.Community]),
		speakers:    view.NewTable(informers, itself[*v1beta1.Speaker]),
	}
}

func itself[T any](value T) T { return value }

// cluster is what one pass has read: the World to decide on, and what the gossip needs.
type cluster struct {
	world announce.World
	// keys of the gossip; the first is the one to send with.
	keys [][]byte
	// speakers that have an object, by node, and where they gossip, invalid where that is not known.
	speakers map[string]netip.AddrPort
	// view of the other speakers.
	view gossip.View
	// links of this node, and those of them that the others need to know.
	links, relevant []lb.Link
	// gossip is the address of this node that the others reach it at.
	gossip netip.Addr
	// sessions by BGP as they are.
	sessions []bgp.Status
}

// node of a name; nil when there is none.
func (c *cluster) node(name string) *lb.Node {
	i, found := slices.BinarySearchFunc(c.world.Nodes, name, func(n *lb.Node, name string) int { return strings.Compare(n.Name, name) })
	if !found {
		return nil
	}
	return c.world.Nodes[i]
}

// read every cache once. An error means that nothing may be changed.
func (t *tables) read(ctx context.Context, classes lb.Classes) (*cluster, error) {
	r := reader{ctx: ctx}
	services := list(&r, t.services)
	endpoints := list(&r, t.slices)
	pools := list(&r, t.pools)
	l2 := list(&r, t.l2)
	bgp := list(&r, t.bgp)
	peers := list(&r, t.peers)
	secrets := list(&r, t.secrets)
	speakers := list(&r, t.speakers)
	c := &cluster{world: announce.World{
		Services:    ours(services, classes),
		Endpoints:   t.endpoints.Join(endpoints),
		Nodes:       list(&r, t.nodes),
		Aliases:     aliases(list(&r, t.communities)),
		BFDProfiles: profiles(list(&r, t.profiles)),
		Passwords:   passwords(peers, secrets),
	}}
	if err := errors.Join(r.errs...); err != nil {
		return nil, err
	}
	c.world.Pools = t.index(t.goodPools.Substitute(pools, (*lb.Pool).Check))
	c.world.L2Advertisements = t.goodL2.Substitute(l2, (*lb.L2Advertisement).Check)
	c.world.BGPAdvertisements = t.goodBGP.Substitute(bgp, (*lb.BGPAdvertisement).Check)
	c.world.Peers = t.goodPeers.Substitute(peers, (*lb.Peer).Check)
	c.keys = gossipKeys(secrets)
	c.speakers = gossipAddresses(speakers)
	return c, nil
}

// index makes the index of pools anew when one of them changed.
func (t *tables) index(pools []*lb.Pool) *lb.Pools {
	if t.poolIndex == nil || !slices.Equal(t.indexed, pools) {
		t.indexed, t.poolIndex = pools, lb.NewPools(pools)
	}
	return t.poolIndex
}

// reader reads tables one after the other and gathers what went wrong.
type reader struct {
	ctx  context.Context //nolint:containedctx // lives for one pass
	errs []error
}

func list[T client.Object, V any](r *reader, table *view.Table[T, V]) []V {
	values, err := table.List(r.ctx)
	if err != nil {
		r.errs = append(r.errs, err)
	}
	return values
}

func ours(services []*lb.Service, classes lb.Classes) []*lb.Service {
	var list []*lb.Service
	for _, s := range services {
		if classes.Ours(s) {
			list = append(list, s)
		}
	}
	return list
}

func aliases(communities []*v1beta1.Community) lb.Aliases {
	names := lb.Aliases{}
	for _, community := range communities {
		// What is wrong with a Community is a condition on it, which the controller writes; the rest of it serves.
		_ = names.AddAliases(community)
	}
	return names
}

func profiles(list []*lb.BFDProfile) map[string]*lb.BFDProfile {
	byName := make(map[string]*lb.BFDProfile, len(list))
	for _, profile := range list {
		byName[profile.Name] = profile
	}
	return byName
}

// passwords that peers name and that are there.
func passwords(peers []*lb.Peer, secrets []*corev1.Secret) map[lb.SecretKey]string {
	found := map[lb.SecretKey]string{}
	for _, peer := range peers {
		if peer.Password == nil {
			continue
		}
		for _, secret := range secrets {
			if value := secret.Data[peer.Password.Key]; len(value) > 0 && secret.Name == peer.Password.Name {
				found[*peer.Password] = string(value)
			}
		}
	}
	return found
}

// gossipKeys returns the values of the Secret: that of "key" first, the others, if any, in order of name.
func gossipKeys(secrets []*corev1.Secret) [][]byte {
	var keys [][]byte
	for _, secret := range secrets {
		if secret.Name != v1beta1.GossipSecret {
			continue
		}
		if key, ok := secret.Data[v1beta1.GossipSecretKey]; ok {
			keys = append(keys, key)
		}
		var others []string
		for name := range secret.Data {
			if name != v1beta1.GossipSecretKey {
				others = append(others, name)
			}
		}
		slices.Sort(others)
		for _, name := range others {
			keys = append(keys, secret.Data[name])
		}
	}
	return keys
}

// gossipAddresses are where the speakers listen, by node; invalid for one that has not said so yet. It is expected all
// the same: a speaker that has merely not heard of the others must not think itself alone.
func gossipAddresses(speakers []*v1beta1.Speaker) map[string]netip.AddrPort {
	addresses := make(map[string]netip.AddrPort, len(speakers))
	for _, speaker := range speakers {
		addresses[speaker.Name], _ = netip.ParseAddrPort(speaker.Status.GossipAddress)
	}
	return addresses
}
