// Package check is how the lab tells a test, or the demo, that something is not as it must be. It refuses to know what is
// looked at: conditions are functions.
package check

import (
	"context"
	"time"

	"github.com/daymark-lb/daymark/internal/testnet"
)

// T is what the lab needs of testing.T. The demo, which is not a test, has its own.
type T interface {
	Helper()
	Logf(format string, args ...any)
	Fatalf(format string, args ...any)
	Skipf(format string, args ...any)
	Cleanup(f func())
	Failed() bool
}

// Poll is how often Eventually looks.
const Poll = testnet.Poll

// Must fails the test with what was being done, unless err is nil.
func Must(t T, what string, err error) {
	t.Helper()
	if err != nil {
		t.Fatalf("%s: %v", what, err)
	}
}

// Eventually looks until the condition holds, which is when it returns no error, and returns the time that took. When the
// time is over it fails with what was awaited and the last reason why it was not so.
func Eventually(t T, within time.Duration, what string, condition func() error) time.Duration {
	t.Helper()
	took, err := testnet.Eventually(within, condition)
	if err != nil {
		t.Fatalf("%s: not within %s: %v", what, within, err)
	}
	return took
}

// Always looks for a time and fails at once when the condition does not hold.
func Always(t T, during time.Duration, what string, condition func() error) {
	t.Helper()
	for end := time.Now().Add(during); time.Now().Before(end); time.Sleep(Poll) {
		if err := condition(); err != nil {
			t.Fatalf("%s: %v", what, err)
		}
	}
}

// Context is for one request to the API server or to a router: it ends after 30 seconds.
func Context() (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.Background(), 30*time.Second)
}
