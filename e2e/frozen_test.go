package e2e_test

import (
	"testing"
	"time"
)

// Promise: a speaker that hangs is replaced, and when it wakes, not knowing of that, there is still one holder.

func TestLayer2_FrozenSpeakerIsReplacedAndYields(t *testing.T) {
	cluster := daymark(t)
	address, pod := heldAddress(t, cluster, "frozen")
	s := observe(t, cluster, pod, address)
	speaker := cluster.Node(s.holder).Speaker()
	frozen := time.Now()
	speaker.Freeze()
	s.awaitHeir(frozen)

	thawed := time.Now()
	speaker.Thaw()
	awaitMembers(t, cluster)
	settled := s.awaitSettled(thawed)
	_, observations := s.end(frozen)
	t.Logf("frozen: nobody answered for %s; thawed: one holder after %s, two answered for %s",
		ms(observations.Unheld(frozen)), ms(settled), ms(observations.Shared(thawed)))
	mustBeUnder(t, "the time without a holder", observations.Unheld(frozen))
	mustBeUnder(t, "settling on one holder", settled)
}
