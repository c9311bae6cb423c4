package lab

import (
	"fmt"
	"time"
)

// T is what the lab needs of testing.T. Whoever is not a test, such as the demo, brings its own.
type T interface {
	Helper()
	Logf(format string, args ...any)
	Fatalf(format string, args ...any)
	Skipf(format string, args ...any)
	Cleanup(f func())
	Failed() bool
}

// Poll is how often Eventually looks.
const Poll = 5 * time.Millisecond

// Eventually looks until the condition holds, which is when it returns no error, and gives the time that took. When the
// time is over it fails with what was awaited and the last reason why it was not so.
func Eventually(t T, within time.Duration, what string, condition func() error) time.Duration {
	t.Helper()
	took, err := eventually(within, condition)
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

func eventually(within time.Duration, condition func() error) (time.Duration, error) {
	began := time.Now()
	for {
		err := condition()
		switch {
		case err == nil:
			return time.Since(began), nil
		case time.Since(began) > within:
			return time.Since(began), err
		}
		time.Sleep(Poll)
	}
}

// Step is a part of bringing the lab up and the time it took.
type Step struct {
	What string
	Took time.Duration
}

func (s Step) String() string { return fmt.Sprintf("%s %d ms", s.What, s.Took.Milliseconds()) }
