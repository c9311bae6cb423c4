package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/daymark-lb/daymark/cli/largetest"
)

// BenchmarkLarge measures commands as processes of their own on the file of a large cluster: processor time, and the most memory.
func BenchmarkLarge(b *testing.B) {
	objects := largetest.Objects(now)
	largetest.Send(objects)
	text, err := json.Marshal(map[string]any{"apiVersion": "v1", "kind": "List", "items": objects})
	file := filepath.Join(b.TempDir(), "large.json")
	if err == nil {
		err = os.WriteFile(file, text, 0o600)
	}
	if err != nil {
		b.Fatal(err)
	}
	for _, line := range []string{
		"status", "problems", "services", "routes", "routes --service shop/web-42-42", "routes --node node-42", "explain service web-42-42 -n shop",
		"explain node node-42", "explain peer left", "explain pool lan", "explain address 198.18.42.42", "watch", "simulate drain node-42",
	} {
		b.Run(strings.NewReplacer(" ", "_", "/", ":").Replace(line), func(b *testing.B) {
			var spent, most float64
			for b.Loop() {
				c := program(b, append(strings.Fields(line), "--from="+file)...)
				// Every Service has its only endpoint on one node: that a drain makes some unreachable is the right answer.
				output, err := c.CombinedOutput()
				if found := strings.HasPrefix(line, "simulate") && c.ProcessState.ExitCode() == 1 && strings.Contains(string(output), "Unreachable"); err != nil && !found {
					b.Fatalf("%v: %.500s", err, output)
				}
				spent += (c.ProcessState.UserTime() + c.ProcessState.SystemTime()).Seconds()
				most = max(most, float64(c.ProcessState.SysUsage().(*syscall.Rusage).Maxrss)/1024)
			}
			b.ReportMetric(0, "ns/op") // is not shown: it says more of what else the machine does
			b.ReportMetric(spent/float64(b.N), "cpu-s")
			b.ReportMetric(most, "MiB-most")
		})
	}
}
