package attempt_test

import (
	"io"
	"slices"
	"testing"

	"github.com/daymark-lb/daymark/e2e/lab/attempt"
)

func TestAttempt_EndsInTheOrderBackwards(t *testing.T) {
	var said []string
	a := &attempt.Attempt{Out: io.Discard}
	a.Do(func() {
		a.Cleanup(func() { said = append(said, "first") })
		a.Cleanup(func() { a.Fatalf("cannot %s", "mend") })
		a.Cleanup(func() { said = append(said, "last") })
		a.Fatalf("broken")
	})
	a.End()
	a.End()
	if !slices.Equal(said, []string{"last", "first"}) || !slices.Equal(a.Wrong, []string{"broken", "cannot mend"}) || !a.Failed() {
		t.Errorf("%v, wrong: %v", said, a.Wrong)
	}
}
