package check

import (
	"github.com/daymark-lb/daymark/internal/testnet"
)

// Need skips the test when a program that it needs is not installed; where CI is set it fails instead, so that nobody
// believes to have tested against what was not there.
func Need(t T, program interface{ Installed() bool }) {
	t.Helper()
	switch {
	case program.Installed():
	case testnet.MayMiss():
		t.Skipf("%v is not installed", program)
	default:
		t.Fatalf("%v is not installed, and CI must have it", program)
	}
}

// NeedKernel skips the test when the kernel lacks something: nobody can install that, so that it is skipped where CI is set, too.
func NeedKernel(t T, feature interface{ InKernel() error }) {
	t.Helper()
	if err := feature.InKernel(); err != nil {
		t.Skipf("%v", err)
	}
}
