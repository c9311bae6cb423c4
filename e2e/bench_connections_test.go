package e2e_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/daymark-lb/daymark/e2e/lab"
)

// benchConnections is how many connections are open in a benchmark, half of them over IPv6.
const benchConnections = 1000

// BenchmarkOpenConnections counts how many of 1,000 TCP connections, half of them over IPv6, break when their addresses move: when the
// node that holds them is drained, and when all speakers are rolled ten times in a row. With connectionDraining and without. Each asks every
// quarter of a second; p99 is what 99 of 100 answers took at most, before and from the beginning of the move until all have been answered.
func BenchmarkOpenConnections(b *testing.B) {
	for name, draining := range map[string]string{"with": "10m", "without": "0s"} {
		for what, do := range map[string]func(m *move){
			"drain": func(m *move) {
				first := m.holders()[m.addresses[0]]
				m.drain(first)
				m.awaitAway(first)
			},
			"ten-rolls": func(m *move) {
				for range 10 {
					m.RollSpeakers()
					m.awaitAnswers()
				}
			},
		} {
			b.Run(what+"-"+name, func(b *testing.B) {
				lab.Need(b, lab.KubeProxy)
				for b.Loop() {
					m := newMove(b, plainLab(b, lab.WithProxy(lab.KubeProxy)), "Cluster", benchConnections)
					m.Kubectl("patch", "l2advertisement", "open", "--type=merge", "--patch", drainingFor(draining))
					reportMove(b, m.open, func() { do(m) })
				}
			})
		}
		b.Run("drain-bgp-"+name, func(b *testing.B) {
			lab.Need(b, lab.KubeProxy)
			lab.Need(b, lab.FRR)
			for b.Loop() {
				s := spreadOver(b, plainLab(b, lab.WithProxy(lab.KubeProxy)))
				s.Kubectl("patch", "bgpadvertisement", "open", "--type=merge", "--patch", drainingFor(draining))
				s.connect(benchConnections)
				reportMove(b, s.open, func() {
					s.Node("n1").Annotate("daymark.io/drain", "true")
					s.await(s.without("n1")...)
					moved := time.Now()
					lab.Eventually(b, waitTimeout, "all connections are answered or broken", func() error { return s.open.AnsweredSince(moved) })
				})
			}
		})
	}
}

// drainingFor is a patch of an advertisement.
func drainingFor(d string) string { return `{"spec":{"connectionDraining":"` + d + `"}}` }

// reportMove reports how a move went for the connections that are open.
func reportMove(b *testing.B, open *lab.Connections, move func()) {
	b.Helper()
	quiet := quietRoundTrip(b, open)
	move()
	b.ReportMetric(inMilliseconds(quiet), "ms-p99-quiet")
	b.ReportMetric(inMilliseconds(open.RoundTrips.Quantile(0.99)), "ms-p99-moving")
	b.ReportMetric(float64(len(open.Stop())), "broken")
}

// quietRoundTrip has connections ask four times a second each, and returns what 99 of 100 answers take at most while nothing moves. After
// that round trips are counted anew.
func quietRoundTrip(b *testing.B, open *lab.Connections) time.Duration {
	b.Helper()
	open.AskEvery(time.Second / 4)
	open.RoundTrips.Reset()
	lab.Eventually(b, time.Minute, "each connection is answered 20 times", func() error {
		if n := open.RoundTrips.Count(); n < 20*benchConnections {
			return fmt.Errorf("there are %d answers", n)
		}
		return nil
	})
	quiet := open.RoundTrips.Quantile(0.99)
	open.RoundTrips.Reset()
	return quiet
}

func inMilliseconds(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }
