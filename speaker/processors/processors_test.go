package processors

import (
	"context"
	"fmt"
	"runtime"
	"runtime/debug"
	"runtime/metrics"
	"testing"
	"time"

	"github.com/daymark-lb/daymark/internal/testnet"
)

func TestProcessors_OneIsUsedAtRest(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(2))
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- Processors{}.Start(ctx) }()
	if n := runtime.GOMAXPROCS(0); n != 2 {
		t.Fatalf("at the start %d are used", n)
	}
	awaitUsed(t, "at rest", 1)
	for range 3 {
		Need()
		if n := runtime.GOMAXPROCS(0); n != 2 {
			t.Errorf("with work %d are used", n)
		}
	}
	awaitUsed(t, "at rest again", 1)

	Need()
	for began := time.Now(); time.Since(began) < 3*quiet; {
		if n := runtime.GOMAXPROCS(0); n != 2 {
			t.Fatalf("while one is used up, %d are used", n)
		}
	}
	awaitUsed(t, "after that", 1)
	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}
	if n := runtime.GOMAXPROCS(0); n != 2 {
		t.Errorf("at the end %d are used", n)
	}
}

// awaitUsed waits until so many processors are used.
func awaitUsed(t *testing.T, when string, want int) {
	t.Helper()
	if _, err := testnet.Eventually(10*quiet, func() error {
		if n := runtime.GOMAXPROCS(0); n != want {
			return fmt.Errorf("%d are used", n)
		}
		return nil
	}); err != nil {
		t.Errorf("%s: %v", when, err)
	}
}

func TestUrgent_HoldsTheCollectorBackForAWhile(t *testing.T) {
	const atRest = 30
	defer debug.SetGCPercent(debug.SetGCPercent(atRest))
	for range 2 {
		Urgent()
		Urgent()
		awaitGrowth(t, urgentGrowth)
		awaitGrowth(t, atRest)
	}
}

// awaitGrowth waits until the heap may grow by so many percent.
func awaitGrowth(t *testing.T, want uint64) {
	t.Helper()
	if _, err := testnet.Eventually(10*urgentTime, func() error {
		growth := []metrics.Sample{{Name: "/gc/gogc:percent"}}
		if metrics.Read(growth); growth[0].Value.Uint64() != want {
			return fmt.Errorf("it may grow by %d %%", growth[0].Value.Uint64())
		}
		return nil
	}); err != nil {
		t.Fatalf("the heap may not grow by %d %%: %v", want, err)
	}
}
