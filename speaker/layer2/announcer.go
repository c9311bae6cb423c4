package layer2

import (
	"context"
	"math/rand/v2"
	"net/netip"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/daymark-lb/daymark/internal/progress"
)

const (
	// staleInterval is the wait before Config.Stale is asked again.
	staleInterval = 10 * time.Millisecond
	// periodicShare is the part of a budget that the periodic announcements may use. When there are more, they come less often.
	periodicShare = 0.5
)

// Times from each of the first announcements of an address to the next. The repeats are for hosts that were busy and for
// switches that dropped some. RFC 5227 section 2.3 asks for two announcements. Those of an IPv4 address alternate between the
// two forms of a gratuitous ARP, and the second form follows at once, when all others have been announced by the first.
var (
	repeatIntervals4 = []time.Duration{0, time.Second, time.Second, 2 * time.Second}
	repeatIntervals6 = []time.Duration{time.Second, time.Second, 2 * time.Second}
)

func repeatIntervals(addr netip.Addr) []time.Duration {
	if addr.Is4() {
		return repeatIntervals4
	}
	return repeatIntervals6
}

// sender sends the announcements of addresses on one interface.
type sender interface {
	interfaceName() string
	// announce sends the n-th announcement of an address, from 0 on, as one frame. look: whether another host has taken the address is
	// asked as well, by a second frame.
	announce(addr netip.Addr, n int, look bool)
}

// announcer announces addresses: at once when they are added, a few times more over the next seconds, then once per
// interval for as long as they stay. The times have jitter, so that addresses added together drift apart. Each interface has
// a budget, and what is most urgent is sent first.
type announcer struct {
	interval time.Duration
	// rate is how many frames are sent per second and interface.
	rate int
	// jitter returns numbers in [0, 1).
	jitter func() float64
	// stale reports whether this node may have been replaced as holder. While it is true, nothing is announced.
	stale func() bool
	// unannounced shows how many addresses have not been announced yet.
	unannounced prometheus.Gauge
	// notIntroduced counts the introductions for which there was no room.
	notIntroduced prometheus.Counter
	failOvers     *failOvers
	wake          chan struct{}

	mu sync.Mutex
	// queues by interface. They are kept, so that an interface that comes and goes has no new budget each time.
	queues    map[string]*announcementQueue
	schedules map[sender]map[netip.Addr]*schedule
	// updates are what is sent a few times only, and untold those of them that have not been sent to a client yet.
	updates map[sender]map[update]*schedule
	untold  untold
}

func newAnnouncer(interval time.Duration, rate int, stale func() bool, m *metrics) *announcer {
	return &announcer{
		interval: interval, rate: rate, jitter: rand.Float64, stale: stale, wake: make(chan struct{}, 1),
		unannounced: m.unannounced, notIntroduced: m.notIntroduced, failOvers: newFailOvers(m.failOver),
		queues: map[string]*announcementQueue{}, schedules: map[sender]map[netip.Addr]*schedule{},
		updates: map[sender]map[update]*schedule{}, untold: untold{},
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
	q := a.queue(by.interfaceName(), now)
	for i, addr := range addresses {
		if turns[addr] == nil {
			turns[addr] = &schedule{sender: by, addr: addr}
			q.addFirst(turns[addr], now, i)
		}
	}
	notify(a.wake)
}

// restart announces addresses as if they had just been added; those that nobody has added are left out.
func (a *announcer) restart(addresses []netip.Addr) {
	now := time.Now()
	a.mu.Lock()
	defer a.mu.Unlock()
	for by, turns := range a.schedules {
		q := a.queues[by.interfaceName()]
		for i, addr := range addresses {
			if t := turns[addr]; t != nil && t.urgency() != initial {
				q.remove(t)
				q.addFirst(t, now, i)
			}
		}
	}
	notify(a.wake)
}

// queue of an interface. The caller holds mu.
func (a *announcer) queue(interfaceName string, now time.Time) *announcementQueue {
	q := a.queues[interfaceName]
	if q == nil {
		q = &announcementQueue{budget: newBudget(a.rate, now)}
		a.queues[interfaceName] = q
	}
	return q
}

// remove ends the announcements of an address by one sender.
func (a *announcer) remove(by sender, addr netip.Addr) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if t := a.schedules[by][addr]; t != nil {
		a.queues[by.interfaceName()].remove(t)
		delete(a.schedules[by], addr)
	}
}

// removeSender ends all announcements and updates by one sender.
func (a *announcer) removeSender(by sender) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, t := range a.schedules[by] {
		a.queues[by.interfaceName()].remove(t)
	}
	delete(a.schedules, by)
	a.removeUpdates(by)
}

// run announces what is due until ctx ends, and says how far it is.
func (a *announcer) run(ctx context.Context, p *progress.Tracker) {
	repeat(ctx, p, a.wake, a.announceDue)
}

// announceDue announces what is due as far as the budgets go, and returns how long to wait for more.
func (a *announcer) announceDue() time.Duration {
	for {
		if a.stale() { // Asked each time: the process may be suspended between any two announcements.
			return staleInterval
		}
		next, wait := a.next(time.Now())
		if next == nil {
			return wait
		}
		next()
	}
}

// next returns the announcement to make now, and schedules the one after it. When there is none, it returns nil and how long
// to wait.
func (a *announcer) next(now time.Time) (announce func(), wait time.Duration) {
	a.mu.Lock()
	defer a.mu.Unlock()
	wait = time.Hour // add and restart end the wait.
	unannounced := 0
	for _, q := range a.queues {
		t, left := q.next(now)
		if t == nil {
			wait = sooner(left, wait)
			unannounced += len(q.lists[initial])
			continue
		}
		by, addr, n, ends, look := t.sender, t.addr, t.sent, a.endsFailOver(t), t.looks()
		a.reschedule(q, t, now)
		return func() {
			by.announce(addr, n, look)
			if ends {
				a.failOvers.announced(addr, time.Now())
			}
		}, 0
	}
	a.unannounced.Set(float64(unannounced))
	return nil, wait
}

// reschedule puts an address back whose announcement is sent now.
func (a *announcer) reschedule(q *announcementQueue, t *schedule, now time.Time) {
	periodicBefore := t.urgency() == periodic
	t.sent++
	t.turn = 0
	if t.waits != nil && t.sent > len(t.waits) {
		a.forgetUpdate(t)
		return
	}
	wait := a.waitAfter(t.sent, t.repeats(), a.periodicInterval(q))
	// One that waited for the budget keeps its place in the interval: else all that waited would stay together.
	if next := t.due.Add(wait); periodicBefore && next.After(now) {
		t.due = next
	} else {
		t.due = now.Add(wait)
	}
	q.add(t)
}

// periodicInterval is the time between the periodic announcements of an address, one that has been taken out of q included.
// Updates are sent a few times only, and take nothing from those to come.
func (a *announcer) periodicInterval(q *announcementQueue) time.Duration {
	seconds := float64(q.len()-q.updates+1) / (q.budget.rate * periodicShare)
	return max(a.interval, time.Duration(seconds*float64(time.Second)))
}

// waitAfter returns the time from the n-th announcement of an address to the next, given those between the first ones. The first of the periodic announcements
// comes anywhere within the interval, which spreads a take-over of many addresses evenly. After that the interval varies by a
// tenth.
func (a *announcer) waitAfter(n int, repeats []time.Duration, interval time.Duration) time.Duration {
	jitter := a.jitter()
	switch {
	case n <= len(repeats):
		return time.Duration(float64(repeats[n-1]) * (0.8 + 0.4*jitter))
	case n == len(repeats)+1:
		return time.Duration(float64(interval) * jitter)
	default:
		return time.Duration(float64(interval) * (0.9 + 0.2*jitter))
	}
}
