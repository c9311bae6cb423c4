// Package trace tells those who ask, live, what this node receives, sends and decides about an address. Its one job is to cost nothing
// while nobody asks, and little when somebody does: the streams, what they buffer and how much goes through them are bounded, and what is
// too much is dropped and counted. It refuses to decide who may ask, and to slow down who has something to tell.
package trace

import (
	"maps"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/daymark-lb/daymark/internal/traceapi"
)

// maxStreams is how many may listen at a time.
const maxStreams = 8

// Tracer passes on what the parts of a speaker tell it. All its methods may be called by several goroutines, and of a nil Tracer, to which
// nobody listens.
type Tracer struct {
	node    string
	changes chan struct{}
	// streams is nil while there are none. Nobody changes what it points to.
	streams atomic.Pointer[[]*stream]

	mu        sync.Mutex // of those who change streams, and of standings
	standings map[netip.Addr]Standing
}

// Standing is what a node has decided about an address.
type Standing struct {
	// Holds: the node answers for it by layer 2. Layer2 says so, or why not.
	Holds  bool
	Layer2 string
	// BGP says of each session whether the address is announced there, and why not.
	BGP []string
	// BFD are the names of the BFD sessions with routers that the address is announced to.
	BFD []string
}

// New returns the Tracer of a node.
func New(node string) *Tracer {
	return &Tracer{node: node, changes: make(chan struct{}, 1), standings: map[netip.Addr]Standing{}}
}

// On reports whether anybody listens.
func (t *Tracer) On() bool { return t != nil && t.streams.Load() != nil }

// Wants reports whether anybody listens to what is about an address.
func (t *Tracer) Wants(addr netip.Addr) bool {
	return t.On() && slices.ContainsFunc(t.all(), func(s *stream) bool { return s.addr == addr })
}

// Wanted are the addresses that somebody listens to, in order.
func (t *Tracer) Wanted() (addresses []netip.Addr) {
	if !t.On() {
		return nil
	}
	for _, s := range t.all() {
		addresses = append(addresses, s.addr)
	}
	slices.SortFunc(addresses, netip.Addr.Compare)
	return slices.Compact(addresses)
}

// Changes wakes its receiver when Wanted has changed. That of a nil Tracer never does.
func (t *Tracer) Changes() <-chan struct{} {
	if t == nil {
		return nil
	}
	return t.changes
}

func (t *Tracer) all() []*stream {
	if all := t.streams.Load(); all != nil {
		return *all
	}
	return nil
}

// Record passes on an event about an address. It is made only where it is wanted and not too much; the time and the node are filled in. What
// the event points to must not change any more.
func (t *Tracer) Record(addr netip.Addr, event func() traceapi.Event) {
	if !t.On() {
		return
	}
	for _, s := range t.all() {
		if s.addr != addr {
			continue
		}
		if now := time.Now(); s.admits(now) {
			t.send(s, now, event())
		}
	}
}

// send fills in an event and gives it to a stream.
func (t *Tracer) send(s *stream, now time.Time, e traceapi.Event) {
	e.Time, e.Node, e.Address = now, t.node, s.addr
	s.offer(&e)
}

// Tell says what the node has decided about the addresses that are wanted; what has changed is an event.
func (t *Tracer) Tell(standings map[netip.Addr]Standing) {
	if t == nil {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	for addr, standing := range standings {
		before := t.standings[addr]
		for _, e := range standing.events(&before) {
			t.Record(addr, func() traceapi.Event { return e })
		}
	}
	t.standings = maps.Clone(standings)
}

// Standing is what was last told of an address; false: nothing.
func (t *Tracer) Standing(addr netip.Addr) (Standing, bool) {
	if t == nil {
		return Standing{}, false
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	standing, known := t.standings[addr]
	return standing, known
}

// ByBFD are the addresses, among those wanted, that are announced to the router of a BFD session.
func (t *Tracer) ByBFD(session string) (addresses []netip.Addr) {
	for _, addr := range t.Wanted() {
		if standing, _ := t.Standing(addr); slices.Contains(standing.BFD, session) {
			addresses = append(addresses, addr)
		}
	}
	return addresses
}

// events say what differs from a standing before.
func (s *Standing) events(before *Standing) (events []traceapi.Event) {
	if s.Layer2 != before.Layer2 {
		events = append(events, traceapi.Event{Protocol: traceapi.Layer2, Decision: s.Layer2})
	}
	for _, text := range s.BGP {
		if !slices.Contains(before.BGP, text) {
			events = append(events, traceapi.Event{Protocol: traceapi.BGP, Decision: text})
		}
	}
	return events
}
