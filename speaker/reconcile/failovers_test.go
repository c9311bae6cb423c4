package reconcile

import (
	"testing"
	"time"

	"github.com/daymark-lb/daymark/internal/core/election"
	"github.com/daymark-lb/daymark/speaker/gossip"
	"github.com/daymark-lb/daymark/speaker/layer2"
)

func TestLoop_FailOversAreTold(t *testing.T) {
	for _, test := range []struct {
		name string
		// heard is when n2 was last heard; zero: this node did not watch it.
		heard time.Duration
		holds bool
		// silent: n2 has fallen silent; else it has left. probed: n2 has not announced the address.
		silent, probed, told bool
	}{
		{name: "the holder died", heard: 100 * time.Millisecond, silent: true, told: true},
		{name: "the holder left", heard: 100 * time.Millisecond},
		{name: "this node did not watch it", silent: true},
		{name: "the address is answered already", heard: 100 * time.Millisecond, silent: true, holds: true},
		{name: "nobody has announced the address, as when a foreign host has it", heard: 100 * time.Millisecond, silent: true, probed: true},
	} {
		t.Run(test.name, func(t *testing.T) {
			inTime(t, func(t *testing.T, f *fixture) {
				f.addNode()
				f.gossip.view.Claims.Learn(election.Claim{Addr: vip, Node: "n2", Incarnation: 1, Term: 9, Announced: !test.probed})
				f.pass(t)
				f.gossip.view.Alive = []string{"n1"}
				delete(f.gossip.view.Peers, "n2")
				died := gossip.Peer{Incarnation: 1}
				if test.heard > 0 {
					died.LastHeard = time.Now().Add(-test.heard)
				}
				if test.silent {
					f.gossip.view.Silent = map[string]gossip.Peer{"n2": died}
				}
				if test.holds {
					f.layer2.held = append(f.layer2.held, layer2.Held{Addr: vip})
				}
				f.pass(t)
				if len(f.layer2.desired) != 1 {
					t.Fatalf("held are %v", f.layer2.desired)
				}
				since, told := f.layer2.failedOver[vip]
				if told != test.told || told && !since.Equal(died.LastHeard) {
					t.Errorf("told %t, since %v; want %t, since %v", told, since, test.told, died.LastHeard)
				}
			})
		})
	}
}
