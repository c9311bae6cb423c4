package gossip

import (
	"sync"
	"sync/atomic"
	"time"

	"github.com/daymark-lb/daymark/internal/core/detector"
)

// pause is a detector.Pause for several goroutines. stale needs no lock, because it is asked for every packet.
type pause struct {
	// started is the zero of the Pause's time.
	started time.Time

	mu        sync.Mutex
	pause     *detector.Pause
	staleness atomic.Pointer[detector.Staleness]
}

func newPause(started time.Time, tickInterval time.Duration) *pause {
	p := &pause{started: started, pause: detector.NewPause(tickInterval)}
	p.staleness.Store(&detector.Staleness{})
	return p
}

// update calls f with the Pause and the time as it counts.
func (p *pause) update(now time.Time, f func(*detector.Pause, time.Duration)) {
	p.mu.Lock()
	defer p.mu.Unlock()
	f(p.pause, now.Sub(p.started))
	if staleness := p.pause.Staleness(); staleness != *p.staleness.Load() {
		p.staleness.Store(&staleness)
	}
}

func (p *pause) stale() bool { return p.staleness.Load().Stale(time.Since(p.started)) }

// Stale reports whether this process was stopped (by a signal, or with its machine) until just now, and cannot know yet
// whether others have taken its addresses: it must not act on what it knew before. It is false again as soon as another
// speaker has told what was missed and there was time to act on that, after half a second without an answer, and when
// there are no others. It costs a few nanoseconds.
func (m *Membership) Stale() bool { return m.pause.stale() }
