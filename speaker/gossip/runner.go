package gossip

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/daymark-lb/daymark/api/v1beta1"
	"github.com/daymark-lb/daymark/internal/core/election"
	"github.com/daymark-lb/daymark/speaker/trace"
)

// listenRetryInterval is the wait before the gossip is started again after it could not listen.
const listenRetryInterval = 3 * time.Second

// Bind says where to gossip, and how fast.
type Bind struct {
	// Off: do not gossip, and so hold nothing by layer 2.
	Off bool
	// Address to listen on; invalid: the node's own.
	Address netip.Addr
	Port    uint16
	// Timing of the gossip and of the heartbeats.
	Timing Timing
}

// Desired is the state that a Runner shall bring about.
type Desired struct {
	// Addresses of this node, of which one is listened on.
	Addresses []netip.Addr
	// Keys that encrypt the gossip; the first one encrypts, all of them decrypt.
	Keys [][]byte
	// Nodes are the addresses of all nodes.
	Nodes []netip.Addr
	// Expected are the speakers of other nodes, by node.
	Expected map[string]ExpectedPeer
}

// LocalState is what this speaker broadcasts about itself.
type LocalState struct {
	State State
	// Claims that it makes now.
	Claims []election.Claim
	// Wanted are the addresses whose claims are of interest.
	Wanted map[netip.Addr]struct{}
}

// Runner starts a Membership as soon as there are a key and an address, and again after either it failed or the address
// changed. That may be long after the speaker's own start; BGP does not wait for it.
type Runner struct {
	node       string
	bind       Bind
	log        *slog.Logger
	registerer prometheus.Registerer
	tracer     *trace.Tracer

	changes, urgent chan struct{}
	begin           chan struct{}

	mu         sync.Mutex
	desired    Desired
	address    netip.AddrPort
	membership *Membership
	// running is the membership too, for callers that must not wait for mu.
	running atomic.Pointer[Membership]
	// cancel ends the membership.
	cancel context.CancelFunc
	// waiting says why there is no membership.
	waiting string
}

// NewRunner returns the Runner of a node. Nothing runs before Start.
func NewRunner(node string, bind Bind, log *slog.Logger, registerer prometheus.Registerer, tracer *trace.Tracer) *Runner {
	r := &Runner{
		node: node, bind: bind, log: log, registerer: registerer, tracer: tracer,
		changes: make(chan struct{}, 1), urgent: make(chan struct{}, 1), begin: make(chan struct{}, 1),
		waiting: "the cluster has not been read yet",
	}
	if bind.Off {
		r.waiting = "gossip is turned off (--gossip-bind-address 0), so nothing is held by layer 2"
	}
	return r
}

// Off reports whether gossip is turned off.
func (r *Runner) Off() bool { return r.bind.Off }

// Changes wakes its one receiver when View may have changed.
func (r *Runner) Changes() <-chan struct{} { return r.changes }

// Urgent wakes its one receiver when View has changed in a way that cannot wait: see Membership.Urgent.
func (r *Runner) Urgent() <-chan struct{} { return r.urgent }

// Address is where this speaker listens or is about to. It is known before anything listens, so that the others can
// expect this speaker as early as possible.
func (r *Runner) Address() netip.AddrPort {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.address
}

// choose returns the address to listen on: the configured one, or one of the node's, which is kept as long as the node
// has it. The caller holds mu.
func (r *Runner) choose() netip.AddrPort {
	switch own := r.desired.Addresses; {
	case r.bind.Address.IsValid():
		return netip.AddrPortFrom(r.bind.Address, r.bind.Port)
	case len(own) == 0 || slices.Contains(own, r.address.Addr()):
		return r.address
	default:
		return netip.AddrPortFrom(own[0], r.bind.Port)
	}
}

// View returns who is alive, and whether that can be relied on.
func (r *Runner) View() View {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.membership == nil {
		return View{Why: r.waiting}
	}
	return r.membership.View()
}

// Broadcast sends the local state to the other speakers. It does nothing while no gossip runs.
func (r *Runner) Broadcast(local LocalState) {
	r.mu.Lock()
	m := r.membership
	r.mu.Unlock()
	if m == nil {
		return
	}
	m.SetWanted(local.Wanted)
	m.BroadcastClaims(local.Claims)
	m.BroadcastState(local.State)
}

// Stale is Membership.Stale; false while no gossip has run.
func (r *Runner) Stale() bool {
	m := r.running.Load()
	return m != nil && m.Stale()
}

// Set takes the desired state. When the node's address has changed, the gossip starts again on the new one.
func (r *Runner) Set(desired Desired) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.bind.Off {
		return nil
	}
	before := r.desired.Keys
	r.desired = desired
	moved := r.choose() != r.address
	r.address = r.choose()
	if r.membership == nil {
		r.prepare()
		return nil
	}
	if moved {
		r.cancel()
		return nil
	}
	r.membership.SetNodes(desired.Nodes)
	r.membership.Set(desired.Expected)
	if len(desired.Keys) == 0 || slices.EqualFunc(before, desired.Keys, slices.Equal[[]byte]) {
		return nil
	}
	err := r.membership.SetKeys(desired.Keys)
	if err != nil {
		r.desired.Keys = before // The next call tries again.
	}
	return err
}

// prepare has the gossip started when all that it needs is there, or notes what is missing. The caller holds mu.
func (r *Runner) prepare() {
	switch {
	case len(r.desired.Keys) == 0:
		r.waiting = fmt.Sprintf("Secret %s is not there; the controller makes it", v1beta1.GossipSecret)
	case !r.address.IsValid():
		r.waiting = fmt.Sprintf("Node %s has no InternalIP to listen on", r.node)
	default:
		notify(r.begin)
	}
}

// Alive returns an error when a loop of the membership is stuck, without waiting for a lock that it may hold.
func (r *Runner) Alive() error {
	if m := r.running.Load(); m != nil {
		return m.Alive()
	}
	return nil
}

// Start gossips until ctx ends, then tells the others that this speaker leaves, and returns nil. When the address cannot
// be listened on, it tries again.
func (r *Runner) Start(ctx context.Context) error {
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-r.begin:
		}
		err := r.run(ctx)
		select {
		case <-ctx.Done():
			return nil
		default:
		}
		if err == nil {
			r.stopped("gossip starts again on another address")
			notify(r.begin)
			continue
		}
		r.log.Error("gossip does not work, trying again", "error", err)
		r.stopped(whyNotListening(r.node, err))
		notify(r.changes)
		select {
		case <-ctx.Done():
		case <-time.After(listenRetryInterval):
			notify(r.begin)
		}
	}
}

// whyNotListening says what to do about an error of Membership.Start.
func whyNotListening(node string, err error) string {
	text := fmt.Sprintf("gossip does not work: %v", err)
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		text += fmt.Sprintf("; another program of node %s has that port, which `ss -lntup` on the node names: stop it, "+
			"or give all speakers another port by ports.gossip of the chart's values or --gossip-bind-address", node)
	case errors.Is(err, syscall.EADDRNOTAVAIL):
		text += fmt.Sprintf("; no interface of node %s has that address: give the node an InternalIP that it has by --node-ip of kubelet, "+
			"or the speaker an address by --gossip-bind-address", node)
	}
	return text
}

// stopped notes that there is no membership now, and why.
func (r *Runner) stopped(why string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.membership, r.waiting = nil, why
}

// run gossips on one address. It returns nil when the address has changed, or when ctx has ended and the others have been
// told that this speaker leaves.
func (r *Runner) run(ctx context.Context) error {
	running, cancel := context.WithCancel(ctx)
	defer cancel()
	registration := &registration{Registerer: r.registerer}
	defer registration.unregisterAll()
	m := r.create(cancel, registration)
	go forward(running, m.Changes(), r.changes)
	go forward(running, m.Urgent(), r.urgent)
	ended := make(chan error, 1)
	go func() { ended <- m.Start(running) }()
	select {
	case err := <-ended:
		return err
	case <-m.Left(): // Start may still wait for an attempt to reach another speaker.
		return nil
	}
}

// create makes the membership that runs from now on.
func (r *Runner) create(cancel context.CancelFunc, registerer prometheus.Registerer) *Membership {
	r.mu.Lock()
	defer r.mu.Unlock()
	m := New(Config{
		Node: r.node, Bind: r.address, Keys: r.desired.Keys, Timing: r.bind.Timing, Log: r.log, Registerer: registerer, Tracer: r.tracer,
	})
	m.SetNodes(r.desired.Nodes)
	m.Set(r.desired.Expected)
	r.membership, r.cancel = m, cancel
	r.running.Store(m)
	return m
}

// forward passes notifications on until ctx ends.
func forward(ctx context.Context, from <-chan struct{}, to chan<- struct{}) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-from:
			notify(to)
		}
	}
}

// registration is a Registerer that can take back everything that was registered with it: each membership registers
// metrics of its own, and only one may have them at a time.
type registration struct {
	prometheus.Registerer
	collectors []prometheus.Collector
}

// MustRegister implements prometheus.Registerer.
func (r *registration) MustRegister(collectors ...prometheus.Collector) {
	r.Registerer.MustRegister(collectors...)
	r.collectors = append(r.collectors, collectors...)
}

func (r *registration) unregisterAll() {
	for _, collector := range r.collectors {
		r.Unregister(collector)
	}
}
