package bfd

import (
	"container/heap"
	"time"

	"github.com/daymark-lb/daymark/internal/core/bfdsession"
)

// tick is what the timer has fired for.
func (m *Monitor) tick() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.armed = time.Time{}
	m.advance()
	m.arm()
}

// advance does all that is due, and what may be done already: to wake up is most of the work.
func (m *Monitor) advance() {
	for len(m.queue) > 0 {
		// Asked for each session, so that one that comes late counts from when it came.
		w, now := m.queue[0], time.Now()
		if w.from.After(now) {
			return
		}
		if w.machine.Expired(now) {
			// If we come late, packets that came in time may wait in the sockets. A session is down only if none is there.
			m.hearAll()
		}
		m.follow(w, now, w.machine.Expire(now))
	}
}

// schedule puts a session into the queue, where its machine says.
func (m *Monitor) schedule(w *watch) {
	from, due, ok := w.machine.NextDue()
	if !ok || w.sender == nil && w.shown.State == bfdsession.Down {
		m.queue.drop(w)
		return
	}
	w.from, w.due = from, due
	if w.at < 0 {
		heap.Push(&m.queue, w)
	} else {
		heap.Fix(&m.queue, w.at)
	}
	m.arm()
}

// arm sets the timer, unless it fires early enough anyway: most often, what is due first only moves away.
func (m *Monitor) arm() {
	if len(m.queue) == 0 {
		return
	}
	if due := m.queue[0].due; m.armed.IsZero() || due.Before(m.armed) {
		m.armed = due
		m.timer.Reset(time.Until(due))
	}
}

// queue orders sessions by when they are due; it is a container/heap.
type queue []*watch

func (q queue) Len() int           { return len(q) }
func (q queue) Less(i, j int) bool { return q[i].due.Before(q[j].due) }

func (q queue) Swap(i, j int) {
	q[i], q[j] = q[j], q[i]
	q[i].at, q[j].at = i, j
}

// Push is for container/heap.
func (q *queue) Push(x any) {
	w := x.(*watch)
	w.at = len(*q)
	*q = append(*q, w)
}

// Pop is for container/heap.
func (q *queue) Pop() any {
	last := len(*q) - 1
	w := (*q)[last]
	(*q)[last] = nil
	*q = (*q)[:last]
	w.at = -1
	return w
}

// drop takes a session out of the queue, if it is there.
func (q *queue) drop(w *watch) {
	if w.at >= 0 {
		heap.Remove(q, w.at)
	}
}
