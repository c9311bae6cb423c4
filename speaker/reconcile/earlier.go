package reconcile

import (
	"context"
	"fmt"
	"net/netip"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/daymark-lb/daymark/api/v1beta1"
	"github.com/daymark-lb/daymark/internal/core/lb"
)

// listTimeout is how long the API server may take for the one list that a pass waits for. A pass must not look stuck because of it.
const listTimeout = 5 * time.Second

// earlier knows where speakers of the version before gossip: they say so in their Speaker objects alone. These are read once, at the
// start. A speaker of that version that starts later reaches this one, whose Speaker object says where.
type earlier struct {
	node string
	// reader reads from the API server and not from the cache, which has this node's Speaker alone.
	reader client.Reader
	// addresses by node, invalid for one that has not said so yet; nil before they are known.
	addresses map[string]netip.AddrPort
}

// complete adds the speakers of the version before to those that keep an EndpointSlice. One without an address is expected all the
// same: a speaker that has only not heard of the others yet must not think itself alone.
func (e *earlier) complete(ctx context.Context, speakers map[string]netip.AddrPort, nodes []*lb.Node) (map[string]netip.AddrPort, error) {
	if e.addresses == nil {
		if err := e.learn(ctx, speakers, nodes); err != nil {
			return nil, err
		}
	}
	all := make(map[string]netip.AddrPort, len(speakers))
	for _, node := range nodes {
		if address, known := e.addresses[node.Name]; known {
			all[node.Name] = address
		}
	}
	for node, address := range speakers {
		all[node] = address
	}
	return all, nil
}

// learn reads the Speaker objects, unless the speakers of all other nodes that are up keep an EndpointSlice. What the API server has
// in its own cache is new enough, and costs it little.
func (e *earlier) learn(ctx context.Context, speakers map[string]netip.AddrPort, nodes []*lb.Node) error {
	if e.allKeepSlices(speakers, nodes) {
		e.addresses = map[string]netip.AddrPort{}
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, listTimeout)
	defer cancel()
	var list v1beta1.SpeakerList
	if err := e.reader.List(ctx, &list, &client.ListOptions{Raw: &metav1.ListOptions{ResourceVersion: "0"}}); err != nil {
		return fmt.Errorf("list the Speakers: %w", err)
	}
	addresses := make(map[string]netip.AddrPort, len(list.Items))
	for i := range list.Items {
		if speaker := &list.Items[i]; speaker.Name != e.node {
			addresses[speaker.Name], _ = netip.ParseAddrPort(speaker.Status.GossipAddress)
		}
	}
	e.addresses = addresses
	return nil
}

func (e *earlier) allKeepSlices(speakers map[string]netip.AddrPort, nodes []*lb.Node) bool {
	for _, node := range nodes {
		if _, keeps := speakers[node.Name]; !keeps && !node.Down && node.Name != e.node {
			return false
		}
	}
	return true
}
