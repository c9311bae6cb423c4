package election

import (
	"fmt"
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/daymark-lb/daymark/internal/core/shares"
)

// dealOut claims the same number of addresses for every node.
func dealOut(contests []Contest, nodes int) Claims {
	claims := Claims{}
	for i, contest := range contests {
		claims.Learn(Claim{Addr: contest.Addr, Node: nodeName(i % nodes), Incarnation: 1, Term: 1, Announced: true})
	}
	return claims
}

// sharedOut returns contests of shared addresses, with claims of all nodes that have a table.
func sharedOut(addresses, nodes int) ([]Contest, Claims) {
	list, table := contests(addresses, group(nodes)), shares.Divide(shares.Table{}, slices.Sorted(maps.Keys(alive(nodes))))
	claims := dealOut(list, nodes)
	for i := range list {
		list[i].Shared = true
		claim := claims[list[i].Addr]
		claim.Shares, claim.Revision = table, 1
		claims[list[i].Addr] = claim
	}
	return list, claims
}

// BenchmarkElector_Decide makes one decision about 10,000 addresses in a cluster of 100 nodes.
func BenchmarkElector_Decide(b *testing.B) {
	const nodes, addresses = 100, 10_000
	shared := contests(addresses, group(nodes))
	own := contests(addresses, nil)
	for i := range own {
		own[i].Group = weighted(map[string]int{nodeName(i % nodes): 0, nodeName((i + 1) % nodes): 0, nodeName((i + 7) % nodes): 0})
	}
	byMany, tables := sharedOut(addresses, 3)
	for _, bench := range []struct {
		name     string
		contests []Contest
		before   map[string]uint64
		claims   Claims
		after    map[string]uint64
	}{
		{"nothing to do", shared, alive(nodes), dealOut(shared, nodes), alive(nodes)},
		{"nothing to do, each address with a group of its own", own, alive(nodes), dealOut(own, nodes), alive(nodes)},
		{"a node has died", shared, alive(nodes), dealOut(shared, nodes), alive(nodes - 1)},
		{"a node has died, each address with a group of its own", own, alive(nodes), dealOut(own, nodes), alive(nodes - 1)},
		{"nothing to do, all addresses are shared by 3 nodes", byMany, alive(3), tables, alive(3)},
		{"a node of 3 has died, all addresses are shared", byMany, alive(3), tables, alive(2)},
		{"no address has a holder", shared, alive(nodes), Claims{}, alive(nodes)},
	} {
		b.Run(bench.name, func(b *testing.B) {
			e := NewElector(nodeName(1), 1, time.Minute)
			now := epoch
			b.ReportAllocs()
			for range b.N {
				b.StopTimer()
				now = now.Add(time.Second)
				e.Decide(bench.contests, Input{Now: now, Live: bench.before, Claims: bench.claims})
				b.StartTimer()
				e.Decide(bench.contests, Input{Now: now, Live: bench.after, Claims: bench.claims})
			}
		})
	}
}

// BenchmarkElector_Shared makes one decision about 10,000 shared addresses whose servers have all answered.
func BenchmarkElector_Shared(b *testing.B) {
	list, claims := sharedOut(10_000, 3)
	e, in := NewElector(nodeName(1), 1, time.Minute), Input{Now: epoch, Live: alive(3), Claims: claims}
	for d := e.Decide(list, in); len(d.Ask) > 0; d = e.Decide(list, in) {
		in.Answers = map[Question]Answer{}
		for _, q := range d.Ask {
			in.Answers[q] = Answered
		}
	}
	b.ReportAllocs()
	for b.Loop() {
		e.Decide(list, in)
	}
}

// BenchmarkElector_EvenOut makes the decision of a node that has returned and takes over its share of 10,000 addresses.
func BenchmarkElector_EvenOut(b *testing.B) {
	for _, nodes := range []int{3, 100, 1000} {
		b.Run(fmt.Sprintf("%d nodes", nodes), func(b *testing.B) {
			list := contests(10_000, group(nodes))
			claims := dealOut(list, nodes-1)
			now := epoch
			for range b.N {
				b.StopTimer()
				e := NewElector(nodeName(nodes-1), 1, time.Minute)
				e.Decide(list, Input{Now: now, Live: alive(nodes), Claims: claims})
				b.StartTimer()
				if d := e.Decide(list, Input{Now: now.Add(time.Minute), Live: alive(nodes), Claims: claims}); len(d.Claims) == 0 {
					b.Fatal("took nothing over")
				}
			}
		})
	}
}

// ranksOfPods are ranks as those of a Service with three endpoints, of which few are equal to others.
func ranksOfPods(i, nodes int) *Ranks {
	ranks := map[string]uint8{}
	for pod := range 3 {
		ranks[nodeName((i*(7+pod*pod)+pod*i/nodes)%nodes)]++
	}
	var all []Rank
	for node, rank := range ranks {
		all = append(all, Rank{node, rank})
	}
	return NewRanks(all, nil)
}

// BenchmarkRanks_EvenOut makes the decision of a node that has returned to 99 others, when each of 10,000 addresses has Ranks of its own.
func BenchmarkRanks_EvenOut(b *testing.B) {
	const nodes = 100
	list := contests(10_000, group(nodes))
	for i := range list {
		list[i].Ranks = ranksOfPods(i, nodes)
	}
	claims := dealOut(list, nodes-1)
	for range b.N {
		b.StopTimer()
		e := NewElector(nodeName(nodes-1), 1, time.Minute)
		e.Decide(list, Input{Now: epoch, Live: alive(nodes), Claims: claims})
		b.StartTimer()
		if d := e.Decide(list, Input{Now: epoch.Add(time.Minute), Live: alive(nodes), Claims: claims}); len(d.Claims) == 0 {
			b.Fatal("took nothing over")
		}
	}
}

// BenchmarkRanks_ColdStart makes the first decision of a cluster of 500 nodes about 5,000 addresses.
func BenchmarkRanks_ColdStart(b *testing.B) {
	const nodes = 500
	var order, near []Rank
	for i := range nodes {
		near = append(near, Rank{nodeName(i), uint8(max(0, 1-i%3))})
		order = append(order, Rank{nodeName(i), uint8(i / 2)})
	}
	same, zone := NewRanks(order, nil), NewRanks(near, nil)
	for name, ranks := range map[string]func(i int) *Ranks{
		"none": func(int) *Ranks { return nil }, "all the same": func(int) *Ranks { return same },
		"each its own": func(i int) *Ranks { return ranksOfPods(i, nodes) }, "near one of 3 zones": func(int) *Ranks { return zone },
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			list := contests(5_000, group(nodes))
			for i := range list {
				list[i].Ranks = ranks(i)
			}
			for range b.N {
				NewElector(nodeName(1), 1, time.Minute).Decide(list, Input{Now: epoch, Live: alive(nodes), Claims: Claims{}})
			}
		})
	}
}
