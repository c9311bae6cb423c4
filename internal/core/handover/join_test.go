package handover

import (
	"testing"
	"time"
)

func TestHoldRoutes_UntilTheOthersHaveHeardThatItPassesOn(t *testing.T) {
	giveUp := start.Add(time.Minute)
	for _, test := range []struct {
		name     string
		at       time.Duration
		passesOn time.Time
		wait     time.Duration
	}{
		{"it does not pass on", 0, time.Time{}, time.Minute},
		{"it has begun to", time.Second, start.Add(time.Second), RouteDelay},
		{"the others are just about to hear", time.Second + RouteDelay - 1, start.Add(time.Second), 1},
		{"they have heard", time.Second + RouteDelay, start.Add(time.Second), 0},
		{"it begins when it has waited for long", time.Minute - 1, start.Add(time.Minute - 1), 1},
		{"it has waited for too long", time.Minute, time.Time{}, 0},
	} {
		hold, wait := HoldRoutes(start.Add(test.at), test.passesOn, giveUp)
		if wait != test.wait || hold != (test.wait > 0) {
			t.Errorf("%s: held %t, for %s, want %s", test.name, hold, wait, test.wait)
		}
	}
}
