package shares

import (
	"math/rand/v2"
	"net/netip"
	"slices"
	"strings"
	"testing"
)

// Whatever servers come and go: the table is balanced within one share, nobody else's, and moves no more than it must.
func TestDivide_IsBalancedAndMovesOnlyWhatItMust(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 1))
	for range 300 {
		before := Table{}
		for range 20 {
			var servers []string
			for _, name := range names(MaxServers) {
				if random.IntN(3) > 0 {
					servers = append(servers, name)
				}
			}
			random.Shuffle(len(servers), func(i, j int) { servers[i], servers[j] = servers[j], servers[i] })
			after := Divide(before, servers)
			slices.Sort(servers)
			if !slices.Equal(after.Servers(), servers) || !after.Balanced() {
				t.Fatalf("%s for %v", after, servers)
			}
			if moved, must := before.Moved(after).Len(), mustMove(before, servers); len(servers) > 0 && moved != must {
				t.Fatalf("from %s to %s %d shares have moved, not %d", before, after, moved, must)
			}
			if Divide(after, servers) != after {
				t.Fatalf("%s is divided anew", after)
			}
			before = after
		}
	}
}

// mustMove is how many shares must move: those that nobody serves any more, and what anybody has above the least that it
// may be left with.
func mustMove(before Table, servers []string) (must int) {
	var counts []int
	must = Count
	for _, server := range servers {
		counts = append(counts, before.Of(server).Len())
		must -= before.Of(server).Len()
	}
	slices.Sort(counts)
	for i, count := range counts {
		quota := Count / len(servers)
		if i >= len(servers)-Count%len(servers) {
			quota++
		}
		must += max(0, count-quota)
	}
	return must
}

func TestDivide_OneShareLessOrMore(t *testing.T) {
	three := Divide(Table{}, names(3))
	crashed := Divide(three, []string{"n0", "n2"})
	if moved := three.Moved(crashed); moved != three.Of("n1") || crashed.Of("n0").Len() != 30 {
		t.Errorf("a crash moves %d shares, and leaves %s", moved.Len(), crashed)
	}
	four := Divide(three, names(4))
	if moved := three.Moved(four); moved != four.Of("n3") || moved.Len() != 15 || four.Of("n0").Len() != 15 {
		t.Errorf("a join moves %d shares, and leaves %s", moved.Len(), four)
	}
}

// 300 clients with addresses in a row, and few of them, are spread evenly also when nodes have come and gone.
func TestDivide_SpreadsClientsInARow(t *testing.T) {
	table := Divide(Table{}, names(3))
	check := func(clients, slack int) {
		t.Helper()
		counts := map[string]int{}
		for addr, i := netip.MustParseAddr("192.0.2.10"), 0; i < clients; i++ {
			counts[table.Server(addr)]++
			addr = addr.Next()
		}
		for server, count := range counts {
			if want := clients / len(table.Servers()); count < want-slack || count > want+slack {
				t.Errorf("of %d clients %s serves %d, not %d: %v", clients, server, count, want, counts)
			}
		}
	}
	check(300, 0)
	check(9, 0)
	table = Divide(table, names(4))
	check(300, 0)
	check(20, 2)
	table = Divide(table, names(2))
	check(300, 0)
	check(20, 4)
}

// Hosts of a subnet of 254 whose addresses are some steps apart, all even ones for example: none of two to four servers has many more than
// its part of them. If a table gave the shares to the servers in turn, one of two servers would have all even ones.
func TestDivide_SpreadsClientsInSteps(t *testing.T) {
	check := func(table Table, most float64) {
		t.Helper()
		servers := table.Servers()
		for step := 1; step <= 6; step++ {
			for first := range step {
				counts, clients := map[string]int{}, 0
				for addr := first; addr < 254; addr += step {
					counts[table.ServerOf(addr%Count)]++
					clients++
				}
				for _, server := range servers {
					if want := float64(clients) / float64(len(servers)); float64(counts[server]) > (1+most)*want {
						t.Errorf("every %d. of the clients from the %d. on: %v, of %s", step, first, counts, table)
					}
				}
			}
		}
	}
	for servers := 2; servers <= 4; servers++ {
		check(Divide(Table{}, names(servers)), 0.45)
	}
	random := rand.New(rand.NewPCG(2, 2))
	table := Divide(Table{}, names(3))
	for range 50 {
		after := slices.DeleteFunc(names(4), func(string) bool { return random.IntN(3) == 0 })
		if table = Divide(table, after); len(after) > 1 {
			check(table, 1)
		}
	}
}

// A server that cannot be told of the table goes on by the one before, whatever that gives it; the others have the rest in equal parts.
func TestDivideAmong_WhoCannotBeToldKeepsItsShares(t *testing.T) {
	random := rand.New(rand.NewPCG(3, 3))
	for range 300 {
		before := Divide(Divide(Table{}, names(1+random.IntN(MaxServers))), names(2+random.IntN(MaxServers-1)))
		var servers []string
		for _, name := range before.Servers() {
			if random.IntN(3) > 0 {
				servers = append(servers, name)
			}
		}
		untold := servers[:max(0, min(len(servers)-1, 1+random.IntN(3)))]
		after := DivideAmong(before, servers, untold)
		var least, most int
		for i, name := range servers[len(untold):] {
			count := after.Of(name).Len()
			if least, most = min(least, count), max(most, count); i == 0 {
				least, most = count, count
			}
		}
		if most-least > 1 || !slices.Equal(after.Servers(), servers) {
			t.Fatalf("%s for %v of %s", after, servers, before)
		}
		for _, name := range untold {
			if after.Of(name) != before.Of(name) {
				t.Fatalf("of %s the table %s is made, though %s cannot be told", before, after, name)
			}
		}
	}
	two := Divide(Table{}, names(2))
	if got := DivideAmong(two, []string{"n1"}, []string{"n1"}); got.Of("n1") != All {
		t.Errorf("where nobody else is left %s", got)
	}
}

func TestChoose_KeepsServersAndThenTheFirst(t *testing.T) {
	before := Divide(Table{}, []string{"z", "y"})
	nodes := append(names(MaxServers), "y", "n3")
	if got, want := Choose(before, nodes), append(names(MaxServers-1), "y"); !slices.Equal(got, want) {
		t.Errorf("%v, not %v", got, want)
	}
	long := []string{"n0", strings.Repeat("a", maxNames), "", "n1"}
	if got := Choose(Table{}, long); !slices.Equal(got, []string{"n0", "n1"}) {
		t.Errorf("%v", got)
	}
	if Divide(before, nil).Shared() {
		t.Error("without a server it is shared")
	}
}

func BenchmarkServer(b *testing.B) {
	table, client := Divide(Table{}, names(MaxServers)), netip.MustParseAddr("192.0.2.7")
	for b.Loop() {
		_ = table.Server(client)
	}
}
