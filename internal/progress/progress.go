// Package progress knows whether loops go on: a Tracker is told when each pass of one begins and ends, Steps those of several. It decides nothing about the process:
// who probes it does.
package progress

import (
	"fmt"
	"sync"
	"time"
)

// Tracker is told when the passes of a loop begin and end, for its probes. The zero value is ready for use.
type Tracker struct {
	mu    sync.Mutex
	began time.Time // zero while no pass runs
	ended time.Time // of the last pass without an error
	err   error     // of the last pass
}

// Begin says that a pass begins. It returns what to call with the pass's error when it ends.
func (p *Tracker) Begin() (end func(error)) {
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

// Stuck returns an error when a pass has been running for longer than a limit. A loop that has nothing to do has no pass, and is not stuck.
func (p *Tracker) Stuck(limit time.Duration) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if running := time.Since(p.began); !p.began.IsZero() && running > limit {
		return fmt.Errorf("a pass of the loop has been running for %s", running.Round(time.Second))
	}
	return nil
}

// Last returns when a pass last came to its end without an error, and the error of the last one.
func (p *Tracker) Last() (ended time.Time, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.ended, p.err
}
