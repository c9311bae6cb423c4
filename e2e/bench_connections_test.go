package e2e_test

import (
	"testing"

	"github.com/daymark-lb/daymark/e2e/lab"
)

// BenchmarkOpenConnections counts how many of 1,000 TCP connections, half of them over IPv6, break when their addresses move: when the
// node that holds them is drained, and when all speakers are rolled ten times in a row. With connectionDraining and without.
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
					m := newMove(b, plainLab(b, lab.WithProxy(lab.KubeProxy)), "Cluster", 1000)
					m.Kubectl("patch", "l2advertisement", "open", "--type=merge", "--patch", `{"spec":{"connectionDraining":"`+draining+`"}}`)
					do(m)
					b.ReportMetric(float64(len(m.open.Stop())), "broken")
				}
			})
		}
	}
}
