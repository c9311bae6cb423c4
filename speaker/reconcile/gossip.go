package reconcile

import (
	"context"
	"fmt"
	"log/slog"
	"net/netip"
	"slices"
	"sync"
	"time"

	"github.com/daymark-lb/daymark/speaker/members"
)

const (
	// gossipRetry is the wait before the gossip is started again after it could not listen.
	gossipRetry = 3 * time.Second
	// gossipLinger is how long the others are given, after they were told that this speaker leaves, to take over what it
	// holds before it falls silent: a few rounds of gossip and the gratuitous ARP that follows.
	gossipLinger = 200 * time.Millisecond
)

// Bind says where to listen for gossip.
type Bind struct {
	// Off: do not gossip, and so hold nothing by layer 2.
	Off bool
	// Address to listen on; invalid: the node's own.
	Address netip.Addr
	Port    uint16
}

// Membership is what the gossip should know.
type Membership struct {
	// Address of this node; invalid while it is not known.
	Address netip.Addr
	// Keys that encrypt the gossip; the first is the one to send with.
	Keys [][]byte
	// Others are the speakers of other nodes, and where they listen.
	Others map[string]netip.AddrPort
}

// Speakers runs the membership of this speaker among the others. It begins when there is a key and an address, which
// may be long after the speaker's own start; BGP does not wait for that.
type Speakers struct {
	node string
	bind Bind
	log  *slog.Logger

	changes chan struct{}
	begin   chan struct{}
	left    chan struct{}

	mu      sync.Mutex
	desired Membership
	members *members.Members
	// waiting says why there are no members.
	waiting string
	// frozen is the last view before leaving: a speaker that takes leave is not alone.
	frozen *members.View
}

// NewSpeakers makes the membership of a node. Nothing runs before Start.
func NewSpeakers(node string, bind Bind, log *slog.Logger) *Speakers {
	s := &Speakers{
		node: node, bind: bind, log: log,
		changes: make(chan struct{}, 1), begin: make(chan struct{}, 1), left: make(chan struct{}),
		waiting: "the cluster has not been looked at yet",
	}
	if bind.Off {
		s.waiting = "gossip is turned off (--gossip-bind-address 0), so nothing is held by layer 2"
	}
	return s
}

// Changes wakes its one receiver when View may have changed.
func (s *Speakers) Changes() <-chan struct{} { return s.changes }

// Left is closed when this speaker has taken leave of the others and they had time to act on it.
func (s *Speakers) Left() <-chan struct{} { return s.left }

// Address that this speaker listens on or is about to: the others are told as early as can be, so that they expect it.
func (s *Speakers) Address() netip.AddrPort {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.bind.Off {
		return netip.AddrPort{}
	}
	return s.address()
}

// address to listen on. The caller holds mu.
func (s *Speakers) address() netip.AddrPort {
	if s.bind.Address.IsValid() {
		return netip.AddrPortFrom(s.bind.Address, s.bind.Port)
	}
	return netip.AddrPortFrom(s.desired.Address, s.bind.Port)
}

// View tells who is alive, and whether that may be relied on.
func (s *Speakers) View() members.View {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.frozen != nil:
		return *s.frozen
	case s.members == nil:
		return members.View{Why: s.waiting}
	default:
		return s.members.View()
	}
}

// Set says what the gossip should know.
func (s *Speakers) Set(ctx context.Context, desired Membership) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.bind.Off {
		return nil
	}
	before := s.desired
	s.desired = desired
	if s.members == nil {
		return s.prepare()
	}
	if len(desired.Keys) > 0 && !slices.EqualFunc(before.Keys, desired.Keys, slices.Equal[[]byte]) {
		if err := s.members.SetKeys(desired.Keys); err != nil {
			return fmt.Errorf("change the keys of the gossip: %w", err)
		}
	}
	return s.members.Set(ctx, s.desired.Others)
}

// prepare begins when there is all that is needed, or says what is missing. The caller holds mu.
func (s *Speakers) prepare() error {
	switch {
	case len(s.desired.Keys) == 0:
		s.waiting = fmt.Sprintf("Secret %s is not there; the controller makes it", GossipSecret)
	case !s.address().IsValid():
		s.waiting = fmt.Sprintf("Node %s has no InternalIP to listen on", s.node)
	default:
		poke(s.begin)
	}
	return nil
}

// Start gossips until ctx ends, then takes leave of the others. An address that cannot be listened on is tried again.
func (s *Speakers) Start(ctx context.Context) error {
	defer close(s.left)
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-s.begin:
		}
		err := s.run(ctx)
		if ctx.Err() != nil {
			time.Sleep(gossipLinger)
			return nil
		}
		s.log.Error("gossip ended, beginning again", "error", err)
		s.mu.Lock()
		s.members, s.waiting = nil, fmt.Sprintf("gossip does not work: %v", err)
		s.mu.Unlock()
		poke(s.changes)
		select {
		case <-ctx.Done():
		case <-time.After(gossipRetry):
			poke(s.begin)
		}
	}
}

// run gossips once.
func (s *Speakers) run(ctx context.Context) error {
	running, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	s.mu.Lock()
	m := members.New(members.Config{Node: s.node, Bind: s.address(), Keys: s.desired.Keys, Log: s.log})
	err := m.Set(ctx, s.desired.Others)
	s.members = m
	s.mu.Unlock()
	if err != nil {
		s.log.Warn("some speakers cannot be met", "error", err)
	}
	defer context.AfterFunc(ctx, func() {
		view := m.View()
		s.mu.Lock()
		s.frozen = &view
		s.mu.Unlock()
		cancel()
	})()
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
	return m.Start(running)
}

// poke leaves a wake unless one waits already. It never blocks.
func poke(channel chan<- struct{}) {
	select {
	case channel <- struct{}{}:
	default:
	}
}
