package layer2

import (
	"container/heap"
	"context"
	"math/rand/v2"
	"net/netip"
	"sync"
	"time"
)

// repeatIntervals are the times between the first announcements after a take-over: at once, then about 1, 2 and 4 s
// later. The repeats are for hosts that were busy and for switches that dropped a burst. RFC 5227 section 2.3 asks for
// two announcements.
var repeatIntervals = []time.Duration{time.Second, time.Second, 2 * time.Second}

const (
	// maxBurst announcements are sent back to back, then nothing for burstInterval. A node that takes over thousands of
	// addresses has announced all of them within a fraction of a second and overruns no queue.
	maxBurst      = 100
	burstInterval = time.Millisecond
	// staleInterval is the wait before Config.Stale is asked again.
	staleInterval = 10 * time.Millisecond
)

// sender sends the announcements of an address on one interface.
type sender interface{ announce(addr netip.Addr) }

// announcer announces addresses: at once when they are added, three times more over the next seconds, then once per
// interval for as long as they stay. The times have jitter, so that addresses added together drift apart.
type announcer struct {
	interval time.Duration
	// jitter returns numbers in [0, 1).
	jitter func() float64
	// stale reports whether this node may have been replaced as holder. While it is true, nothing is announced.
	stale func() bool
	wake  chan struct{}

	mu        sync.Mutex
	queue     queue
	schedules map[sender]map[netip.Addr]*schedule
}

// schedule is when an address is announced next by one sender.
type schedule struct {
	due    time.Time
	sender sender
	addr   netip.Addr
	// sent is how often it has been announced.
	sent int
	// index is its place in the queue.
	index int
}

func newAnnouncer(interval time.Duration, stale func() bool) *announcer {
	return &announcer{
		interval: interval, jitter: rand.Float64, stale: stale, wake: make(chan struct{}, 1),
		schedules: map[sender]map[netip.Addr]*schedule{},
	}
}

// add begins to announce addresses. Those that are already announced keep their schedule.
func (a *announcer) add(by sender, addresses []netip.Addr) {
	if len(addresses) == 0 {
		return
	}
	now := time.Now()
	a.mu.Lock()
	defer a.mu.Unlock()
	turns := a.schedules[by]
	if turns == nil {
		turns = make(map[netip.Addr]*schedule, len(addresses))
		a.schedules[by] = turns
	}
	for _, addr := range addresses {
		if turns[addr] == nil {
			turns[addr] = &schedule{due: now, sender: by, addr: addr}
			heap.Push(&a.queue, turns[addr])
		}
	}
	notify(a.wake)
}

// announceAll announces all addresses as if they had just been added.
func (a *announcer) announceAll() {
	now := time.Now()
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, t := range a.queue {
		t.due, t.sent = now, 0
	}
	// All are due at the same time, so that the queue is still a heap.
	notify(a.wake)
}

// restart announces addresses as if they had just been added.
func (a *announcer) restart(addresses []netip.Addr) {
	now := time.Now()
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, addr := range addresses {
		for _, turns := range a.schedules {
			if t := turns[addr]; t != nil {
				t.due, t.sent = now, 0
				heap.Fix(&a.queue, t.index)
			}
		}
	}
	notify(a.wake)
}

// postpone undoes an announcement that was due but could not be made: it is due again after staleInterval.
func (a *announcer) postpone(by sender, addr netip.Addr) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if t := a.schedules[by][addr]; t != nil {
		t.due, t.sent = time.Now().Add(staleInterval), max(0, t.sent-1)
		heap.Fix(&a.queue, t.index)
	}
}

// remove ends the announcements of an address by one sender.
func (a *announcer) remove(by sender, addr netip.Addr) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if t := a.schedules[by][addr]; t != nil {
		heap.Remove(&a.queue, t.index)
		delete(a.schedules[by], addr)
	}
}

// removeSender ends all announcements by one sender.
func (a *announcer) removeSender(by sender) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, t := range a.schedules[by] {
		heap.Remove(&a.queue, t.index)
	}
	delete(a.schedules, by)
}

// run announces what is due until ctx ends.
func (a *announcer) run(ctx context.Context) {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-a.wake:
		case <-timer.C:
		}
		due := a.due(time.Now())
		for _, c := range due {
			if a.stale() { // Asked each time: the process may be suspended between any two announcements.
				a.postpone(c.sender, c.addr)
				continue
			}
			c.sender.announce(c.addr)
		}
		if len(due) == maxBurst && !sleepBurst(ctx) {
			return
		}
		timer.Reset(a.untilNext(time.Now()))
	}
}

// sleepBurst waits for burstInterval and returns true, or returns false when ctx ends first. Meanwhile nothing is
// announced.
func sleepBurst(ctx context.Context) bool {
	timer := time.NewTimer(burstInterval)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}

// announcement is an address that has to be announced now.
type announcement struct {
	sender sender
	addr   netip.Addr
}

// due returns what has to be announced now, at most maxBurst of it, and schedules the next announcement of each.
func (a *announcer) due(now time.Time) []announcement {
	a.mu.Lock()
	defer a.mu.Unlock()
	var calls []announcement
	for len(calls) < maxBurst && len(a.queue) > 0 && !a.queue[0].due.After(now) {
		t := a.queue[0]
		calls = append(calls, announcement{t.sender, t.addr})
		t.sent++
		t.due = now.Add(announceInterval(t.sent, a.interval, a.jitter()))
		heap.Fix(&a.queue, t.index)
	}
	return calls
}

// untilNext returns how long it is until the next announcement is due.
func (a *announcer) untilNext(now time.Time) time.Duration {
	a.mu.Lock()
	defer a.mu.Unlock()
	if len(a.queue) == 0 {
		return time.Hour // add and announceAll end the wait.
	}
	return max(0, a.queue[0].due.Sub(now))
}

// announceInterval returns the time from the n-th announcement of an address to the next; jitter is in [0, 1). The
// first of the periodic announcements comes anywhere within an interval, which spreads a take-over of many addresses
// evenly. After that the interval varies by a tenth.
func announceInterval(n int, interval time.Duration, jitter float64) time.Duration {
	switch {
	case n <= len(repeatIntervals):
		return time.Duration(float64(repeatIntervals[n-1]) * (0.8 + 0.4*jitter))
	case n == len(repeatIntervals)+1:
		return time.Duration(float64(interval) * jitter)
	default:
		return time.Duration(float64(interval) * (0.9 + 0.2*jitter))
	}
}

// queue orders schedules by time; it is a container/heap.
type queue []*schedule

func (q queue) Len() int           { return len(q) }
func (q queue) Less(i, j int) bool { return q[i].due.Before(q[j].due) }

func (q queue) Swap(i, j int) {
	q[i], q[j] = q[j], q[i]
	q[i].index, q[j].index = i, j
}

// Push is for container/heap.
func (q *queue) Push(x any) {
	t := x.(*schedule)
	t.index = len(*q)
	*q = append(*q, t)
}

// Pop is for container/heap.
func (q *queue) Pop() any {
	last := len(*q) - 1
	t := (*q)[last]
	(*q)[last] = nil
	*q = (*q)[:last]
	return t
}
