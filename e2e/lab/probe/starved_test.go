package probe

import (
	"context"
	"errors"
	"fmt"
	"syscall"
	"testing"
	"time"
)

func TestReport_WithoutWhatFailedForWantOfAProcessor(t *testing.T) {
	began := time.Unix(1000, 0)
	at := func(after, took time.Duration, err error) Attempt {
		return Attempt{Began: began.Add(after), Took: took, Err: err}
	}
	late, reset := fmt.Errorf("get a page: %w", context.DeadlineExceeded), fmt.Errorf("get a page: %w", syscall.ECONNRESET)
	control := Report{[]Attempt{at(0, time.Millisecond, nil), at(time.Second, 900*time.Millisecond, late), at(3*time.Second, time.Millisecond, nil)}}
	for _, test := range []struct {
		name    string
		attempt Attempt
		control Report
		counts  bool // as failed
	}{
		{"late while the control was", at(500*time.Millisecond, 900*time.Millisecond, late), control, false},
		{"late from the middle of it on", at(1800*time.Millisecond, 900*time.Millisecond, late), control, false},
		{"late before it", at(0, 900*time.Millisecond, late), control, true},
		{"late after it", at(2*time.Second, 900*time.Millisecond, late), control, true},
		{"late while the control was slow", at(5*time.Second, 900*time.Millisecond, late), Report{[]Attempt{at(5*time.Second, 500*time.Millisecond, nil)}}, false},
		{"late while the control was quick enough", at(5*time.Second, 900*time.Millisecond, late), Report{[]Attempt{at(5*time.Second, 400*time.Millisecond, nil)}}, true},
		{"late while the control was served", at(0, 900*time.Millisecond, late), Report{control.Attempts[:1]}, true},
		{"reset while the control was late", at(1500*time.Millisecond, time.Millisecond, reset), control, true},
		{"another mistake then", at(1500*time.Millisecond, time.Millisecond, errors.New("status 500")), control, true},
	} {
		t.Run(test.name, func(t *testing.T) {
			served := at(1200*time.Millisecond, time.Millisecond, nil)
			counted, starved := Report{[]Attempt{served, test.attempt}}.Without(test.control)
			if failed := counted.Failed() == 1; failed != test.counts || (starved == 1) == test.counts {
				t.Errorf("%d count as failed, %d do not", counted.Failed(), starved)
			}
			if left := len(counted.Attempts) - counted.Failed(); left != 1 {
				t.Errorf("%d that were served are left, want 1", left)
			}
		})
	}
}
