package alarm

import (
	"slices"
	"sync"
	"time"
)

// set of alarms.
type set struct {
	mu  sync.Mutex
	all []*Alarm
}

// opened are the alarms of this process that are open: a process is awake as a whole.
var opened set

func (s *set) add(a *Alarm) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.all = append(s.all, a)
}

func (s *set) remove(a *Alarm) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.all = slices.DeleteFunc(s.all, func(one *Alarm) bool { return one == a })
}

// Awake says that this process is awake and about to sleep again: the alarms that may fire do so. Whoever is woken by packets calls
// it when it has handled them. To wake up is most of the work of a packet.
func Awake() {
	now := time.Now()
	opened.mu.Lock()
	defer opened.mu.Unlock()
	for _, a := range opened.all {
		a.mayFire(now)
	}
}
