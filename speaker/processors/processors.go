// Package processors has Go use one processor while the speaker is at rest, and all when it has work, and leave garbage where it is
// while milliseconds count. Its one job is the two settings of Go's runtime for that, GOMAXPROCS and GOGC. With more than one
// processor, each goroutine that makes another one ready wakes a thread for it, which at rest finds that the first has nothing to do
// any more; of a speaker at rest that is a part of all wake-ups. It refuses to know what the work is.
//
// With one processor a computation delays heartbeats, BFD and answers until Go takes the processor from it, which may be 10 ms.
// So whoever is about to compute something long says so before; whatever else takes time is noticed by a timer that fires late.
package processors

import (
	"context"
	"runtime"
	"runtime/debug"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

const (
	// quiet is for how long nothing must have happened before one processor is enough.
	quiet = time.Second
	// urgentTime is for how long the collector is held back, and urgentGrowth how much of itself, in percent, the heap may grow by then.
	urgentTime   = 2 * time.Second
	urgentGrowth = 100
	// busyShare is the part of one processor that a process at rest does not use.
	busyShare = 0.1
)

// state is the process's, as GOMAXPROCS is.
var state struct {
	mu sync.Mutex
	// all is how many processors are used while there is work.
	all int
	// one: only one is used.
	one bool
	// worked is when Need was last called, urged when Urgent was.
	worked, urged time.Time
	// spared: the collector is held back. growth is what the heap may grow by at other times; 0: not known yet.
	spared bool
	growth int
	// raised wakes Start.
	raised chan struct{}
}

// Need says that there is work, or that something is late: all processors are used from now on, until it is quiet again.
func Need() {
	state.mu.Lock()
	defer state.mu.Unlock()
	state.worked = time.Now()
	if state.one {
		state.one = false
		runtime.GOMAXPROCS(state.all) // It stops all goroutines for some 10 µs.
		state.raised <- struct{}{}
	}
}

// Urgent says that milliseconds count, as when another node may have died: the collector runs less for a while. With 10,000 Services it
// would run twice during a fail-over, for 30 ms of all processors each.
func Urgent() {
	Need()
	state.mu.Lock()
	defer state.mu.Unlock()
	state.urged = time.Now()
	if !state.spared {
		state.spared = true
		go spareCollector() // It waits until the collector has come to its end.
	}
}

// spareCollector lets the heap grow by urgentGrowth until nothing has been urgent for urgentTime.
func spareCollector() {
	before := debug.SetGCPercent(urgentGrowth)
	state.mu.Lock()
	if state.growth == 0 {
		state.growth = before
	}
	before = state.growth
	state.mu.Unlock()
	if before < 0 || before > urgentGrowth {
		debug.SetGCPercent(before) // It is held back more already.
	}
	for wait := urgentTime; wait > 0; {
		time.Sleep(wait)
		state.mu.Lock()
		wait = urgentTime - time.Since(state.urged)
		state.spared = wait > 0
		state.mu.Unlock()
	}
	debug.SetGCPercent(before)
}

// Processors chooses how many processors are used. There is one in a process.
type Processors struct{}

// Start chooses until ctx ends, and returns nil. All are used at first and at the end.
func (Processors) Start(ctx context.Context) error {
	if runtime.GOMAXPROCS(0) == 1 {
		<-ctx.Done()
		return nil
	}
	state.mu.Lock()
	state.all, state.raised = runtime.GOMAXPROCS(0), make(chan struct{}, 1)
	state.mu.Unlock()
	defer Need()
	for before := used(); ; {
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(quiet):
		}
		now := used()
		resting := now-before < time.Duration(busyShare*float64(quiet)) && lower()
		if resting {
			select {
			case <-ctx.Done():
				return nil
			case <-state.raised:
			}
			now = used()
		}
		before = now
	}
}

// lower has one processor used if there was no work, and reports whether it has.
func lower() bool {
	state.mu.Lock()
	defer state.mu.Unlock()
	if time.Since(state.worked) < quiet {
		return false
	}
	state.one = true
	runtime.GOMAXPROCS(1)
	return true
}

// used is the processor time that this process has used.
func used() time.Duration {
	var used unix.Rusage
	_ = unix.Getrusage(unix.RUSAGE_SELF, &used) // It cannot fail for this.
	return time.Duration(used.Utime.Nano() + used.Stime.Nano())
}
