package gossip

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/daymark-lb/daymark/internal/core/detector"
	"github.com/daymark-lb/daymark/internal/cputime"
)

// BenchmarkSilentDeath measures how long View keeps one of three speakers that has died without telling the others. Run it with
// -benchtime=20x.
func BenchmarkSilentDeath(b *testing.B) {
	for _, interval := range []time.Duration{50 * ms, 25 * ms} {
		b.Run(interval.String(), func(b *testing.B) {
			timing, _ := Preset("fast", true)
			timing.HeartbeatInterval = interval
			var took []time.Duration
			for b.Loop() {
				all := gather(b, nil, "127.2.0.", timing, "a", "b", "c")
				time.Sleep(rand.N(interval)) // A death comes at any time between two ticks.
				all[2].crash(b)
				took = append(took, all[0].awaits(b, "c is dead", alive("a", "b")))
				all[0].leave(b)
				all[1].leave(b)
			}
			slices.Sort(took)
			b.ReportMetric(float64(took[len(took)/2].Milliseconds()), "ms-median")
			b.ReportMetric(float64(took[0].Milliseconds()), "ms-least")
			b.ReportMetric(float64(took[len(took)-1].Milliseconds()), "ms-most")
		})
	}
}

// BenchmarkIdle measures the processor time that a speaker takes when nothing happens, as a share of one processor. Run it
// with -benchtime=1x: it looks for 10 s.
func BenchmarkIdle(b *testing.B) {
	for _, size := range []int{3, 50} {
		b.Run(fmt.Sprint(size), func(b *testing.B) {
			nodes := nodeNames(size)
			gatherMany(b, nodes)
			const look = 10 * time.Second
			for b.Loop() {
				before := cputime.Used(b)
				time.Sleep(look)
				b.ReportMetric(100*float64(cputime.Used(b)-before)/float64(look)/float64(size), "%cpu/member")
			}
		})
	}
}

func nodeNames(n int) []string {
	var all []string
	for i := range n {
		all = append(all, fmt.Sprintf("n%02d", i))
	}
	return all
}

// gatherMany is gather without waiting for heartbeats between all: in large clusters each observes only some.
func gatherMany(b *testing.B, nodes []string) {
	var all []*speaker
	for i, node := range nodes {
		all = append(all, begin(b, node, fmt.Sprint("127.2.1.", i+1), "k"))
	}
	meet(b, all...)
	for range 6 { // They may well be too busy for some seconds.
		if !slices.ContainsFunc(all, func(s *speaker) bool { return !alive(nodes...)(s.View()) }) {
			return
		}
		time.Sleep(10 * time.Second)
	}
	for _, s := range all {
		v := s.View()
		b.Logf("%s sees %d; %s", s.cfg.Node, len(v.Alive), v.Why)
	}
}

func BenchmarkStale(b *testing.B) {
	m := New(Config{Node: "a"})
	m.pause.update(time.Now(), func(p *detector.Pause, now time.Duration) { p.Tick(now, 0, 1, true) })
	for b.Loop() {
		m.Stale()
	}
}

func BenchmarkView(b *testing.B) {
	m := New(Config{Node: "a", Keys: secrets("k")})
	m.BroadcastClaims(manyClaims(10_000))
	for b.Loop() {
		m.View()
	}
}

func BenchmarkExchange(b *testing.B) {
	m := New(Config{Node: "a", Keys: secrets("k")})
	m.BroadcastClaims(manyClaims(10_000))
	message := delegate{m}.LocalState(false)
	b.ReportMetric(float64(len(message)), "bytes")
	other := New(Config{Node: "b", Keys: secrets("k")})
	for b.Loop() {
		delegate{m}.LocalState(false)
		delegate{other}.MergeRemoteState(message, false)
	}
}
