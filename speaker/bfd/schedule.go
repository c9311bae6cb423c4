package bfd

import (
	"container/heap"
	"time"

	"github.com/daymark-lb/daymark/internal/core/bfdsession"
)

// alarmFired handles that the alarm has fired.
func (m *Monitor) alarmFired() {
	defer m.steps.Begin("sends what is due")()
	m.mu.Lock()
	defer m.mu.Unlock()
	m.runDue()
	m.setAlarm()
}

// runDue does all that is due, and all that may be done already: to wake up is most of the work.
func (m *Monitor) runDue() {
	for len(m.queue) > 0 {
		// The time is read for each session: handling the one before may have taken long.
		s, now := m.queue[0], time.Now()
		if s.earliest.After(now) {
			return
		}
		if s.machine.Expired(now) {
			// If this process was late, packets that arrived in time may wait in the sockets. Without one, the session is down.
			m.drainAll()
		}
		m.process(s, now, s.machine.Expire(now))
	}
}

// schedule puts a session into the queue, or takes it out, as its machine says.
func (m *Monitor) schedule(s *session) {
	from, due, ok := s.machine.NextDue()
	if !ok || s.sender == nil && s.snapshot.State == bfdsession.Down {
		m.queue.remove(s)
		return
	}
	s.earliest, s.due = from, due
	if s.heapIndex < 0 {
		heap.Push(&m.queue, s)
	} else {
		heap.Fix(&m.queue, s.heapIndex)
	}
	m.setAlarm()
}

// setAlarm sets the alarm for the first session in the queue, or for when its packet may be sent (RFC 5880, section 6.8.7) if the
// process is awake then.
func (m *Monitor) setAlarm() {
	if len(m.queue) > 0 {
		m.alarm.SetBetween(m.queue[0].earliest, m.queue[0].due)
	}
}

// sessionHeap orders sessions by when they are due. It implements container/heap.
type sessionHeap []*session

func (q sessionHeap) Len() int           { return len(q) }
func (q sessionHeap) Less(i, j int) bool { return q[i].due.Before(q[j].due) }

func (q sessionHeap) Swap(i, j int) {
	q[i], q[j] = q[j], q[i]
	q[i].heapIndex, q[j].heapIndex = i, j
}

// Push implements heap.Interface.
func (q *sessionHeap) Push(x any) {
	s := x.(*session)
	s.heapIndex = len(*q)
	*q = append(*q, s)
}

// Pop implements heap.Interface.
func (q *sessionHeap) Pop() any {
	last := len(*q) - 1
	s := (*q)[last]
	(*q)[last] = nil
	*q = (*q)[:last]
	s.heapIndex = -1
	return s
}

// remove takes a session out of the queue, if it is there.
func (q *sessionHeap) remove(s *session) {
	if s.heapIndex >= 0 {
		heap.Remove(q, s.heapIndex)
	}
}
