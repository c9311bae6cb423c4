package election

import (
	"maps"
	"math/rand/v2"
	"runtime"
	"testing"
	"time"
)

func TestRanks_OfNodesThatAreNotNamedAreThoseOfTheRest(t *testing.T) {
	ranks := NewRanks([]Rank{{"n2", 5}, {"n0", 3}}, NewRanks([]Rank{{"n0", 1}, {"n1", 1}}, nil))
	for node, want := range map[string]uint8{"n0": 3, "n1": 1, "n2": 5, "n3": 0} {
		if got := ranks.Of(node); got != want {
			t.Errorf("%s has rank %d, want %d", node, got, want)
		}
	}
}

func TestRanks_TheHighestInheritsAtEqualLoad(t *testing.T) {
	for best := range 3 {
		list := contests(1, group(3))
		list[0].Ranks = NewRanks([]Rank{{nodeName(best), 5}, {nodeName((best + 1) % 3), 2}, {nodeName((best + 2) % 3), 1}}, nil)
		if got := claimedByAll(t, list, alive(3), Claims{}); got[addr(0)].Node != nodeName(best) {
			t.Errorf("it goes to %s and not to n%d", got[addr(0)].Node, best)
		}
	}
}

func TestRanks_CountAfterWeightAndLoad(t *testing.T) {
	list := contests(4, group(3))
	list[3].Ranks = NewRanks([]Rank{{"n0", 5}}, nil)
	if got := claimedByAll(t, list, alive(3), held(2, 1, 0)); got[addr(3)].Node != "n2" {
		t.Errorf("it goes to %s though n2 holds less", got[addr(3)].Node)
	}
	list[3].Group = weighted(map[string]int{"n0": 0, "n1": 1, "n2": 0})
	if got := claimedByAll(t, list, alive(3), held(2, 1, 0)); got[addr(3)].Node != "n1" {
		t.Errorf("it goes to %s though n1 has a higher weight", got[addr(3)].Node)
	}
}

// TestRanks_GiveManyAddressesTheirPlaceAtOnce: the addresses of a node that has died, each with an endpoint on another one.
func TestRanks_GiveManyAddressesTheirPlaceAtOnce(t *testing.T) {
	list := contests(30, group(4))
	for i := range list {
		list[i].Ranks = NewRanks([]Rank{{nodeName(1 + i%3), 1}}, nil)
	}
	for a, claim := range claimedByAll(t, list, alive(4), held(0)) {
		near := nodeName(1 + number(a)%3)
		if claim.Node != near && claim.Node != "n0" {
			t.Errorf("%s goes to %s, and its endpoint is on %s", a, claim.Node, near)
		}
	}
}

func TestRanks_MoveNothing(t *testing.T) {
	list := contests(4, group(2))
	claims := held(2, 2)
	for node := range 2 {
		s := newFixture(t, node, list, alive(2), claims).at(0)
		for i := range s.contests {
			s.contests[i].Ranks = NewRanks([]Rank{{nodeName(1), 200}}, nil)
		}
		s.at(time.Hour).wantClaims(0).at(2 * time.Hour).wantClaims(0).wantWait(0)
	}
}

func TestRanks_ChooseWhatMovesToEvenOut(t *testing.T) {
	list := contests(6, group(2))
	for i := range list {
		list[i].Ranks = NewRanks([]Rank{{nodeName(i % 2), 1}}, nil)
	}
	s := newFixture(t, 1, list, alive(2), held(6))
	s.at(0).at(60*sec).at(61*sec).at(62*sec).want(1, 3, 5)
}

func TestRanks_AnAddressThatMovesGoesToTheHighest(t *testing.T) {
	for best := 1; best < 3; best++ {
		list := contests(2, group(3))
		for i := range list {
			list[i].Ranks = NewRanks([]Rank{{nodeName(best), 5}, {nodeName(3 - best), 2}}, nil)
		}
		for node := range 3 {
			want := 0
			if node == best {
				want = 1
			}
			newFixture(t, node, list, alive(3), held(2)).at(0).at(time.Minute).wantClaims(want)
		}
	}
}

func TestRanks_AddressesWithoutThemLeaveTheOthersTheirPlace(t *testing.T) {
	for best := range 3 {
		list := contests(2, group(3))
		list[1].Group, list[1].Ranks = group(3), NewRanks([]Rank{{nodeName(best), 1}}, nil)
		if got := claimedByAll(t, list, alive(3), Claims{}); got[addr(1)].Node != nodeName(best) {
			t.Errorf("it goes to %s and not to n%d", got[addr(1)].Node, best)
		}
	}
}

// TestRanks_HeirsAreTheSameWhateverHasBeenClaimed is TestHeirs_AreTheSameWhateverHasBeenClaimed with ranks.
func TestRanks_HeirsAreTheSameWhateverHasBeenClaimed(t *testing.T) {
	for seed := range uint64(500) {
		random := rand.New(rand.NewPCG(seed, 5))
		nodes, addresses := 2+random.IntN(8), 1+random.IntN(60)
		list := contests(addresses, group(nodes))
		ranked(random, list, nodes)
		standing := someHeld(random, nodes, addresses)
		all := claimedByAll(t, list, alive(nodes), standing)
		for _, known := range []Claims{someClaims(random, all, addresses), firstClaims(random, all, nodes, addresses)} {
			before := maps.Clone(standing)
			maps.Copy(before, known)
			for a, claim := range claimedByAll(t, list, alive(nodes), before) {
				if all[a] != claim {
					t.Fatalf("seed %d: heir to %s is %s, and %s when %d have been claimed", seed, a, all[a].Node, claim.Node, len(known))
				}
			}
		}
		loads := counts(standing, all)
		unranked := contests(addresses, list[0].Group)
		for node, load := range counts(standing, claimedByAll(t, unranked, alive(nodes), standing)) {
			if diff := load - loads[node]; diff > 1 || diff < -1 {
				t.Fatalf("seed %d: %s has %d addresses with ranks, %d without", seed, node, loads[node], load)
			}
		}
	}
}

// someHeld returns claims to about half of the addresses.
func someHeld(random *rand.Rand, nodes, addresses int) Claims {
	held := Claims{}
	for i := range addresses {
		if random.IntN(2) == 0 {
			held.Learn(Claim{Addr: addr(i), Node: nodeName(random.IntN(nodes)), Incarnation: 1, Term: 1, Announced: true})
		}
	}
	return held
}

// someClaims of all, each as likely as not.
func someClaims(random *rand.Rand, all Claims, addresses int) Claims {
	some := Claims{}
	for i := range addresses { // in order, so that the result depends on the seed alone
		if claim, ok := all[addr(i)]; ok && random.IntN(2) == 0 {
			some.Learn(claim)
		}
	}
	return some
}

// firstClaims are the first of one node, in order of address: the datagrams that have arrived.
func firstClaims(random *rand.Rand, all Claims, nodes, addresses int) Claims {
	first, node, last := Claims{}, nodeName(random.IntN(nodes)), random.IntN(addresses)
	for i := range last {
		if claim, ok := all[addr(i)]; ok && claim.Node == node {
			first.Learn(claim)
		}
	}
	return first
}

// TestRanks_OfManyAddressesTakeLittleMemory: a byte of each node for each Ranks, and no list of candidates.
func TestRanks_OfManyAddressesTakeLittleMemory(t *testing.T) {
	const nodes, addresses = 200, 2000
	list := contests(addresses, group(nodes))
	for i := range list {
		list[i].Ranks = NewRanks([]Rank{{nodeName(i % nodes), 1}}, nil)
	}
	e, live := NewElector("n0", 1, time.Minute), alive(nodes)
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	e.Decide(list, Input{Live: live, Claims: Claims{}})
	runtime.ReadMemStats(&after)
	if took := after.TotalAlloc - before.TotalAlloc; took > 10*nodes*addresses {
		t.Errorf("the first decision allocates %d bytes", took)
	}
}

func TestGain_OfRankAloneIsNotWorthAMove(t *testing.T) {
	for g, want := range map[gain]bool{
		{rank: 9}: false, {load: 1, rank: 9}: false, {load: 2}: true, {load: 2, rank: -9}: true, {weight: 1, rank: -9}: true, {weight: -1, load: 9}: false,
	} {
		if got := g.worthwhile(); got != want {
			t.Errorf("%+v is worth a move: %t", g, got)
		}
	}
}
