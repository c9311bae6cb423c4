package layer2

import (
	"context"
	"math/rand/v2"
	"net/netip"
	"slices"
	"sync"
	"time"

	"github.com/daymark-lb/daymark/internal/core/election"
	"github.com/daymark-lb/daymark/internal/core/lb"
)

const (
	// searchedClosely is for how long a search asks at its own interval; then it asks every laterSearchInterval, if that is longer.
	searchedClosely     = 2 * time.Minute
	laterSearchInterval = 10 * time.Second
)

// searcher asks everybody on the segment, again and again, whether he answers for addresses that are held here, or soon may be. Who does
// is a rival, and the frame of the question tells other nodes of the cluster that this one is theirs.
type searcher struct {
	// jitter returns numbers in [0, 1).
	jitter func() float64
	// wake says that there are new searches.
	wake chan struct{}

	mu       sync.Mutex
	searches map[netip.Addr]*search
}

// search is a search with its state.
type search struct {
	interval   time.Duration
	begun, due time.Time
}

func newSearcher() *searcher {
	return &searcher{jitter: rand.Float64, wake: make(chan struct{}, 1), searches: map[netip.Addr]*search{}}
}

// set makes these the searches. Those that are known go on.
func (s *searcher) set(now time.Time, searches []election.Search) {
	s.mu.Lock()
	defer s.mu.Unlock()
	next := make(map[netip.Addr]*search, len(searches))
	for _, each := range searches {
		known := s.searches[each.Addr]
		if known == nil {
			known = &search{begun: now, due: now}
			notify(s.wake)
		}
		known.interval = each.Interval
		next[each.Addr] = known
	}
	s.searches = next
}

// next returns the addresses to ask about now, in order, and how long it is until there are more.
func (s *searcher) next(now time.Time) (due []netip.Addr, wait time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	wait = time.Hour // set ends the wait.
	for addr, each := range s.searches {
		if !now.Before(each.due) {
			due = append(due, addr)
			each.due = now.Add(each.pause(now, s.jitter()))
		}
		wait = min(wait, each.due.Sub(now))
	}
	slices.SortFunc(due, netip.Addr.Compare)
	return due, wait
}

// pause before the next question. It varies by a quarter in both directions.
func (s *search) pause(now time.Time, jitter float64) time.Duration {
	interval := s.interval
	if now.Sub(s.begun) >= searchedClosely {
		interval = max(interval, laterSearchInterval)
	}
	return time.Duration(float64(interval) * (0.75 + 0.5*jitter))
}

// Search has everybody on the segments asked, again and again, whether he answers for these addresses, and for no others: such as are held
// here, or asked about by Ask. A node of the cluster that does is one of Rivals.
func (r *Responder) Search(searches []election.Search) { r.searcher.set(time.Now(), searches) }

// search asks what is due, until ctx ends.
func (r *Responder) search(ctx context.Context) {
	repeat(ctx, &r.steps.searching, r.searcher.wake, func() time.Duration {
		if r.isStale() {
			return staleInterval
		}
		due, wait := r.searcher.next(time.Now())
		for _, addr := range due {
			for _, s := range *r.live.Load() {
				s.search(addr, s.protocol == protocols[lb.FamilyOf(addr)] && r.asker.asksBy(s.name, addr))
			}
		}
		return wait
	})
}

// searchesFor reports whether an address is searched for.
func (s *searcher) searchesFor(addr netip.Addr) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.searches[addr] != nil
}

// search asks whether anybody else answers for an address that is held here, or asked about by this socket.
func (s *socket) search(addr netip.Addr, asked bool) {
	if (s.holds(addr) || asked) && s.send(s.protocol.probe(s.nic.mac, addr), asQuestion) {
		s.metrics.questions.Inc()
	}
}
