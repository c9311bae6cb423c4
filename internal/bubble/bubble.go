// Package bubble runs tests on a clock of their own, by testing/synctest, also under the race detector. Its one job is to keep the
// detector whole. It refuses to offer what synctest has already: a test calls synctest.Wait itself.
package bubble

import (
	"runtime"
	"sync"
	"testing"
	"testing/synctest"
)

// running counts the bubbles that run, and processors is what there was before the first of them.
var (
	mu         sync.Mutex
	running    int
	processors int
)

// Test is synctest.Test. Under the race detector the program has one processor meanwhile, because two of them that run timers of
// one bubble at once write to the same state of the detector, which then ends the program: "ThreadSanitizer: CHECK failed" or
// SIGSEGV (https://go.dev/issue/78156). Races are found by the order of events, which one processor does not change.
func Test(t *testing.T, f func(*testing.T)) {
	t.Helper()
	if raceDetector {
		enter()
		defer leave()
	}
	synctest.Test(t, f)
}

// enter leaves the program one processor.
func enter() {
	mu.Lock()
	defer mu.Unlock()
	if running++; running == 1 {
		processors = runtime.GOMAXPROCS(1)
	}
}

// leave gives the processors back after the last bubble.
func leave() {
	mu.Lock()
	defer mu.Unlock()
	if running--; running == 0 {
		runtime.GOMAXPROCS(processors)
	}
}
