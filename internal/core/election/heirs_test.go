package election

import (
	"fmt"
	"math/rand/v2"
	"testing"
)

// claimedByAll returns what all live nodes claim, each for itself, when all know the same and all delays are over.
func claimedByAll(t *testing.T, contests []Contest, live map[string]uint64, claims Claims) Claims {
	t.Helper()
	all := Claims{}
	for i := range len(live) {
		s := newFixture(t, i, contests, live, claims).at(0).at(newAddressDelay)
		for _, claim := range s.last.Claims {
			if other, twice := all[claim.Addr]; twice {
				t.Fatalf("%s is claimed by %s and %s", claim.Addr, claim.Node, other.Node)
			}
			all[claim.Addr] = claim
		}
	}
	return all
}

func counts(claims ...Claims) map[string]int {
	counts := map[string]int{}
	for _, some := range claims {
		for _, claim := range some {
			counts[claim.Node]++
		}
	}
	return counts
}

func TestHeirs_NewAddressesAreSpreadEvenly(t *testing.T) {
	for _, test := range []struct{ nodes, addresses int }{{1, 5}, {3, 9}, {3, 10}, {4, 3}, {7, 40}, {20, 21}} {
		t.Run(fmt.Sprintf("%d addresses over %d nodes", test.addresses, test.nodes), func(t *testing.T) {
			got := claimedByAll(t, contests(test.addresses, group(test.nodes)), alive(test.nodes), Claims{})
			if len(got) != test.addresses {
				t.Fatalf("%d addresses are claimed", len(got))
			}
			load := counts(got)
			for i := range test.nodes {
				least, most := test.addresses/test.nodes, (test.addresses+test.nodes-1)/test.nodes
				if l := load[nodeName(i)]; l < least || l > most {
					t.Fatalf("loads are %v", load)
				}
			}
		})
	}
}

func TestHeirs_LeastLoadedNodesInherit(t *testing.T) {
	claims := held(6, 2, 4)
	got := claimedByAll(t, contests(15, group(3)), alive(3), claims)
	if load := counts(claims, got); load["n0"] != 6 || load["n1"]+load["n2"] != 9 || load["n1"] < 4 || load["n2"] < 4 {
		t.Fatalf("loads are %v", load)
	}
}

func TestHeirs_HighestWeightInheritsWhateverItHolds(t *testing.T) {
	g := weighted(map[string]int{"n0": 1, "n1": 10, "n2": 10})
	claims := held(0, 8)
	got := claimedByAll(t, contests(12, g), alive(3), claims)
	if load := counts(got); load["n2"] != 4 {
		t.Fatalf("loads are %v", load)
	}
	// The preferred nodes are dead.
	if load := counts(claimedByAll(t, contests(12, g), alive(1), Claims{})); load["n0"] != 12 {
		t.Fatalf("loads are %v", load)
	}
}

func TestHeirs_AddressesOfFewCandidatesAreAssignedFirst(t *testing.T) {
	few, everyone := group(1), group(3)
	list := contests(9, everyone)
	for i := 6; i < 9; i++ {
		list[i].Group = few
	}
	if load := counts(claimedByAll(t, list, alive(3), Claims{})); load["n0"] != 3 || load["n1"] != 3 || load["n2"] != 3 {
		t.Fatalf("loads are %v", load)
	}
}

// TestHeirs_AreTheSameWhateverHasBeenClaimed is why nodes that learn of changes at different times do not claim the same
// address.
func TestHeirs_AreTheSameWhateverHasBeenClaimed(t *testing.T) {
	for seed := range uint64(200) {
		random := rand.New(rand.NewPCG(seed, 2))
		nodes, addresses := 2+random.IntN(8), 1+random.IntN(60)
		list := contests(addresses, group(nodes))
		standing := Claims{}
		for i := range addresses {
			if random.IntN(2) == 0 {
				standing.Learn(Claim{Addr: addr(i), Node: nodeName(random.IntN(nodes)), Incarnation: 1, Term: 1, Announced: true})
			}
		}
		all := claimedByAll(t, list, alive(nodes), standing)
		for i := range addresses { // in order, so that the result depends on the seed alone
			if claim, ok := all[addr(i)]; ok && random.IntN(2) == 0 {
				standing.Learn(claim)
			}
		}
		for a, claim := range claimedByAll(t, list, alive(nodes), standing) {
			if all[a] != claim {
				t.Fatalf("seed %d: heir to %s is %s, and %s when some have been claimed", seed, a, all[a].Node, claim.Node)
			}
		}
	}
}

func TestHeirs_OneMoreAddressChangesFewOtherHeirs(t *testing.T) {
	moved := 0
	for n := 20; n < 120; n++ {
		before, after := claimedByAll(t, contests(n, group(5)), alive(5), Claims{}), claimedByAll(t, contests(n+1, group(5)), alive(5), Claims{})
		for a, claim := range before {
			if after[a] != claim {
				moved++
			}
		}
	}
	if moved > 300 {
		t.Fatalf("%.1f heirs change on average", float64(moved)/100)
	}
}

func TestElector_BearsInvalidInput(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 3))
	names := []string{"", "n0", "n1", "n2", "x"}
	some := func() string { return names[random.IntN(len(names))] }
	for range 300 {
		s := newFixture(t, random.IntN(3), nil, map[string]uint64{}, Claims{})
		for range random.IntN(4) {
			s.Live[some()] = uint64(random.IntN(2))
		}
		for step := range 5 {
			s.contests = nil
			for i := range 6 {
				var candidates []Candidate
				for range random.IntN(4) {
					candidates = append(candidates, NewCandidate(some(), random.IntN(3)-1))
				}
				s.contests = append(s.contests, Contest{Addr: addr(i), Group: NewGroup(candidates), HasInterface: random.IntN(2) == 0})
				s.Claims[addr(random.IntN(8))] = Claim{Addr: addr(random.IntN(8)), Node: some(), Incarnation: uint64(random.IntN(2)), Term: random.Uint64(), Announced: true}
			}
			s.at(sec * 30 * (1 << step))
			for _, claim := range s.last.Claims {
				if claim.Node != s.elector.node && !claim.free() {
					t.Fatalf("%s claims %v", s.elector.node, claim)
				}
			}
		}
	}
}
