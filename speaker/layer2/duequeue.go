package layer2

import (
	"container/heap"
	"time"
)

// waiting is an address for which something is due, and when to look at it.
type waiting struct {
	v       *vip
	due, at time.Time
}

// dueQueue is in which order addresses have something due: of thousands of new ones a look at it touches those that it does something
// for, and not all. What has changed since is passed over, and is in it once more. The zero value is empty.
type dueQueue struct {
	// later are in order of when to look at them; it is a heap.
	later laterHeap
	// ready wait for a budget for a probe, by turn, in the order in which they came.
	ready [turns][]waiting
}

func (q *dueQueue) add(w waiting) { heap.Push(&q.later, w) }

// schedule makes the queue hold an address for what is due now. The caller holds mu.
func (d *conflictDetector) schedule(v *vip) {
	if due := v.acd.due; !due.Equal(v.queued) {
		v.queued = due
		d.queue.add(waiting{v, due, due})
	}
}

// waits reports whether an address still waits for the same.
func (d *conflictDetector) waits(w waiting) bool {
	return d.pending[w.v] && w.v.acd.due.Equal(w.due)
}

// dueLater does what is due and needs no probe, and puts the rest in its turn.
func (d *conflictDetector) dueLater(now time.Time, do *dueNow) {
	for len(d.queue.later) > 0 && !d.queue.later[0].at.After(now) {
		w := heap.Pop(&d.queue.later).(waiting) //nolint:forcetypeassert // it has no others
		if d.waits(w) {
			d.dueOne(now, w, do)
		}
	}
}

// dueOne does what is due for one address if it needs no probe, and else puts it in its turn.
func (d *conflictDetector) dueOne(now time.Time, w waiting, do *dueNow) {
	turn, probe := w.v.acd.turnOf(now)
	if !probe {
		d.act(now, w, do)
		return
	}
	d.queue.ready[turn] = append(d.queue.ready[turn], w)
	if turn == turnOfLooks {
		w.at = w.v.acd.lookEnds() // What a look is for may be over before there is a budget.
		d.queue.add(w)
	}
}

// dueInTurn does what is due in a turn and needs a probe, and reports whether there was a budget for all of it.
func (d *conflictDetector) dueInTurn(now time.Time, current int, do *dueNow) bool {
	for len(d.queue.ready[current]) > 0 {
		w := d.queue.ready[current][0]
		turn, probe := w.v.acd.turnOf(now)
		here := d.waits(w) && turn == current && probe
		if here && !d.budget.take(now) {
			return false // All in this turn and in those after it need one.
		}
		d.queue.ready[current] = d.queue.ready[current][1:]
		switch {
		case here:
			d.act(now, w, do)
		case d.waits(w):
			d.dueOne(now, w, do)
		}
	}
	d.queue.ready[current] = nil
	return true
}

// act does what is due for one address.
func (d *conflictDetector) act(now time.Time, w waiting, do *dueNow) {
	w.v.queued = time.Time{}
	d.step(now, w.v, do)
	d.reschedule(w.v)
}

// untilNext returns how long it is until something is due.
func (d *conflictDetector) untilNext(now time.Time) time.Duration {
	d.mu.Lock()
	defer d.mu.Unlock()
	wait := time.Hour // notify ends the wait when something is due earlier.
	for turn := range turns {
		if len(d.queue.ready[turn]) > 0 {
			wait = d.budget.wait()
		}
	}
	for len(d.queue.later) > 0 && !d.waits(d.queue.later[0]) {
		heap.Pop(&d.queue.later)
	}
	if len(d.queue.later) > 0 {
		wait = min(wait, d.queue.later[0].at.Sub(now))
	}
	return max(wait, timerGranularity)
}

// laterHeap is a container/heap in order of when to look.
type laterHeap []waiting

// Len is for container/heap.
func (h laterHeap) Len() int { return len(h) }

// Less is for container/heap.
func (h laterHeap) Less(i, j int) bool { return h[i].at.Before(h[j].at) }

// Swap is for container/heap.
func (h laterHeap) Swap(i, j int) { h[i], h[j] = h[j], h[i] }

// Push is for container/heap.
func (h *laterHeap) Push(x any) { *h = append(*h, x.(waiting)) } //nolint:forcetypeassert // it has no others

// Pop is for container/heap.
func (h *laterHeap) Pop() any {
	last := len(*h) - 1
	w := (*h)[last]
	(*h)[last] = waiting{}
	*h = (*h)[:last]
	return w
}
