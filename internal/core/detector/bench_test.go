package detector

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
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

// BenchmarkRackFailure counts the datagrams that a node sends in the second after 40 others have failed at once, beyond what it sends at rest:
// above all the votes of the five that observe each of them, which go to all, some twenty times. As many come to each node, whatever the size
// of the cluster; who observes one of the dead sends that to all.
func BenchmarkRackFailure(b *testing.B) {
	const rack, rest, look = 40, 200 * ms, time.Second
	for _, nodes := range []int{100, 300, 1000} {
		b.Run(fmt.Sprint(nodes), func(b *testing.B) {
			for b.Loop() {
				all := strings.Fields(names(nodes))
				c := newCluster(all...)
				c.run(300*ms, nil)
				took := func(d time.Duration) (mean, most float64) {
					for _, n := range c.nodes {
						n.sent = 0
					}
					c.run(d, nil)
					for _, n := range c.nodes {
						mean, most = mean+float64(n.sent)/float64(len(c.nodes)), max(most, float64(n.sent))
					}
					return mean, most
				}
				before, _ := took(rest)
				for _, name := range all[nodes/2 : nodes/2+rack] {
					c.crash(name)
				}
				mean, most := took(look)
				atRest := before * look.Seconds() / rest.Seconds()
				b.ReportMetric(atRest, "datagrams-at-rest")
				b.ReportMetric(mean-atRest, "datagrams-more")
				b.ReportMetric(most-atRest, "datagrams-more-most")
				b.ReportMetric(float64(c.unknown(all[nodes/2:nodes/2+rack])), "not-known")
			}
		})
	}
}

// unknown is how many nodes take one of some others for alive.
func (c *cluster) unknown(dead []string) (count int) {
	for _, n := range c.nodes {
		if slices.ContainsFunc(dead, func(name string) bool { return n.detector.find(name).alive }) {
			count++
		}
	}
	return count
}
