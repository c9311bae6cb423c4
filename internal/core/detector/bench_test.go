package detector

import (
	"fmt"
	"strings"
	"testing"
)

// BenchmarkDatagramsAtRest counts the heartbeats that a node sends in a second while nothing happens, pings and answers. A node of
// a large cluster observes few others, so the number must not grow.
func BenchmarkDatagramsAtRest(b *testing.B) {
	for _, nodes := range []int{3, 10, 100, 1000} {
		b.Run(fmt.Sprint(nodes), func(b *testing.B) {
			for b.Loop() {
				c := newCluster(strings.Fields(names(nodes))...)
				c.run(300*ms, nil)
				const look = 200 * ms
				c.pings = 0
				c.run(look, nil)
				b.ReportMetric(2*float64(c.pings)/look.Seconds()/float64(nodes), "datagrams/s")
			}
		})
	}
}
