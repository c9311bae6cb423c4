package handover

import (
	"maps"
	"slices"
	"testing"
	"time"
)

func TestCrashes_CountAfterAMoment(t *testing.T) {
	var c Crashes
	for _, step := range []struct {
		name    string
		at      time.Duration
		silent  []string
		crashed []string
		wait    time.Duration
	}{
		{"one falls silent", 0, []string{"n1"}, nil, CrashDelay},
		{"another does", CrashDelay / 4, []string{"n1", "n2"}, nil, CrashDelay * 3 / 4},
		{"the first has been for long enough", CrashDelay, []string{"n1", "n2"}, []string{"n1"}, CrashDelay / 4},
		{"the second is back in time", CrashDelay + CrashDelay/8, []string{"n1"}, []string{"n1"}, 0},
		{"it falls silent again", CrashDelay + CrashDelay/4, []string{"n1", "n2"}, []string{"n1"}, CrashDelay},
		{"all are back", 2 * CrashDelay, nil, nil, 0},
		{"the first falls silent again", 3 * CrashDelay, []string{"n1"}, nil, CrashDelay},
	} {
		crashed, wait := c.Next(start.Add(step.at), step.silent)
		if got := slices.Sorted(maps.Keys(crashed)); !slices.Equal(got, step.crashed) || wait != step.wait {
			t.Errorf("%s: %v have crashed, and more may in %s; want %v, %s", step.name, got, wait, step.crashed, step.wait)
		}
	}
}
