package layer2

import (
	"container/heap"
	"net/netip"
	"time"
)

// urgency of an announcement. The lower comes first.
type urgency int

const (
	// initial: the address has not been announced since it was taken over. Clients may still use another node.
	initial urgency = iota
	// telling: a client of a shared address has not been told yet. There may be many thousands: an address that is not shared, of which
	// one frame tells all clients, does not wait for them.
	telling
	// repeated: the announcement is repeated for those who missed the first one.
	repeated
	// tellingAgain: a client is told again.
	tellingAgain
	// defending: a foreign host uses the address. Strangers cause it, so it goes before what is sent in any case, and nothing else.
	defending
	// periodic: the address is announced once per interval.
	periodic
	// introducing: another node is told of a client, which uses the right node meanwhile.
	introducing
	urgencies
)

// schedule is when an address is announced next by one sender.
type schedule struct {
	sender sender
	addr   netip.Addr
	// turn orders what is sent for the first time; that of others is 0. due is when it is sent at the earliest.
	turn uint64
	due  time.Time
	// waits are those between the only announcements; nil: it is announced for ever.
	waits []time.Duration
	// most is how urgent it is at most.
	most urgency
	// sent is how often it has been announced.
	sent int
	// index is its place in the list of its urgency.
	index int
}

func (t *schedule) urgency() urgency {
	switch {
	case t.waits != nil && t.sent > 0:
		return max(t.most, tellingAgain)
	case t.waits != nil:
		return max(t.most, telling)
	case t.sent == 0:
		return max(t.most, initial)
	case t.sent <= len(t.repeats()):
		return max(t.most, repeated)
	default:
		return periodic
	}
}

// periodicLooks is with how many of the periodic announcements one asks whether another host has the address now. A host that is given an
// address by hand tells nobody, and no announcement of ours makes it answer.
const periodicLooks = 5

// looks reports whether the next announcement is one of them. The first periodic one is.
func (t *schedule) looks() bool {
	return t.urgency() == periodic && (t.sent-len(t.repeats())-1)%periodicLooks == 0
}

// repeats are the times between its first announcements.
func (t *schedule) repeats() []time.Duration {
	if t.waits != nil {
		return t.waits
	}
	return repeatIntervals(t.addr)
}

// announcementQueue is what is to be announced on one interface, in the limits of a budget. First announcements that were
// asked for together have turns that follow each other; a later batch begins with the next turn. So batches alternate: a
// single new address does not wait for thousands that were taken over just before, nor one family for the other.
type announcementQueue struct {
	budget budget
	turn   uint64
	lists  [urgencies]scheduleHeap
	// updates is how many of all are no announcements of an address, but something that is sent a few times only.
	updates int
}

// addFirst adds the first announcement of the i-th address of a batch.
func (q *announcementQueue) addFirst(t *schedule, now time.Time, i int) {
	t.turn, t.due, t.sent = 0, now, 0
	if u := t.urgency(); u == initial || u == telling {
		t.turn = q.turn + 1 + uint64(i) //nolint:gosec // Never negative.
	}
	q.add(t)
}

// add adds an announcement to those of its urgency.
func (q *announcementQueue) add(t *schedule) {
	heap.Push(&q.lists[t.urgency()], t)
	if t.waits != nil {
		q.updates++
	}
}

func (q *announcementQueue) remove(t *schedule) {
	heap.Remove(&q.lists[t.urgency()], t.index)
	if t.waits != nil {
		q.updates--
	}
}

func (q *announcementQueue) len() int {
	count := 0
	for _, list := range q.lists {
		count += len(list)
	}
	return count
}

// next takes out the most urgent of what is due. If nothing is, or the budget is used up, it returns nil and how long to
// wait; less than 0: for ever.
func (q *announcementQueue) next(now time.Time) (*schedule, time.Duration) {
	wait := time.Duration(-1)
	for i := range q.lists {
		list := &q.lists[i]
		if len(*list) == 0 {
			continue
		}
		t := (*list)[0]
		if left := t.due.Sub(now); left > 0 {
			wait = sooner(wait, left)
			continue
		}
		if !q.budget.take(now) {
			return nil, q.budget.wait()
		}
		q.remove(t)
		q.turn = max(q.turn, t.turn)
		return t, 0
	}
	return nil, wait
}

// sooner of two waits, of which one below 0 is for ever.
func sooner(a, b time.Duration) time.Duration {
	if a < 0 || b >= 0 && b < a {
		return b
	}
	return a
}

// scheduleHeap orders schedules of one urgency; it is a container/heap.
type scheduleHeap []*schedule

func (h scheduleHeap) Len() int { return len(h) }

func (h scheduleHeap) Less(i, j int) bool {
	return h[i].turn < h[j].turn || h[i].turn == h[j].turn && h[i].due.Before(h[j].due)
}

func (h scheduleHeap) Swap(i, j int) {
	h[i], h[j] = h[j], h[i]
	h[i].index, h[j].index = i, j
}

// Push is for container/heap.
func (h *scheduleHeap) Push(x any) {
	t := x.(*schedule)
	t.index = len(*h)
	*h = append(*h, t)
}

// Pop is for container/heap.
func (h *scheduleHeap) Pop() any {
	last := len(*h) - 1
	t := (*h)[last]
	(*h)[last] = nil
	*h = (*h)[:last]
	return t
}
