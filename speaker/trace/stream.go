package trace

import (
	"net/netip"
	"slices"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"github.com/daymark-lb/daymark/internal/traceapi"
)

const (
	// bufferSize is how many events wait for a stream that is slow. The oldest make way.
	bufferSize = 256
	// eventsPerSecond and eventBurst bound what goes through a stream.
	eventsPerSecond = 200
	eventBurst      = 400
)

// stream has the events for one who listens, a ring of bufferSize.
type stream struct {
	addr netip.Addr
	// wake says that there are events.
	wake chan struct{}

	mu     sync.Mutex
	budget *rate.Limiter
	ring   []traceapi.Event
	// next is the place of the oldest event once the ring is full.
	next    int
	dropped int
}

func newStream(addr netip.Addr) *stream {
	return &stream{addr: addr, wake: make(chan struct{}, 1), budget: rate.NewLimiter(eventsPerSecond, eventBurst)}
}

// admits reports whether one more event is not too much now, and counts one that is.
func (s *stream) admits(now time.Time) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	admitted := s.budget.AllowN(now, 1)
	if !admitted {
		s.dropped++
	}
	return admitted
}

// offer adds an event. It does not wait for who listens.
func (s *stream) offer(e *traceapi.Event) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.ring) < bufferSize {
		s.ring = append(s.ring, *e)
	} else {
		s.dropped++
		s.ring[s.next] = *e
		s.next = (s.next + 1) % bufferSize
	}
	notify(s.wake)
}

// take returns what has come since the last call; its first event says how many are missing.
func (s *stream) take() []traceapi.Event {
	s.mu.Lock()
	defer s.mu.Unlock()
	events := slices.Concat(s.ring[s.next:], s.ring[:s.next])
	if len(events) > 0 {
		events[0].Dropped, s.dropped = s.dropped, 0
	}
	s.ring, s.next = s.ring[:0], 0
	return events
}

// open adds a stream for what is about an address; nil: there are too many.
func (t *Tracer) open(addr netip.Addr) *stream {
	t.mu.Lock()
	defer t.mu.Unlock()
	all := t.all()
	if len(all) >= maxStreams {
		return nil
	}
	s := newStream(addr)
	next := append(slices.Clone(all), s)
	t.streams.Store(&next)
	standing := t.standings[addr]
	for _, e := range standing.events(&Standing{}) {
		t.send(s, time.Now(), e)
	}
	notify(t.changes)
	return s
}

// close removes a stream.
func (t *Tracer) close(s *stream) {
	t.mu.Lock()
	defer t.mu.Unlock()
	next := slices.DeleteFunc(slices.Clone(t.all()), func(other *stream) bool { return other == s })
	if len(next) == 0 {
		t.streams.Store(nil)
	} else {
		t.streams.Store(&next)
	}
	notify(t.changes)
}

// notify sends a wake to a channel with a buffer of one, unless one waits there already.
func notify(wake chan struct{}) {
	select {
	case wake <- struct{}{}:
	default:
	}
}
