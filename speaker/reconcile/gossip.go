package reconcile

import (
	"context"
	"fmt"
	"log/slog"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/daymark-lb/daymark/internal/core/election"
	"github.com/daymark-lb/daymark/speaker/gossip"
)

// gossipRetry is the wait before the gossip is started again after it could not listen.
const gossipRetry = 3 * time.Second

// Bind says how to gossip.
type Bind struct {
	// Off: do not gossip, and so hold nothing by layer 2.
	Off bool
	// Address to listen on; invalid: the node's own.
	Address netip.Addr
	Port    uint16
	// Timing of the search for speakers that are gone.
	Timing gossip.Timing
}

// Membership is what the gossip should know.
type Membership struct {
	// Addresses of this node, of which one is to be listened on.
	Addresses []netip.Addr
	// Keys that encrypt the gossip; the first is the one to send with.
	Keys [][]byte
	// Others are the speakers of other nodes.
	Others map[string]gossip.Other
}

// LocalState is what this speaker has to tell the others.
type LocalState struct {
	State gossip.State
	// Claims that it makes now.
	Claims []election.Claim
	// Wanted are the addresses whose claims are of interest.
	Wanted map[netip.Addr]struct{}
}

// Speakers runs the membership of this speaker among the others. It begins when there is a key and an address, which
// may be long after the speaker's own start; BGP does not wait for that.
type Speakers struct {
	node       string
	bind       Bind
	log        *slog.Logger
	registerer prometheus.Registerer

	changes chan struct{}
	begin   chan struct{}

	mu      sync.Mutex
	desired Membership
	address netip.AddrPort
	members *gossip.Members
	// running is members, for those who must not wait.
	running atomic.Pointer[gossip.Members]
	// cancel ends members.
	cancel context.CancelFunc
	// waiting says why there are no members.
	waiting string
}

// NewSpeakers makes the membership of a node. Nothing runs before Start.
func NewSpeakers(node string, bind Bind, log *slog.Logger, registerer prometheus.Registerer) *Speakers {
	s := &Speakers{
		node: node, bind: bind, log: log, registerer: registerer,
		changes: make(chan struct{}, 1), begin: make(chan struct{}, 1),
		waiting: "the cluster has not been looked at yet",
	}
	if bind.Off {
		s.waiting = "gossip is turned off (--gossip-bind-address 0), so nothing is held by layer 2"
	}
	return s
}

// Off reports whether gossip is turned off.
func (s *Speakers) Off() bool { return s.bind.Off }

// Changes wakes its one receiver when View may have changed.
func (s *Speakers) Changes() <-chan struct{} { return s.changes }

// Address that this speaker listens on or is about to: the others are told as early as can be, so that they expect it.
func (s *Speakers) Address() netip.AddrPort {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.address
}

// choose the address to listen on: the one that was configured, or the node's, which is kept as long as the node has it.
// The caller holds mu.
func (s *Speakers) choose() netip.AddrPort {
	switch nodes := s.desired.Addresses; {
	case s.bind.Address.IsValid():
		return netip.AddrPortFrom(s.bind.Address, s.bind.Port)
	case len(nodes) == 0 || slices.Contains(nodes, s.address.Addr()):
		return s.address
	default:
		return netip.AddrPortFrom(nodes[0], s.bind.Port)
	}
}

// View tells who is alive, and whether that may be relied on.
func (s *Speakers) View() gossip.View {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.members == nil {
		return gossip.View{Why: s.waiting}
	}
	return s.members.View()
}

// Broadcast the others, as far as there is any gossip.
func (s *Speakers) Broadcast(word LocalState) {
	s.mu.Lock()
	m := s.members
	s.mu.Unlock()
	if m == nil {
		return
	}
	m.Want(word.Wanted)
	m.Claim(word.Claims)
	m.Publish(word.State)
}

// Stale reports whether this process has been stopped for a while and may not know yet what has happened meanwhile.
func (s *Speakers) Stale() bool {
	m := s.running.Load()
	return m != nil && m.Stale()
}

// Set says what the gossip should know. When the node's address has changed, the gossip begins anew on the new one.
func (s *Speakers) Set(desired Membership) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.bind.Off {
		return nil
	}
	before := s.desired.Keys
	s.desired = desired
	moved := s.choose() != s.address
	s.address = s.choose()
	if s.members == nil {
		s.prepare()
		return nil
	}
	if moved {
		s.cancel()
		return nil
	}
	s.members.Set(desired.Others)
	if len(desired.Keys) == 0 || slices.EqualFunc(before, desired.Keys, slices.Equal[[]byte]) {
		return nil
	}
	err := s.members.SetKeys(desired.Keys)
	if err != nil {
		s.desired.Keys = before // The next pass tries again.
	}
	return err
}

// prepare begins when there is all that is needed, or says what is missing. The caller holds mu.
func (s *Speakers) prepare() {
	switch {
	case len(s.desired.Keys) == 0:
		s.waiting = fmt.Sprintf("Secret %s is not there; the controller makes it", GossipSecret)
	case !s.address.IsValid():
		s.waiting = fmt.Sprintf("Node %s has no InternalIP to listen on", s.node)
	default:
		poke(s.begin)
	}
}

// Start gossips until ctx ends, then takes leave of the others. An address that cannot be listened on is tried again.
func (s *Speakers) Start(ctx context.Context) error {
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-s.begin:
		}
		err := s.run(ctx)
		select {
		case <-ctx.Done():
			return nil
		default:
		}
		s.mu.Lock()
		s.members, s.waiting = nil, "gossip begins anew on another address"
		s.mu.Unlock()
		if err == nil {
			poke(s.begin)
			continue
		}
		s.log.Error("gossip does not work, trying again", "error", err)
		s.mu.Lock()
		s.waiting = fmt.Sprintf("gossip does not work: %v", err)
		s.mu.Unlock()
		poke(s.changes)
		select {
		case <-ctx.Done():
		case <-time.After(gossipRetry):
			poke(s.begin)
		}
	}
}

// run gossips on one address. It returns nil when that is not the address any more, or when ctx has ended and the others
// have been told.
func (s *Speakers) run(ctx context.Context) error {
	running, cancel := context.WithCancel(ctx)
	defer cancel()
	metrics := &lease{Registerer: s.registerer}
	defer metrics.end()
	s.mu.Lock()
	m := gossip.New(gossip.Config{
		Node: s.node, Bind: s.address, Keys: s.desired.Keys, Timing: s.bind.Timing, Log: s.log, Registerer: metrics,
	})
	m.Set(s.desired.Others)
	s.members, s.cancel = m, cancel
	s.running.Store(m)
	s.mu.Unlock()
	go func() {
		for {
			select {
			case <-running.Done():
				return
			case <-m.Changes():
				poke(s.changes)
			}
		}
	}()
	ended := make(chan error, 1)
	go func() { ended <- m.Start(running) }()
	select {
	case err := <-ended:
		return err
	case <-m.Left(): // it may still wait for an attempt to reach somebody
		return nil
	}
}

// lease is a registry of metrics for the time that one membership runs: the next one has its own.
type lease struct {
	prometheus.Registerer
	taken []prometheus.Collector
}

// MustRegister notes what is to be given back.
func (l *lease) MustRegister(collectors ...prometheus.Collector) {
	l.Registerer.MustRegister(collectors...)
	l.taken = append(l.taken, collectors...)
}

func (l *lease) end() {
	for _, collector := range l.taken {
		l.Unregister(collector)
	}
}

// poke leaves a wake unless one waits already. It never blocks.
func poke(channel chan<- struct{}) {
	select {
	case channel <- struct{}{}:
	default:
	}
}
