package layer2

import (
	"container/heap"
	"context"
	"math/rand/v2"
	"net/netip"
	"sync"
	"time"
)

// repeats are the gaps between the first announcements after a take-over: at once, then about 1, 2 and 4 s later, for
// hosts that were busy and switches that dropped a burst. RFC 5227 section 2.3 asks for two.
var repeats = []time.Duration{time.Second, time.Second, 2 * time.Second}

const (
	// burst announcements are sent back to back, then the wire is left alone for a breath: a node that takes over
	// thousands of addresses has told of all within a fraction of a second and has overrun nobody's queue.
	burst  = 100
	breath = time.Millisecond
	// doubtPause is the wait before it is asked again whether this node still is the holder.
	doubtPause = 10 * time.Millisecond
)

// voice is what the announcer speaks by.
type voice interface{ announce(addr netip.Addr) }

// announcer announces addresses: at once when they are added, a few times more over the next seconds, then at every
// interval for as long as they stay. The times are scattered, so that addresses added together do not stay together.
type announcer struct {
	interval time.Duration
	// scatter returns numbers in [0, 1).
	scatter func() float64
	// doubtful: this node may have been replaced as a holder, and says nothing until it knows.
	doubtful func() bool
	wake     chan struct{}

	mu    sync.Mutex
	queue queue
	turns map[voice]map[netip.Addr]*turn
}

// turn is when an address is announced next.
type turn struct {
	due   time.Time
	voice voice
	addr  netip.Addr
	// sent is how often it has been announced.
	sent int
	// at is the place in the queue.
	at int
}

func newAnnouncer(interval time.Duration, doubtful func() bool) *announcer {
	return &announcer{
		interval: interval, scatter: rand.Float64, doubtful: doubtful, wake: make(chan struct{}, 1),
		turns: map[voice]map[netip.Addr]*turn{},
	}
}

// add begins to announce addresses. Those that are being announced go on as they were.
func (a *announcer) add(by voice, addresses []netip.Addr) {
	if len(addresses) == 0 {
		return
	}
	now := time.Now()
	a.mu.Lock()
	defer a.mu.Unlock()
	turns := a.turns[by]
	if turns == nil {
		turns = make(map[netip.Addr]*turn, len(addresses))
		a.turns[by] = turns
	}
	for _, addr := range addresses {
		if turns[addr] == nil {
			turns[addr] = &turn{due: now, voice: by, addr: addr}
			heap.Push(&a.queue, turns[addr])
		}
	}
	signal(a.wake)
}

// again announces all addresses as if they had just been added.
func (a *announcer) again() {
	now := time.Now()
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, t := range a.queue {
		t.due, t.sent = now, 0
	}
	// All are due at the same time, so any order is that of a heap.
	signal(a.wake)
}

// putOff makes good for an announcement that was not made: its turn comes again soon.
func (a *announcer) putOff(by voice, addr netip.Addr) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if t := a.turns[by][addr]; t != nil {
		t.due, t.sent = time.Now().Add(doubtPause), max(0, t.sent-1)
		heap.Fix(&a.queue, t.at)
	}
}

// remove ends the announcements of an address.
func (a *announcer) remove(by voice, addr netip.Addr) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if t := a.turns[by][addr]; t != nil {
		heap.Remove(&a.queue, t.at)
		delete(a.turns[by], addr)
	}
}

// forget ends all announcements by a voice.
func (a *announcer) forget(by voice) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, t := range a.turns[by] {
		heap.Remove(&a.queue, t.at)
	}
	delete(a.turns, by)
}

// run announces until ctx ends.
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
			if a.doubtful() { // Asked each time: a process may be stopped between any two announcements.
				a.putOff(c.voice, c.addr)
				continue
			}
			c.voice.announce(c.addr)
		}
		if len(due) == burst && !pause(ctx) {
			return
		}
		timer.Reset(a.next(time.Now()))
	}
}

// pause leaves the wire alone for a breath, whoever would like to be announced meanwhile; false when ctx has ended.
func pause(ctx context.Context) bool {
	timer := time.NewTimer(breath)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}

// call is one announcement to make now.
type call struct {
	voice voice
	addr  netip.Addr
}

// due returns what is to be announced now, at most a burst of it, and gives each its next turn.
func (a *announcer) due(now time.Time) []call {
	a.mu.Lock()
	defer a.mu.Unlock()
	var calls []call
	for len(calls) < burst && len(a.queue) > 0 && !a.queue[0].due.After(now) {
		t := a.queue[0]
		calls = append(calls, call{t.voice, t.addr})
		t.sent++
		t.due = now.Add(gap(t.sent, a.interval, a.scatter()))
		heap.Fix(&a.queue, t.at)
	}
	return calls
}

// next is how long to wait for the next turn.
func (a *announcer) next(now time.Time) time.Duration {
	a.mu.Lock()
	defer a.mu.Unlock()
	if len(a.queue) == 0 {
		return time.Hour // Whatever is added wakes us.
	}
	return max(0, a.queue[0].due.Sub(now))
}

// gap is the time from one announcement of an address, its n-th, to the next; scatter is in [0, 1). The first of the
// periodical ones comes anywhere within an interval, which spreads a take-over of many evenly; the others keep their
// distance, a tenth more or less.
func gap(n int, interval time.Duration, scatter float64) time.Duration {
	switch {
	case n <= len(repeats):
		return time.Duration(float64(repeats[n-1]) * (0.8 + 0.4*scatter))
	case n == len(repeats)+1:
		return time.Duration(float64(interval) * scatter)
	default:
		return time.Duration(float64(interval) * (0.9 + 0.2*scatter))
	}
}

// queue orders turns by time; it is a container/heap.
type queue []*turn

func (q queue) Len() int           { return len(q) }
func (q queue) Less(i, j int) bool { return q[i].due.Before(q[j].due) }

func (q queue) Swap(i, j int) {
	q[i], q[j] = q[j], q[i]
	q[i].at, q[j].at = i, j
}

// Push is for container/heap.
func (q *queue) Push(x any) {
	t := x.(*turn)
	t.at = len(*q)
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
