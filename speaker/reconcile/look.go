package reconcile

import (
	"context"
	"net/netip"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/cache"

	"github.com/daymark-lb/daymark/api/v1beta1"
	"github.com/daymark-lb/daymark/internal/core/announce"
	"github.com/daymark-lb/daymark/internal/core/lb"
	"github.com/daymark-lb/daymark/internal/informer"
	"github.com/daymark-lb/daymark/speaker/bgp"
	"github.com/daymark-lb/daymark/speaker/gossip"
)

// kinds reads the kinds that the loop looks at.
type kinds struct {
	services *informer.Lister[*corev1.Service, *lb.Service]
	others   *informer.Cluster
	lastGood informer.LastGoodObjects
}

func newKinds(informers cache.Informers) *kinds {
	return &kinds{services: informer.NewLister(informers, lb.ParseService), others: informer.NewCluster(informers)}
}

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

// read reads every store once. An error means that nothing may be changed.
func (k *kinds) read(ctx context.Context, classes lb.Classes, options announce.Options) (*cluster, error) {
	snapshot, err := k.others.List(ctx)
	if err != nil {
		return nil, err
	}
	objects := snapshot.Objects
	if objects.Services, err = k.services.List(ctx); err != nil {
		return nil, err
	}
	objects = k.lastGood.Substitute(objects)
	return &cluster{
		world: objects.AnnounceWorld(classes, options), keys: gossipKeys(objects.Secrets), speakers: gossipAddresses(objects.Speakers),
	}, nil
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
