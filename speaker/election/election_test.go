package election

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"testing"

	"pgregory.net/rapid"
)

func nodes(count int) []Candidate {
	candidates := make([]Candidate, count)
	for i := range candidates {
		candidates[i] = NewCandidate(fmt.Sprintf("n%d", i), 0)
	}
	return candidates
}

func addr(i int) netip.Addr { return netip.AddrFrom4([4]byte{198, 19, byte(i >> 8), byte(i)}) }

func TestNobodyHoldsAnAddressWithoutCandidates(t *testing.T) {
	if got, ok := Holder(addr(1), nil); ok {
		t.Fatalf("holder of an address without candidates: %v", got)
	}
}

func TestTheHighestWeightHoldsWhateverTheHash(t *testing.T) {
	candidates := nodes(5)
	candidates[3].Weight = 10
	for i := range 200 {
		if got, _ := Holder(addr(i), candidates); got.Node != "n3" {
			t.Fatalf("holder of %s is %s, not the preferred n3", addr(i), got.Node)
		}
	}
}

func TestEveryNodeChoosesAlikeWhateverTheOrderOfCandidates(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		candidates := nodes(rapid.IntRange(1, 20).Draw(t, "nodes"))
		for i := range candidates {
			candidates[i].Weight = rapid.IntRange(0, 2).Draw(t, "weight")
		}
		address := addr(rapid.IntRange(0, 65535).Draw(t, "address"))
		want, _ := Holder(address, candidates)
		shuffled := append([]Candidate(nil), candidates...)
		rand.Shuffle(len(shuffled), func(i, j int) { shuffled[i], shuffled[j] = shuffled[j], shuffled[i] })
		if got, _ := Holder(address, shuffled); got != want {
			t.Fatalf("holder of %s is %s in one order and %s in another", address, want.Node, got.Node)
		}
	})
}

func TestANodeThatLeavesMovesOnlyItsOwnAddresses(t *testing.T) {
	before, after := nodes(8), nodes(7)
	for i := range 5000 {
		was, _ := Holder(addr(i), before)
		is, _ := Holder(addr(i), after)
		if was.Node != "n7" && was != is {
			t.Fatalf("%s moved from %s to %s although n7 left", addr(i), was.Node, is.Node)
		}
	}
}

func TestAddressesSpreadOverNodes(t *testing.T) {
	counts := map[string]int{}
	for i := range 10000 {
		holder, _ := Holder(addr(i), nodes(10))
		counts[holder.Node]++
	}
	for node, count := range counts {
		if count < 850 || count > 1150 {
			t.Errorf("%s holds %d of 10000 addresses, far from a tenth", node, count)
		}
	}
}

func BenchmarkHolder100Nodes(b *testing.B) {
	candidates := nodes(100)
	for i := range b.N {
		Holder(addr(i), candidates)
	}
}
