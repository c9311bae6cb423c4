package progress

import (
	"fmt"
	"sync"
	"time"
)

// StuckAfter is how long a step of a speaker's loops may take. None waits for anybody but the kernel without a limit of its own, which is
// 10 s at most.
const StuckAfter = 30 * time.Second

// Steps are those that the loops of one part are taking, several at a time perhaps. The zero value is ready for use.
type Steps struct {
	mu      sync.Mutex
	running map[*step]struct{}
}

type step struct {
	of    string
	began time.Time
}

// Begin says that a loop, named by what it does, takes a step. It returns what to call at the end of it.
func (s *Steps) Begin(of string) (end func()) {
	taken := &step{of, time.Now()}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.running == nil {
		s.running = map[*step]struct{}{}
	}
	s.running[taken] = struct{}{}
	return func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		delete(s.running, taken)
	}
}

// Stuck returns an error when a step has been running for longer than a limit: that of the one that began first.
func (s *Steps) Stuck(limit time.Duration) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	var first *step
	for each := range s.running {
		if first == nil || each.began.Before(first.began) {
			first = each
		}
	}
	if first == nil || time.Since(first.began) <= limit {
		return nil
	}
	return fmt.Errorf("what %s has been at one step for %s", first.of, time.Since(first.began).Round(time.Second))
}
