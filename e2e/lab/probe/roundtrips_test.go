package probe

import (
	"testing"
	"time"
)

func TestRoundTrips_Quantile(t *testing.T) {
	var r RoundTrips
	if got := r.Quantile(0.99); got != 0 || r.Count() != 0 {
		t.Errorf("without answers it is %s of %d", got, r.Count())
	}
	for i := range 98 {
		r.Add(time.Duration(i+1) * 10 * time.Microsecond)
	}
	r.Add(25*time.Millisecond + time.Microsecond)
	r.Add(time.Hour)
	for part, want := range map[float64]time.Duration{
		0: 100 * time.Microsecond, 0.5: 600 * time.Microsecond, 0.98: time.Millisecond, 0.99: 25100 * time.Microsecond, 1: connectionTimeout + roundTripStep,
	} {
		if got := r.Quantile(part); got != want {
			t.Errorf("%v of them took at most %s, not %s", part, got, want)
		}
	}
	if n := r.Count(); n != 100 {
		t.Errorf("%d are counted, not 100", n)
	}
	if n := testing.AllocsPerRun(100, func() { r.Add(time.Millisecond) }); n != 0 {
		t.Errorf("each takes %v allocations", n)
	}
	r.Reset()
	if got := r.Quantile(0.5); got != 0 || r.Count() != 0 {
		t.Errorf("after they were forgotten it is %s of %d", got, r.Count())
	}
}
