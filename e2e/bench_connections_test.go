package e2e_test

import (
	"errors"
	"fmt"
	"os/exec"
	"testing"
	"time"

	"github.com/daymark-lb/daymark/e2e/lab"
	"github.com/daymark-lb/daymark/internal/testnet"
)

// benchConnections is how many connections are open in a benchmark, half of them over IPv6.
const benchConnections = 1000

// BenchmarkOpenConnections counts how many of 1,000 TCP connections, half of them over IPv6, break when their addresses move: when the
// node that holds them is drained, and when all speakers are rolled ten times in a row. With connectionDraining and without. Each asks every
// quarter of a second. What 99 of 100 answers and 99 of 100 packets with requests took at most, and the slowest packet, is told before ("quiet"),
// and from the beginning of the move until all have been answered ("moving"); by layer 2 also while a node is drained that holds nothing
// ("control"), and before the speakers are rolled while another program takes as much processor time as they do when they start. Answers wait for processors, which the lab's programs share with those that move addresses; packets do not.
func BenchmarkOpenConnections(b *testing.B) {
	for name, draining := range map[string]string{"with": "10m", "without": "0s"} {
		b.Run("drain-"+name, func(b *testing.B) {
			benchMove(b, draining, func(m *move) { m.drainOther() }, func(m *move) {
				first := m.holders()[m.addresses[0]]
				m.drain(first)
				m.awaitAway(first)
			})
		})
		b.Run("ten-rolls-"+name, func(b *testing.B) {
			benchMove(b, draining, func(m *move) { m.busy() }, func(m *move) {
				for range 10 {
					m.RollSpeakers()
					m.awaitAnswers()
				}
			})
		})
		b.Run("drain-bgp-"+name, func(b *testing.B) {
			lab.Need(b, lab.KubeProxy)
			lab.Need(b, lab.FRR)
			for b.Loop() {
				s := spreadOver(b, plainLab(b, lab.WithProxy(lab.KubeProxy)))
				s.Kubectl("patch", "bgpadvertisement", "open", "--type=merge", "--patch", drainingFor(draining))
				s.connect(benchConnections)
				p := newPace(b, s.open, s.FarClient(), s.pod)
				p.measure("moving", func() {
					s.Node("n1").Annotate("daymark.io/drain", "true")
					s.await(s.without("n1")...)
					moved := time.Now()
					lab.Eventually(b, waitTimeout, "all connections are answered or broken", func() error { return s.open.AnsweredSince(moved) })
				})
				p.end()
			}
		})
	}
}

// benchMove has addresses of layer 2 move, after what is to be compared with it, if there is something.
func benchMove(b *testing.B, draining string, control, do func(m *move)) {
	b.Helper()
	lab.Need(b, lab.KubeProxy)
	for b.Loop() {
		m := newMove(b, plainLab(b, lab.WithProxy(lab.KubeProxy)), "Cluster", benchConnections)
		m.Kubectl("patch", "l2advertisement", "open", "--type=merge", "--patch", drainingFor(draining))
		p := newPace(b, m.open, m.Client(), m.pod)
		if control != nil {
			p.measure("control", func() { control(m) })
		}
		p.measure("moving", func() { do(m) })
		p.end()
	}
}

// busy has a program take as much processor time as a speaker that starts, thirty times, and nothing else happens.
func (m *move) busy() {
	m.t.Helper()
	for range 30 {
		err := exec.Command("timeout", "0.15", "sh", "-c", "while :; do :; done").Run()
		if status := (*exec.ExitError)(nil); err != nil && !errors.As(err, &status) {
			m.t.Fatalf("a busy program: %v", err)
		}
		m.awaitAnswers()
	}
}

// drainOther drains a node that holds no address, and ends that.
func (m *move) drainOther() {
	m.t.Helper()
	holders := m.holders()
	for _, node := range m.NodeNames() {
		if node != holders[m.addresses[0]] && node != holders[m.addresses[1]] {
			m.drain(node)
			m.awaitAway(node)
			m.Node(node).RemoveAnnotation("daymark.io/drain")
			m.awaitAnswers()
			return
		}
	}
}

// drainingFor is a patch of an advertisement.
func drainingFor(d string) string { return `{"spec":{"connectionDraining":"` + d + `"}}` }

// pace is how fast connections that are open are served.
type pace struct {
	b       *testing.B
	open    *lab.Connections
	transit *testnet.Transit
}

// newPace has connections ask four times a second each, and measures them while nothing moves.
func newPace(b *testing.B, open *lab.Connections, client lab.Client, pod *lab.Pod) *pace {
	b.Helper()
	open.AskEvery(time.Second / 4)
	p := &pace{b, open, client.MeasureTransit(pod.Host())}
	p.measure("quiet", func() {
		lab.Eventually(b, time.Minute, "each connection is answered 20 times", func() error {
			if n := open.RoundTrips.Count(); n < 20*benchConnections {
				return fmt.Errorf("there are %d answers", n)
			}
			return nil
		})
	})
	return p
}

// measure reports how connections are served while something is done.
func (p *pace) measure(name string, do func()) {
	p.b.Helper()
	p.open.RoundTrips.Reset()
	p.transit.Reset()
	do()
	times, again := p.transit.Times()
	if len(times) == 0 {
		p.b.Fatalf("no packet arrived while it was %s", name)
	}
	p.b.ReportMetric(inMilliseconds(p.open.RoundTrips.Quantile(0.99)), "ms-p99-"+name)
	p.b.ReportMetric(float64(times[len(times)*99/100].Microseconds()), "µs-packet-p99-"+name)
	p.b.ReportMetric(float64(times[len(times)-1].Microseconds()), "µs-packet-most-"+name)
	p.b.ReportMetric(float64(again), "sent-again-"+name)
}

// end reports how many broke.
func (p *pace) end() { p.b.ReportMetric(float64(len(p.open.Stop())), "broken") }

func inMilliseconds(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }
