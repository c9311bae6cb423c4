package link

import (
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/daymark-lb/daymark/internal/core/lb"
)

// BenchmarkWatcher_CableUnderAFullTable is how long it takes until a Watcher knows that a cable has lost its carrier, while routes that it
// follows come and go on a node that has very many others.
func BenchmarkWatcher_CableUnderAFullTable(b *testing.B) {
	for _, routes := range []int{0, 10_000, 100_000} {
		b.Run(fmt.Sprint(routes), func(b *testing.B) {
			batch(b, func(line func(string, ...any)) {
				line("link add full0 type veth peer name full1")
				line("link set full0 up")
				line("link set full1 up")
				line("addr add 192.0.2.7/24 dev full0")
				for i := range routes {
					line("route add 10.%d.%d.%d/32 via 192.0.2.1 proto bird", i/62500, i/250%250, i%250)
				}
			})
			defer func() { _ = exec.CommandContext(b.Context(), "ip", "link", "del", "full0").Run() }()
			w := New(nil)
			go func() { _ = w.Start(b.Context()) }()
			until := func(up bool) {
				for !slices.ContainsFunc(linksOf(w), func(l lb.Link) bool { return l.Name == "full0" && l.Up == up }) {
					<-w.Changes()
				}
			}
			until(true)
			var took []time.Duration
			for i := 0; b.Loop(); i++ {
				batch(b, func(line func(string, ...any)) { line("route add 198.51.100.%d/32 via 192.0.2.1", i%250) })
				time.Sleep(time.Millisecond)
				began := time.Now()
				batch(b, func(line func(string, ...any)) { line("link set full1 down") })
				until(false)
				took = append(took, time.Since(began))
				batch(b, func(line func(string, ...any)) {
					line("link set full1 up")
					line("route del 198.51.100.%d/32 via 192.0.2.1", i%250)
				})
				until(true)
			}
			slices.Sort(took)
			b.ReportMetric(float64(took[len(took)/2].Microseconds())/1000, "ms/median")
			b.ReportMetric(float64(took[len(took)-1].Microseconds())/1000, "ms/worst")
			b.ReportMetric(0, "ns/op")
		})
	}
}

// batch runs lines of the ip command.
func batch(b *testing.B, write func(line func(string, ...any))) {
	b.Helper()
	var lines strings.Builder
	write(func(format string, args ...any) { fmt.Fprintf(&lines, format+"\n", args...) })
	file := b.TempDir() + "/batch"
	if err := os.WriteFile(file, []byte(lines.String()), 0o600); err != nil {
		b.Fatal(err)
	}
	if output, err := exec.CommandContext(b.Context(), "ip", "-batch", file).CombinedOutput(); err != nil {
		b.Fatalf("%v: %s", err, output)
	}
}
