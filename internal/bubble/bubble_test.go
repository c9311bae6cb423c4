package bubble

import (
	"runtime"
	"sync"
	"testing"
	"time"
)

// TestTest_Timers does what ends a program with the race detector and two processors, about every third time in 300 bubbles.
func TestTest_Timers(t *testing.T) {
	before := runtime.GOMAXPROCS(0)
	for range 20 {
		Test(t, func(*testing.T) {
			var readers sync.WaitGroup
			for range 8 {
				readers.Go(readTimers)
			}
			readers.Wait()
		})
	}
	if after := runtime.GOMAXPROCS(0); after != before {
		t.Errorf("%d processors afterwards, want %d", after, before)
	}
}

// readTimers waits for timers that are due when those of other goroutines are.
func readTimers() {
	for range 200 {
		timer, ticker := time.NewTimer(time.Millisecond), time.NewTicker(time.Millisecond)
		select {
		case <-timer.C:
		case <-ticker.C:
		}
		for range 50 {
			select {
			case <-timer.C:
			case <-ticker.C:
			default:
			}
		}
		ticker.Stop()
		time.Sleep(time.Millisecond)
	}
}

// TestTest_SideBySide gives the processors back after the last of two.
func TestTest_SideBySide(t *testing.T) {
	before := runtime.GOMAXPROCS(0)
	t.Run("both", func(t *testing.T) {
		for _, name := range []string{"one", "another"} {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				Test(t, func(*testing.T) { time.Sleep(time.Second) })
			})
		}
	})
	if after := runtime.GOMAXPROCS(0); after != before {
		t.Errorf("%d processors afterwards, want %d", after, before)
	}
}
