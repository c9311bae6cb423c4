package announce

import (
	"testing"

	"github.com/daymark-lb/daymark/api/v1beta1"
	"github.com/daymark-lb/daymark/internal/core/lb"
)

// What an advertisement listed before goes on while it lists a name that is unknown.
func TestCompute_MisspeltNamesWithdrawNothing(t *testing.T) {
	for _, test := range []struct {
		name        string
		before, now [2]string // pool and peer
		announced   bool
	}{
		{"another pool that exists", [2]string{"wan", "router"}, [2]string{"lan", "router"}, false},
		{"a misspelt pool", [2]string{"wan", "router"}, [2]string{"wna", "router"}, true},
		{"a misspelt peer", [2]string{"wan", "router"}, [2]string{"wan", "rotuer"}, true},
		{"names that never existed", [2]string{"wna", "rotuer"}, [2]string{"wna", "rotuer"}, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			w := cluster()
			s := w.add("web", "198.19.0.1", everyNode...)
			w.BGPAdvertisements = []*lb.BGPAdvertisement{bgpAdvertisement("bgp", 1, func(spec *v1beta1.BGPAdvertisementSpec) {
				spec.IPAddressPools, spec.Peers = []string{test.now[0]}, []string{test.now[1]}
			})}
			accepted := bgpAdvertisement("bgp", 1, nil)
			accepted.Pools, accepted.Peers = []string{test.before[0]}, []string{test.before[1]}
			w.BGPAdvertisements[0].Accepted = accepted
			if got := len(Compute(w).Sessions[0].Paths) > 0; got != test.announced {
				t.Errorf("the address is announced: %t, want %t", got, test.announced)
			}
			if got := NewExplainer(w).Explain(s); (got.Reason == "Announced") != test.announced {
				t.Errorf("explained as %s: %s", got.Reason, got.Message)
			}
		})
	}
}
