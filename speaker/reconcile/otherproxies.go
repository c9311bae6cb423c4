package reconcile

import (
	"cmp"
	"context"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/daymark-lb/daymark/api/v1beta1"
	"github.com/daymark-lb/daymark/internal/core/lb"
	"github.com/daymark-lb/daymark/internal/core/proxyhealth"
	"github.com/daymark-lb/daymark/internal/core/rendezvous"
	"github.com/daymark-lb/daymark/internal/core/status"
)

const (
	// askedNodes is how many other nodes one that fails asks about, and mostReads how many Speaker objects it reads for that at most.
	askedNodes, mostReads = 5, 10
	// firstAskShare and askShare are the times that each node takes of the first look, and of each later one: if all nodes fail, they
	// read 500 objects a second at first, and 125 from then on.
	firstAskShare, askShare = 10 * time.Millisecond, 40 * time.Millisecond
	// askInterval is the shortest time between two looks.
	askInterval = 10 * time.Second
	// readTimeout of one object.
	readTimeout = 5 * time.Second
)

// OtherProxies knows how the service proxies of a few other nodes are, where the speakers do not tell each other: from their Speaker
// objects. It reads them only while the proxy of this node fails, so that nothing is read at rest, and how much is read does not grow
// with the square of the nodes.
type OtherProxies interface {
	// Set says which nodes to ask about, the first of them first; none: nobody is to be asked any more.
	Set(nodes []string)
	// States of those that were asked about; false before that is known.
	States() ([]proxyhealth.State, bool)
	Changes() <-chan struct{}
}

// otherProxies implements OtherProxies.
type otherProxies struct {
	reader  client.Reader
	changes chan struct{}
	wake    chan struct{}

	mu sync.Mutex
	// nodes to ask about, and since when there are any.
	nodes []string
	since time.Time
	// states by node, as far as they are known.
	states map[string]proxyhealth.State
	known  bool
}

func newOtherProxies(reader client.Reader) *otherProxies {
	return &otherProxies{reader: reader, changes: make(chan struct{}, 1), wake: make(chan struct{}, 1)}
}

// Set implements OtherProxies.
func (o *otherProxies) Set(nodes []string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if len(nodes) == 0 {
		o.nodes, o.since, o.states, o.known = nil, time.Time{}, nil, false
		return
	}
	o.nodes = nodes
	if o.since.IsZero() {
		o.since = time.Now()
		notify(o.wake)
	}
}

// States implements OtherProxies.
func (o *otherProxies) States() (states []proxyhealth.State, known bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, state := range o.states {
		states = append(states, state)
	}
	return states, o.known
}

// Changes implements OtherProxies.
func (o *otherProxies) Changes() <-chan struct{} { return o.changes }

// NeedLeaderElection is false: every speaker asks for its own node.
func (o *otherProxies) NeedLeaderElection() bool { return false }

// Start asks, while there is anybody to ask about, until ctx ends.
func (o *otherProxies) Start(ctx context.Context) error {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-o.wake:
			o.mu.Lock()
			// The others are not asked before they have had the time to say that theirs fail as well.
			wait := proxyhealth.FailTime + rand.N(time.Duration(len(o.nodes))*firstAskShare+1) //nolint:gosec // random, so that not all nodes ask at the same moment
			o.mu.Unlock()
			timer.Reset(wait)
		case <-timer.C:
			if wait := o.look(ctx); wait > 0 {
				timer.Reset(wait)
			}
		}
	}
}

// look asks once, and returns when to ask again; 0: nobody is to be asked.
func (o *otherProxies) look(ctx context.Context) time.Duration {
	o.mu.Lock()
	nodes, since, before := o.nodes, o.since, o.states
	o.mu.Unlock()
	if len(nodes) == 0 {
		return 0
	}
	if early := proxyhealth.FailTime - time.Since(since); early > 0 {
		return early
	}
	states := map[string]proxyhealth.State{}
	for _, node := range nodes[:min(len(nodes), mostReads)] {
		state, found := o.read(ctx, node, before)
		if found {
			states[node] = state
		}
		if len(states) == askedNodes {
			break
		}
	}
	o.mu.Lock()
	if o.since.Equal(since) {
		o.states, o.known = states, true
	}
	o.mu.Unlock()
	notify(o.changes)
	return max(askInterval, time.Duration(len(nodes))*askShare)
}

// read returns how the proxy of a node is; false: no speaker runs there. What cannot be read is as it was before, and fails the first time:
// it must not withdraw a node.
func (o *otherProxies) read(ctx context.Context, node string, before map[string]proxyhealth.State) (proxyhealth.State, bool) {
	ctx, cancel := context.WithTimeout(ctx, readTimeout)
	defer cancel()
	var speaker v1beta1.Speaker
	switch err := o.reader.Get(ctx, client.ObjectKey{Name: node}, &speaker); {
	case err == nil:
		return saidOfProxy(&speaker), true
	case apierrors.IsNotFound(err):
		return 0, false
	}
	if before == nil {
		return proxyhealth.Fails, true
	}
	state, known := before[node]
	return state, known
}

// saidOfProxy is what a Speaker object says of the node's service proxy. One that is not said to work, by a speaker that is there, fails.
func saidOfProxy(speaker *v1beta1.Speaker) proxyhealth.State {
	c := meta.FindStatusCondition(speaker.Status.Conditions, v1beta1.ConditionServiceProxyUnhealthy)
	switch {
	case c == nil || lb.SpeakerGone(speaker) || c.Status != metav1.ConditionFalse:
		return proxyhealth.Fails
	case c.Reason == status.ProxyWorks.Name:
		return proxyhealth.Works
	case c.Reason == status.ProxyNotChecked.Name:
		return proxyhealth.NotChecked
	default:
		return proxyhealth.NotFound
	}
}

// nodesToAsk are the nodes that one may ask about, in an order by a hash that differs from node to node: all that are up but itself.
func nodesToAsk(self string, nodes []*lb.Node) []string {
	type ranked struct {
		rank uint64
		name string
	}
	var others []ranked
	for _, node := range nodes {
		if node.Name != self && !node.Down {
			others = append(others, ranked{rendezvous.Mix(rendezvous.Hash(self + "\x00" + node.Name)), node.Name})
		}
	}
	slices.SortFunc(others, func(a, b ranked) int { return cmp.Or(cmp.Compare(a.rank, b.rank), cmp.Compare(a.name, b.name)) })
	names := make([]string, len(others))
	for i := range others {
		names[i] = others[i].name
	}
	return names
}
