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
	// Addresses of this node, of which one is to be listened on.
	Addresses []netip.Addr
	// Keys that encrypt the gossip; the first is the one to send with.
	Keys [][]byte
	// Others are the speakers of other nodes.
	Others map[string]members.Other
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
	address netip.AddrPort
	members *members.Members
	// cancel ends members.
	cancel context.CancelFunc
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

// Set says what the gossip should know. When the node's address has changed, the gossip begins anew on the new one.
func (s *Speakers) Set(desired Membership) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.bind.Off {
		return nil
	}
	before := s.desired
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
	if len(desired.Keys) == 0 || slices.EqualFunc(before.Keys, desired.Keys, slices.Equal[[]byte]) {
		return nil
	}
	return s.members.SetKeys(desired.Keys)
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
	running, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	s.mu.Lock()
	m := members.New(members.Config{Node: s.node, Bind: s.address, Keys: s.desired.Keys, Log: s.log})
	m.Set(s.desired.Others)
	s.members, s.cancel = m, cancel
	s.mu.Unlock()
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
	ended := make(chan error, 1)
	go func() { ended <- m.Start(running) }()
	select {
	case err := <-ended:
		return err
	case <-m.Left(): // it may still wait for an attempt to reach somebody
		return nil
	}
}

// poke leaves a wake unless one waits already. It never blocks.
func poke(channel chan<- struct{}) {
	select {
	case channel <- struct{}{}:
	default:
	}
}
