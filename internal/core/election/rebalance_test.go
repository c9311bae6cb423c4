package election

import (
	"testing"
	"time"
)

func TestElector_RebalancesOneAddressAtATime(t *testing.T) {
	s := newFixture(t, 1, contests(6, group(2)), alive(2), held(6))
	s.at(0).wantClaims(0).wantWait(time.Minute)
	s.at(59 * sec).wantClaims(0).wantWait(sec)
	s.at(60 * sec).wantClaims(1).wantWait(rebalanceInterval)
	s.at(60*sec + 500*ms).wantClaims(0).wantWait(500 * ms)
	s.at(61 * sec).wantClaims(1)
	s.at(62 * sec).wantClaims(1)
	s.at(63 * sec).wantClaims(0).wantWait(0) // 3 and 3.
}

func TestElector_OnlyTheReceiverRebalances(t *testing.T) {
	for node := range 3 {
		s := newFixture(t, node, contests(9, group(3)), alive(3), held(5, 1, 3)).at(0).at(time.Minute)
		want := 0
		if node == 1 {
			want = 1
		}
		s.wantClaims(want)
	}
}

func TestElector_DifferenceOfOneIsBalanced(t *testing.T) {
	for node := range 3 {
		newFixture(t, node, contests(5, group(3)), alive(3), held(1, 2, 2)).at(0).wantWait(0).at(time.Hour).wantClaims(0).wantWait(0)
	}
}

func TestElector_PreferredNodeGetsItsAddressesBackInTime(t *testing.T) {
	g := weighted(map[string]int{"n0": 1, "n1": 2})
	s := newFixture(t, 1, contests(2, g), alive(2), held(1, 1))
	s.at(0).want(1).at(time.Minute).want(0, 1).wantClaims(1)
	s.at(2 * time.Minute).wantClaims(0).wantWait(0)
	newFixture(t, 0, contests(2, g), alive(2), held(0, 2)).at(0).at(time.Hour).wantClaims(0).wantWait(0)
}

func TestElector_RebalancesByWeightFirst(t *testing.T) {
	list := contests(8, group(2))
	list[0].Group = weighted(map[string]int{"n0": 1, "n1": 2})
	s := newFixture(t, 1, list, alive(2), held(8)).at(0).at(time.Minute).wantClaims(1)
	if s.last.Claims[0].Addr != addr(0) {
		t.Fatalf("claims %v", s.last.Claims)
	}
}

func TestElector_RebalancingCanBeTurnedOff(t *testing.T) {
	s := newFixture(t, 1, contests(6, group(2)), alive(2), held(6))
	s.elector = NewElector("n1", 1, 0)
	s.at(0).wantClaims(0).wantWait(0).at(time.Hour).wantClaims(0).wantWait(0)
}

func TestElector_RebalanceWaitRestartsWhenNodesChange(t *testing.T) {
	s := newFixture(t, 1, contests(6, group(3)), alive(2), held(6)).at(0)
	s.Live = alive(3)
	s.at(50 * sec).wantClaims(0)
	s.at(60 * sec).wantClaims(0).wantWait(50 * sec)
}

func TestElector_NewServicesDoNotDelayRebalancing(t *testing.T) {
	s := newFixture(t, 1, contests(6, group(2)), alive(2), held(6)).at(0)
	for i := range 6 {
		now := time.Duration(i) * 10 * sec
		s.contests = contests(7, group(2))
		s.at(now).at(now + newAddressDelay)
		delete(s.Claims, addr(6))
		s.contests = contests(6, group(2))
		s.at(now + sec)
	}
	s.at(60 * sec).wantClaims(1)
}

func TestElector_RebalancesInProportionToTheImbalance(t *testing.T) {
	for _, test := range []struct{ addresses, first int }{{60, 1}, {62, 2}, {600, 10}, {5000, 84}, {20_000, maxMoves}} {
		s := newFixture(t, 1, contests(test.addresses, group(2)), alive(2), held(test.addresses)).at(0).at(time.Minute)
		s.wantClaims(test.first).wantWait(rebalanceInterval)
	}
}

// TestElector_EvensOutThousandsInMinutes: a node of two that returns has its 2,500 of 5,000 addresses within three minutes, a
// preferred node all 5,000 within four; so do three nodes that return to one. No more than 100 move in a second, and none twice.
func TestElector_EvensOutThousandsInMinutes(t *testing.T) {
	const addresses = 5000
	for _, test := range []struct {
		name    string
		group   *Group
		nodes   int
		moves   int
		seconds int
	}{
		{"two nodes", group(2), 2, 2500, 180},
		{"four nodes", group(4), 4, 3750, 210},
		{"a preferred node", weighted(map[string]int{"n0": 0, "n1": 1}), 2, 5000, 240},
	} {
		t.Run(test.name, func(t *testing.T) {
			claims, list := held(addresses), contests(addresses, test.group)
			var electors []*Elector
			for i := range test.nodes {
				electors = append(electors, NewElector(nodeName(i), 1, time.Minute))
			}
			moves, last := 0, 0
			for second := range 600 {
				before := moves
				for _, e := range electors {
					d := e.Decide(list, Input{Now: epoch.Add(time.Duration(second) * sec), Live: alive(test.nodes), Claims: claims})
					for _, claim := range d.Claims {
						claims.Learn(claim)
						moves++
						last = second
					}
				}
				if moves-before > maxMoves {
					t.Fatalf("%d moves in a second", moves-before)
				}
			}
			took := last - 60
			t.Logf("%d moves in %d s", moves, took)
			if moves != test.moves || took > test.seconds {
				t.Errorf("%d moves in %d s, want %d in %d s", moves, took, test.moves, test.seconds)
			}
		})
	}
}
