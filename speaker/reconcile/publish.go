package reconcile

import (
	"context"
	"fmt"
	"log/slog"
	"net/netip"
	"sync"
	"time"

	discoveryv1 "k8s.io/api/discovery/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/daymark-lb/daymark/internal/core/lb"
	"github.com/daymark-lb/daymark/internal/progress"
)

// Published is what the EndpointSlice of a speaker should say.
type Published struct {
	// Address at which the others reach the gossip of this speaker; invalid: none yet, so nothing is written.
	Address netip.AddrPort
	// Known is what the cache shows of the EndpointSlice; invalid: there is none.
	Known netip.AddrPort
	// Owner of the EndpointSlice; nil: there is no Node of this name, so nothing is written.
	Owner *lb.Node
}

// due reports whether there is something to write.
func (p *Published) due() bool { return p.Address.IsValid() && p.Owner != nil && p.Address != p.Known }

// Publisher keeps the EndpointSlice that says where the speaker of one node gossips. All speakers watch these, so it is written when
// the address changes and never else.
type Publisher struct {
	node, namespace string
	client          client.Client
	log             *slog.Logger

	mu      sync.Mutex
	desired Published
	wake    chan struct{}
	steps   progress.Steps
}

// NewPublisher makes a Publisher that writes with a client; nothing is written before Start.
func NewPublisher(node, namespace string, c client.Client, log *slog.Logger) *Publisher {
	return &Publisher{node: node, namespace: namespace, client: c, log: log, wake: make(chan struct{}, 1)}
}

// Set says what to publish. It does not wait until it is written.
func (p *Publisher) Set(desired Published) {
	p.mu.Lock()
	p.desired = desired
	p.mu.Unlock()
	if desired.due() {
		notify(p.wake)
	}
}

// Start writes until ctx ends.
func (p *Publisher) Start(ctx context.Context) error {
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-p.wake:
		}
		wait := reportInterval
		if err := p.write(ctx); err != nil && ctx.Err() == nil {
			p.log.Warn("EndpointSlice not written, trying again", "error", err)
			wait = reportRetryInterval
			notify(p.wake)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(wait):
		}
	}
}

// write brings the EndpointSlice up to date. The family of one cannot be changed: it is made anew.
func (p *Publisher) write(ctx context.Context) error {
	defer p.steps.Begin("writes the EndpointSlice")()
	ctx, cancel := context.WithTimeout(ctx, reportTimeout)
	defer cancel()
	p.mu.Lock()
	desired := p.desired
	p.mu.Unlock()
	if !desired.due() {
		return nil
	}
	slice := lb.SpeakerEndpoint{Node: p.node, Address: desired.Address}.Slice(p.namespace, desired.Owner)
	now := &discoveryv1.EndpointSlice{}
	err := p.client.Get(ctx, client.ObjectKeyFromObject(slice), now)
	switch {
	case apierrors.IsNotFound(err):
		err = p.client.Create(ctx, slice)
	case err != nil:
	case now.AddressType != slice.AddressType:
		if err = p.client.Delete(ctx, now, client.Preconditions{UID: &now.UID}); err == nil {
			err = p.client.Create(ctx, slice)
		}
	case !sameSlice(now, slice):
		slice.ResourceVersion = now.ResourceVersion
		err = p.client.Update(ctx, slice)
	}
	if err != nil {
		return fmt.Errorf("write EndpointSlice %s: %w", slice.Name, err)
	}
	return nil
}

// sameSlice reports whether two slices say the same.
func sameSlice(a, b *discoveryv1.EndpointSlice) bool {
	return equality.Semantic.DeepEqual(a.Endpoints, b.Endpoints) && equality.Semantic.DeepEqual(a.Ports, b.Ports) &&
		equality.Semantic.DeepEqual(a.Labels, b.Labels) && equality.Semantic.DeepEqual(a.OwnerReferences, b.OwnerReferences)
}

// notify wakes the receiver of a channel, unless it has been notified already.
func notify(wake chan<- struct{}) {
	select {
	case wake <- struct{}{}:
	default:
	}
}
