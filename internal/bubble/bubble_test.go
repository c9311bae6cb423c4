package bubble

import (
	"runtime"
	"testing"
	"time"
)

// TestTest_HasOneProcessorUnderTheRaceDetector, and what there was before when it has ended. A program that lets eight goroutines of a
// bubble wait for timers of one millisecond ends otherwise, about every third time in 300 bubbles.
func TestTest_HasOneProcessorUnderTheRaceDetector(t *testing.T) {
	before := runtime.GOMAXPROCS(2)
	t.Cleanup(func() { runtime.GOMAXPROCS(before) })
	want := 2
	if raceDetector {
		want = 1
	}
	Test(t, func(t *testing.T) {
		if inside := runtime.GOMAXPROCS(0); inside != want {
			t.Errorf("%d processors, want %d", inside, want)
		}
	})
	if after := runtime.GOMAXPROCS(0); after != 2 {
		t.Errorf("%d processors afterwards, want 2", after)
	}
}

// TestTest_SideBySide gives the processors back after the last of two.
func TestTest_SideBySide(t *testing.T) {
	before := runtime.GOMAXPROCS(2)
	t.Cleanup(func() { runtime.GOMAXPROCS(before) })
	t.Run("both", func(t *testing.T) {
		for _, name := range []string{"one", "another"} {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				Test(t, func(*testing.T) { time.Sleep(time.Second) })
			})
		}
	})
	if after := runtime.GOMAXPROCS(0); after != 2 {
		t.Errorf("%d processors afterwards, want 2", after)
	}
}
