package gossip

import (
	"sync"
	"sync/atomic"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/daymark-lb/daymark/internal/core/detector"
)

// pause is a detector.Pause for several goroutines. stale needs no lock, because it is asked for every packet.
type pause struct {
	// started is the zero of the Pause's time.
	started time.Time

	mu        sync.Mutex
	pause     *detector.Pause
	staleness atomic.Pointer[detector.Staleness]
	// ahead is how far the clocks that look reads were ahead of CLOCK_MONOTONIC.
	ahead [2]time.Duration
	// fresh is until when there is no need to look for evidence of a stop again, in time since started.
	fresh atomic.Int64
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

// look compares clocks, and reports for how long the machine was suspended since the last call: CLOCK_MONOTONIC stands still then
// and CLOCK_BOOTTIME does not. A virtual machine that is stopped from outside may find only its CLOCK_REALTIME ahead, which may
// be set for other reasons, too; to ask the others once more does no harm.
func (p *pause) look() (suspended time.Duration) {
	monotonic := clock(unix.CLOCK_MONOTONIC)
	ahead := [2]time.Duration{clock(unix.CLOCK_BOOTTIME) - monotonic, clock(unix.CLOCK_REALTIME) - monotonic}
	p.mu.Lock()
	defer p.mu.Unlock()
	for i := range ahead {
		if p.ahead[i] != 0 {
			suspended = max(suspended, ahead[i]-p.ahead[i])
		}
	}
	p.ahead = ahead
	return suspended
}

// clock reads a clock of the kernel. Go's scheduler is not told, as in datagramSocket: this is done at each tick.
func clock(id uintptr) time.Duration {
	var now unix.Timespec
	//nolint:gosec // The call does not block, and the kernel keeps no pointer.
	if _, _, errno := unix.RawSyscall(unix.SYS_CLOCK_GETTIME, id, uintptr(unsafe.Pointer(&now)), 0); errno != 0 {
		return 0
	}
	return time.Duration(now.Nano())
}

func (p *pause) stale() bool { return p.staleness.Load().Stale(time.Since(p.started)) }

// evidenceInterval is how long what was found of evidence of a stop is relied on.
const evidenceInterval = 5 * time.Millisecond

// Stale reports whether this process was stopped (by a signal, or with its machine) until just now, and cannot know yet
// whether others have taken its addresses: it must not act on what it knew before. It is false again as soon as another
// speaker has told what was missed and there was time to act on that, after half a second without an answer, and when
// there are no others. It costs a few nanoseconds, and once in a while some microseconds: what has come meanwhile is looked at
// first, since that tells of a stop.
func (m *Membership) Stale() bool {
	if m.list.Load() != nil && time.Since(m.pause.started) > time.Duration(m.pause.fresh.Load()) {
		m.lookForStop()
	}
	return m.pause.stale()
}

// lookForStop takes in all that may say that this process was stopped.
func (m *Membership) lookForStop() {
	m.drain()
	if suspended := m.pause.look(); suspended > m.fence {
		m.woke(time.Now(), suspended, false)
	}
	m.pause.fresh.Store(int64(time.Since(m.pause.started) + evidenceInterval))
}

// woke notes evidence that this process was stopped for a time; said: another speaker says so. The others are asked at once.
func (m *Membership) woke(now time.Time, stopped time.Duration, said bool) {
	if m.fence == 0 || len(m.peers.reachable()) == 0 {
		return
	}
	var news bool
	m.pause.update(now, func(p *detector.Pause, now time.Duration) { news = p.Woke(now, stopped, m.pingNumber.Load()+1, said) })
	if news {
		_ = m.sealer.renew() // It does not fail with keys that have sealed before.
		m.alarm.Set(now)
	}
}
