package reconcile

import (
	"context"
	"errors"
	"testing"
)

// Passes between the events of objects get what was read before, with the same number; one that could not read reads again.
func TestReading_ReadsWhenAnObjectMayHaveChanged(t *testing.T) {
	var failure error
	reads := 0
	r := &reading{read: func(context.Context) (*snapshot, error) {
		reads++
		return &snapshot{leaving: uint64(reads)}, failure
	}}
	for _, pass := range []struct {
		name    string
		stale   bool
		failure error
		want    int // how often it has read by then
	}{
		{"the first", false, nil, 1},
		{"nothing has happened", false, nil, 1},
		{"an object has changed", true, nil, 2},
		{"nothing more", false, nil, 2},
		{"the caches cannot be read", true, errors.New("not synced"), 3},
		{"they still cannot", false, errors.New("not synced"), 4},
		{"they can", false, nil, 5},
		{"nothing since", false, nil, 5},
	} {
		if pass.stale {
			r.stale.Store(true)
		}
		failure = pass.failure
		before := reads
		seen, err := r.next(t.Context())
		if !errors.Is(err, pass.failure) || reads != pass.want {
			t.Fatalf("%s: it has read %d times, want %d (%v)", pass.name, reads, pass.want, err)
		}
		if err != nil {
			continue
		}
		if seen.leaving != uint64(reads) || seen.again != (reads == before) || seen.world.Reading != r.count {
			t.Errorf("%s: the pass got reading %d, number %d", pass.name, seen.leaving, seen.world.Reading)
		}
		seen.leaving, seen.world.Node = 77, "changed by the pass"
	}
	if r.count != 3 {
		t.Errorf("of %d readings %d have a number", reads, r.count)
	}
}
