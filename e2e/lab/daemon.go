package lab

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/daymark-lb/daymark/e2e/lab/probe"
	"github.com/daymark-lb/daymark/internal/testnet"
)

// Daemon is a program of a cluster with methods for tests.
type Daemon struct {
	*testnet.Process
	c *Cluster
}

// Start starts it, with more arguments for this run only.
func (d Daemon) Start(more ...string) { d.c.t.Helper(); d.c.must("start", d.Process.Start(more...)) }

// Stop asks it to end, and waits.
func (d Daemon) Stop() { d.c.t.Helper(); d.c.must("stop", d.Process.Stop()) }

// Kill ends it at once.
func (d Daemon) Kill() { d.c.t.Helper(); d.c.must("kill", d.Process.Kill()) }

// Freeze stops it by SIGSTOP, until Thaw or the end of the test (SIGCONT).
func (d Daemon) Freeze() {
	d.c.t.Helper()
	d.c.t.Cleanup(func() { _ = d.Process.Thaw() })
	d.c.must("freeze", d.Process.Freeze())
}

// Thaw lets it go on, by SIGCONT.
func (d Daemon) Thaw() { d.c.t.Helper(); d.c.must("thaw", d.Process.Thaw()) }

// Healthy returns nil if /healthz of its health port answers 200.
func (d Daemon) Healthy(port int) error { return d.says(port, "/healthz") }

// Ready returns nil if /readyz of its health port answers 200.
func (d Daemon) Ready(port int) error { return d.says(port, "/readyz") }

func (d Daemon) says(port int, path string) error {
	_, err := probe.Page(context.Background(), d.At, fmt.Sprintf("http://127.0.0.1:%d%s", port, path))
	return err
}

// Resident is the memory that it has in RAM, in bytes.
func (d Daemon) Resident() (int64, error) { return d.memory("VmRSS") }

// Peak is the most memory that it has had in RAM since it started, in bytes.
func (d Daemon) Peak() (int64, error) { return d.memory("VmHWM") }

func (d Daemon) memory(field string) (int64, error) {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", d.PID()))
	if err != nil {
		return 0, fmt.Errorf("read the size of %s: %w", d.Name, err)
	}
	for line := range strings.Lines(string(status)) {
		var kilobytes int64
		if _, err := fmt.Sscanf(line, field+": %d kB", &kilobytes); err == nil {
			return kilobytes << 10, nil
		}
	}
	return 0, fmt.Errorf("read the size of %s: the kernel does not tell", d.Name)
}

// CPU is the processor time that it has spent.
func (d Daemon) CPU() (time.Duration, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", d.PID()))
	if err != nil {
		return 0, fmt.Errorf("read the time of %s: %w", d.Name, err)
	}
	// The name of the program, in parentheses, may contain spaces; utime and stime are the 12th and 13th field behind it.
	_, behind, _ := strings.Cut(string(text), ") ")
	fields := strings.Fields(behind)
	const utime, stime, ticksPerSecond = 11, 12, 100
	if len(fields) <= stime {
		return 0, fmt.Errorf("read the time of %s: %q", d.Name, text)
	}
	user, userErr := strconv.Atoi(fields[utime])
	system, systemErr := strconv.Atoi(fields[stime])
	return time.Duration(user+system) * time.Second / ticksPerSecond, errors.Join(userErr, systemErr)
}

// Wakes is how often its threads have been woken: each time that one gives the processor up to wait.
func (d Daemon) Wakes() (sum int64, err error) {
	tasks, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/status", d.PID()))
	if err != nil || len(tasks) == 0 {
		return 0, fmt.Errorf("list the threads of %s: %w", d.Name, cmp.Or(err, os.ErrNotExist))
	}
	for _, task := range tasks {
		status, err := os.ReadFile(task)
		if err != nil {
			continue // It has ended.
		}
		for line := range strings.Lines(string(status)) {
			var waits int64
			if _, err := fmt.Sscanf(line, "voluntary_ctxt_switches: %d", &waits); err == nil {
				sum += waits
			}
		}
	}
	return sum, nil
}

// Metric is the sum of a metric over its labels, as it tells Prometheus, whether its node is cut off or not.
func (d Daemon) Metric(port int, name string) (sum float64, err error) {
	text, err := d.Metrics(port)
	if err != nil {
		return 0, err
	}
	found := false
	for line := range strings.Lines(text) {
		fields := strings.Fields(line)
		if of, _, _ := strings.Cut(line, "{"); len(fields) < 2 || fields[0] != name && of != name {
			continue
		}
		value, err := strconv.ParseFloat(fields[len(fields)-1], 64)
		if err != nil {
			return 0, fmt.Errorf("read %q of %s: %w", strings.TrimSpace(line), d.Name, err)
		}
		sum, found = sum+value, true
	}
	if !found {
		return 0, fmt.Errorf("%s has no metric %s", d.Name, name)
	}
	return sum, nil
}

// Metrics is what it tells Prometheus.
func (d Daemon) Metrics(port int) (string, error) {
	return probe.Page(context.Background(), d.At, fmt.Sprintf("http://127.0.0.1:%d/metrics", port))
}
