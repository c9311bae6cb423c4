package reconcile

import (
	"fmt"
	"strconv"
	"testing"
	"time"

	"github.com/daymark-lb/daymark/internal/cputime"
	"github.com/daymark-lb/daymark/internal/loop"
)

// BenchmarkLoop_Storm is the processor time of the passes of a speaker for each Service of many that come at once, half by layer 2, with a
// pass for each 50 that come: what grows with the number of Services grows with the square of the storm.
func BenchmarkLoop_Storm(b *testing.B) {
	const together = 50
	for _, services := range []int{2000, 6000, 20000} {
		b.Run(strconv.Itoa(services), func(b *testing.B) {
			var spent time.Duration
			for b.Loop() {
				s := newScaleScene(b, 0)
				for i := range services {
					s.putService(named(fmt.Sprint("s", i)), i)
					if i%together != together-1 {
						continue
					}
					s.calls = nil
					s.objects.stale.Store(true)
					began := cputime.Used(b)
					if _, err := s.Reconcile(b.Context(), loop.Wake{}); err != nil {
						b.Fatal(err)
					}
					spent += cputime.Used(b) - began
				}
			}
			b.ReportMetric(float64(spent.Nanoseconds())/1e6/float64(services*b.N), "cpu-ms/Service")
		})
	}
}
