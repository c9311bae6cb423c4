package reconcile

import "testing"

func TestWithdrawals(t *testing.T) {
	var w withdrawals
	for _, step := range []struct {
		name   string
		newest uint64
		behind bool
		says   string
		again  bool
	}{
		{"nothing leaves, nothing is said", 0, false, "", false},
		{"what is seen is set, and looked at again soon", 7, false, "", true},
		{"a router was not sent it yet", 7, true, "", true},
		{"all are sent it", 7, false, "7", false},
		{"a newer one comes", 9, false, "7", true},
		{"the one that waited is gone", 0, false, "9", false},
		{"an older one is left", 8, false, "9", false},
	} {
		w.look(step.newest, step.behind)
		w.set()
		if got := w.text(); got != step.says || w.wait() > 0 != step.again {
			t.Errorf("%s: it says %q and looks again in %s", step.name, got, w.wait())
		}
	}
}

func TestLoop_SaysWhatIsWithdrawn(t *testing.T) {
	inTime(t, func(t *testing.T, f *fixture) {
		f.newestLeaving = 7
		if wait := f.pass(t); wait != withdrawnInterval || f.reporter.newest.Status.Withdrawn != "" {
			t.Errorf("after the first pass it says %q, and the next is in %s", f.reporter.newest.Status.Withdrawn, wait)
		}
		f.pass(t)
		if got := f.reporter.newest.Status.Withdrawn; got != "7" {
			t.Errorf("it says %q", got)
		}
	})
}
