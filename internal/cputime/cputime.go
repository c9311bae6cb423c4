// Package cputime measures benchmarks by the processor time that they take, since on a machine that has other work the time that passes
// says little. Its one job is the figure of this process. It refuses to measure other processes, and is for tests alone.
package cputime

import (
	"syscall"
	"testing"
	"time"
)

// Used is the time for which all threads of this process have used processors so far.
func Used(b testing.TB) time.Duration {
	b.Helper()
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		b.Fatal(err)
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}

// Report reports the processor time of an operation in ms, given what was used when the benchmark began.
func Report(b *testing.B, began time.Duration) {
	b.Helper()
	b.ReportMetric(float64((Used(b)-began).Microseconds())/1000/float64(b.N), "cpu-ms/op")
}
