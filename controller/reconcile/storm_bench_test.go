package reconcile

import (
	"strconv"
	"testing"

	"github.com/daymark-lb/daymark/internal/cputime"
)

// BenchmarkLoop_Storm is what the passes cost in which Services get their addresses that are created at once, by their number: in each
// pass 50 have come since the one before, and 40 writes have been made. The figure for one Service is the same where a storm costs as
// much as it has Services. What the API server, the watches and the writes cost is not in it.
func BenchmarkLoop_Storm(b *testing.B) {
	for _, services := range []int{2000, 6000, 20000} {
		b.Run(strconv.Itoa(services), func(b *testing.B) {
			began := cputime.Used(b)
			for b.Loop() {
				s := newScaleScene(b, 0)
				places := map[string]int{}
				for written := 0; written < services; {
					for i := 0; i < 50 && len(s.services) < services; i++ {
						places["web-"+strconv.Itoa(len(s.services))] = len(s.services)
						s.add()
					}
					if _, err := s.pass(b.Context()); err != nil {
						b.Fatal(err)
					}
					pending := s.writer.pending[newAddress]
					if len(pending) == 0 {
						b.Fatal("nothing is to be written")
					}
					for _, w := range pending[:min(40, len(pending))] {
						if place, ours := places[w.key.name]; ours { // the scene has two more
							s.storeOne(place, w.service)
							written++
						}
					}
				}
			}
			cputime.Report(b, began)
			b.ReportMetric(float64((cputime.Used(b)-began).Microseconds())/float64(b.N*services), "cpu-us/Service")
		})
	}
}
