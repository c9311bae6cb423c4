package announce

import (
	"testing"

	"github.com/daymark-lb/daymark/internal/core/election"
)

// All speakers were restarted, so that no claim says that another host uses an address; the Service does.
func TestPlan_ADisputedAddressIsWithheld(t *testing.T) {
	w := cluster()
	for i, addr := range []string{"192.0.2.200", "192.0.2.201"} {
		w.add(addr, addr, everyNode...)
		w.Services[len(w.Services)-1].Disputed = i == 0
	}
	plan := Compute(w)
	for _, first := range []bool{true, false} {
		addresses := plan.Layer2Addresses(&election.Decision{Hold: []election.Hold{
			{Addr: plan.Contests[0].Addr, First: first}, {Addr: plan.Contests[1].Addr, First: first},
		}}, &Ways{})
		if addresses[0].Withheld != first || addresses[1].Withheld || addresses[0].Disputed {
			t.Errorf("if no claim says that it was announced (%v): %+v", first, addresses)
		}
		addresses = plan.Layer2Addresses(&election.Decision{Hold: []election.Hold{
			{Addr: plan.Contests[0].Addr, First: true, Withheld: first}, {Addr: plan.Contests[1].Addr, First: true, Withheld: first},
		}}, &Ways{})
		if addresses[0].Disputed != first || addresses[1].Disputed {
			t.Errorf("if the holder before has not announced it (%v): %+v", first, addresses)
		}
	}
}
