package election

import (
	"testing"
	"time"
)

// A node that has just started claims all addresses of a large cluster at once. An hour later it needs no memory for that any more.
func TestElector_ForgetsTheStorm(t *testing.T) {
	const addresses = 3 * spareRoom
	s := newFixture(t, 0, contests(addresses, group(1)), alive(1), Claims{}).at(0).at(time.Second).wantClaims(addresses)
	for _, c := range s.contests {
		s.Answered = append(s.Answered, c.Addr)
	}
	s.at(2 * time.Second).wantClaims(addresses)
	if tried := len(s.at(3 * time.Second).elector.trials.trials); tried != addresses {
		t.Fatalf("%d addresses are on trial, want all", tried)
	}
	s.at(time.Hour)
	if e := s.elector; len(s.last.Hold) != addresses || cap(e.unheld)+cap(e.wereUnheld) > 2*spareRoom || e.trials.trials != nil {
		t.Errorf("it holds %d addresses, and keeps room for %d and %d without a holder, and a map of trials: %t",
			len(s.last.Hold), cap(e.unheld), cap(e.wereUnheld), e.trials.trials != nil)
	}
}
