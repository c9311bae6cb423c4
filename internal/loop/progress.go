package loop

import (
	"fmt"
	"sync"
	"time"
)

// stuckAfter is how long a pass may run. The longest, over 100,000 Services, takes about a second.
const stuckAfter = 2 * time.Minute

// Progress is when the passes of a loop begin and end, for its probes. The zero value is ready for use.
type Progress struct {
	mu    sync.Mutex
	began time.Time // zero while no pass runs
	ended time.Time // of the last pass without an error
	err   error     // of the last pass
}

// Begin says that a pass begins. It returns what to call with the pass's error when it ends.
func (p *Progress) Begin() (end func(error)) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.began = time.Now()
	return func(err error) {
		p.mu.Lock()
		defer p.mu.Unlock()
		p.began, p.err = time.Time{}, err
		if err == nil {
			p.ended = time.Now()
		}
	}
}

// Stuck returns an error when a pass has been running for so long that it will not end.
func (p *Progress) Stuck() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if running := time.Since(p.began); !p.began.IsZero() && running > stuckAfter {
		return fmt.Errorf("a pass of the loop has been running for %s", running.Round(time.Second))
	}
	return nil
}

// Last returns when a pass last came to its end without an error, and the error of the last one.
func (p *Progress) Last() (ended time.Time, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.ended, p.err
}
