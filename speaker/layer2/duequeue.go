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
// for, and not all. What has changed since is passed over, and is in it once more.
type dueQueue struct {
	// rate of the budget of each interface.
	rate int
	// later are in order of when to look at them; it is a heap.
	later laterHeap
	// lines wait for a probe, by interface.
	lines map[string]*line
}

// line is what waits to be probed on one interface. Each has a budget of its own, so that no interface waits for another one.
type line struct {
	budget budget
	// ready wait by turn, in the order in which they came.
	ready [turns][]waiting
}

func newDueQueue(rate int) dueQueue { return dueQueue{rate: rate, lines: map[string]*line{}} }

// line returns that of an interface. One that nothing waits in and that has its whole budget is as good as none.
func (q *dueQueue) line(now time.Time, name string) *line {
	known := q.lines[name]
	if known == nil {
		known = &line{budget: newBudget(q.rate, now)}
		q.lines[name] = known
	}
	return known
}

// giveBack returns to an interface the budget for a probe that was not sent.
func (q *dueQueue) giveBack(name string) {
	if known := q.lines[name]; known != nil {
		known.budget.giveBack()
	}
}

// empty reports whether nothing waits.
func (l *line) empty() bool {
	for turn := range turns {
		if len(l.ready[turn]) > 0 {
			return false
		}
	}
	return true
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
	l := d.queue.line(now, w.v.on)
	l.ready[turn] = append(l.ready[turn], w)
	if turn == turnOfLooks {
		w.at = w.v.acd.lookEnds() // What a look is for may be over before there is a budget.
		d.queue.add(w)
	}
}

// dueOn does what is due on one interface and needs a probe, as far as there is a budget for it.
func (d *conflictDetector) dueOn(now time.Time, name string, do *dueNow) {
	l := d.queue.lines[name]
	for current := range turns {
		if !d.dueInTurn(now, l, current, do) {
			return // What finds no budget stays due; the next call is soon.
		}
	}
	if l.empty() && l.budget.full(now) {
		delete(d.queue.lines, name)
	}
}

// dueInTurn does what is due in a turn and needs a probe, and reports whether there was a budget for all of it.
func (d *conflictDetector) dueInTurn(now time.Time, l *line, current int, do *dueNow) bool {
	for len(l.ready[current]) > 0 {
		w := l.ready[current][0]
		turn, probe := w.v.acd.turnOf(now)
		here := d.waits(w) && turn == current && probe
		if here && !l.budget.take(now) {
			return false // All in this turn and in those after it need one.
		}
		l.ready[current] = l.ready[current][1:]
		switch {
		case here:
			d.act(now, w, do)
		case d.waits(w):
			d.dueOne(now, w, do)
		}
	}
	l.ready[current] = nil
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
	for _, l := range d.queue.lines {
		if !l.empty() {
			wait = min(wait, l.budget.wait())
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
