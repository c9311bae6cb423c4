package e2e_test

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/daymark-lb/daymark/e2e/lab"
	"github.com/daymark-lb/daymark/e2e/lab/probe"
)

// sharedPool is a pool of addresses that several nodes answer for, each some of the clients.
func sharedPool(name string) string {
	all := segmentPool(name, `192.0.2.210-192.0.2.219", "2001:db8::5:0-2001:db8::5:f`)
	return strings.Replace(all, "spec: {ipAddressPools: ["+name+"]}", "spec: {ipAddressPools: ["+name+"], sharing: PerClient}", 1)
}

// sharedAddresses are those of a Service that is shared, with a pod on n1.
func sharedAddresses(t testing.TB, cluster *lab.Cluster, name string) []netip.Addr {
	t.Helper()
	cluster.Pod(name, "n1")
	cluster.Apply(sharedPool(name))
	cluster.Apply(service(name, name, "ipFamilyPolicy: RequireDualStack"))
	v4, v6 := dualAddresses(t, cluster.Service(name))
	return []netip.Addr{v4, v6}
}

// awaitEvenShares waits until the Speaker objects say that these nodes, and no others, share the addresses evenly.
func awaitEvenShares(t testing.TB, cluster *lab.Cluster, addresses []netip.Addr, nodes ...string) {
	t.Helper()
	lab.Eventually(t, 2*waitTimeout, fmt.Sprintf("%v share the addresses", nodes), func() error {
		for _, address := range addresses {
			for _, node := range nodes {
				if got := sharesOf(cluster, node, address); got != int64(60/len(nodes)) {
					return fmt.Errorf("%s has %d shares of %s", node, got, address)
				}
			}
		}
		return nil
	})
}

// sharesOf is how many shares of an address's clients a node has, as its Speaker object says.
func sharesOf(cluster *lab.Cluster, node string, address netip.Addr) int64 {
	for _, held := range layer2Of(cluster, node, "held") {
		if held["address"] == address.String() {
			count, _ := held["shares"].(int64)
			return count
		}
	}
	return 0
}

// askAll has the whole crowd ask, and waits until each client knows the address of its family.
func askAll(t testing.TB, crowd *lab.Crowd, addresses []netip.Addr) map[string]string {
	t.Helper()
	lab.Eventually(t, waitTimeout, "each client of the crowd knows its address", func() error {
		crowd.Ask(addresses...)
		if known := len(crowd.Entries(addresses...)); known != len(crowd.Members) {
			return fmt.Errorf("%d of %d do", known, len(crowd.Members))
		}
		return nil
	})
	return crowd.Entries(addresses...)
}

// wantDivision checks that each node has an even part of the clients, give or take a tenth of it.
func wantDivision(t testing.TB, entries map[string]string, nodes ...string) {
	t.Helper()
	division := probe.Division(entries)
	t.Logf("%d clients are divided %v", len(entries), division)
	even := float64(len(entries)) / float64(len(nodes))
	for _, node := range nodes {
		if got := float64(division[node]); got < 0.9*even || got > 1.1*even {
			t.Errorf("%s has %v clients, want %v", node, got, even)
		}
	}
	if len(division) != len(nodes) {
		t.Errorf("they are at %v, want %v", division, nodes)
	}
}

// Promise: nodes share an address evenly, a crash touches the clients of the node that crashed and no others, and a node that joins takes
// its part and no more.
func TestShared_ClientsAreDivided(t *testing.T) {
	cluster := daymark(t, lab.Nodes(4))
	cluster.UseSpeakerFlags("--l2-rebalance-after=2s")
	awaitMembers(t, cluster)
	last := cluster.Node("n4").Speaker()
	last.Stop()
	addresses := sharedAddresses(t, cluster, "shared")
	awaitEvenShares(t, cluster, addresses, "n1", "n2", "n3")
	crowd := cluster.Crowd()
	before := askAll(t, crowd, addresses)
	wantDivision(t, before, "n1", "n2", "n3")
	if answer := cluster.Client().MustGet(url(addresses[0])); answer.Pod != "shared" {
		t.Errorf("the client was answered %q", answer)
	}
	awaitCondition(t, cluster.Service("shared"), "daymark.io/Announced", "True")

	last.Start()
	awaitEvenShares(t, cluster, addresses, "n1", "n2", "n3", "n4")
	joined := awaitDivision(t, crowd, addresses, "n1", "n2", "n3", "n4")
	wantOnlyTo(t, before, joined, "n4")

	follower := crowd.Follow(addresses...)
	began := time.Now()
	cluster.Node("n3").Crash()
	after := awaitDivision(t, crowd, addresses, "n1", "n2", "n4")
	wantOnlyFrom(t, joined, after, "n3")
	wantFailOver(t, follower, "n3", probe.Division(joined)["n3"], began)
	cluster.Node("n3").Return()
	awaitEvenShares(t, cluster, addresses, "n1", "n2", "n3", "n4")
}

// sharerOf is the node that all those that share an address name as its holder.
func sharerOf(t testing.TB, cluster *lab.Cluster, address netip.Addr, nodes ...string) (holder string) {
	t.Helper()
	lab.Eventually(t, waitTimeout, fmt.Sprintf("%v name one of them as the holder of %s", nodes, address), func() error {
		named := map[string]string{}
		for _, node := range nodes {
			for _, held := range layer2Of(cluster, node, "held") {
				if held["address"] == address.String() {
					named[node], _ = held["sharedBy"].(string)
				}
			}
		}
		holder = named[nodes[0]]
		for _, node := range nodes {
			if named[node] != holder || !slices.Contains(nodes, holder) {
				return fmt.Errorf("they name %v", named)
			}
		}
		return nil
	})
	return holder
}

// wantFailOver ends a follower, and checks that the clients of a node that crashed, so many, have soon learned who answers them now.
func wantFailOver(t testing.TB, follower *probe.Follower, node string, clients int, began time.Time) {
	t.Helper()
	const limit = time.Second // A tenth of it on a quiet machine.
	var waits []time.Duration
	for _, change := range follower.Stop() {
		if change.From == node {
			waits = append(waits, change.At.Sub(began))
		}
	}
	if len(waits) != clients {
		t.Fatalf("%d of %d clients of %s have moved", len(waits), clients, node)
	}
	slices.Sort(waits)
	at := func(percent int) time.Duration { return waits[(len(waits)-1)*percent/100] }
	t.Logf("%d clients of %s learned who answers them now: p50 %d ms, p99 %d ms, worst %d ms", clients, node,
		at(50).Milliseconds(), at(99).Milliseconds(), at(100).Milliseconds())
	if at(100) > limit {
		t.Errorf("the last of them after %s", at(100))
	}
}

// Promise: a holder that crashes is missed no more than any other node that shares the address: its clients go to the others, theirs
// stay, the others agree on who holds the address now, and when it is back it takes its part from them and no more.
func TestShared_HolderCrashes(t *testing.T) {
	cluster := daymark(t, lab.Nodes(3))
	cluster.UseSpeakerFlags("--l2-rebalance-after=2s")
	awaitMembers(t, cluster)
	addresses := sharedAddresses(t, cluster, "shared")
	awaitEvenShares(t, cluster, addresses, cluster.NodeNames()...)
	crowd := cluster.Crowd()
	before := askAll(t, crowd, addresses)
	wantDivision(t, before, cluster.NodeNames()...)
	holder := sharerOf(t, cluster, addresses[0], cluster.NodeNames()...)
	others := slices.DeleteFunc(slices.Clone(cluster.NodeNames()), func(node string) bool { return node == holder })

	follower := crowd.Follow(addresses...)
	began := time.Now()
	cluster.Node(holder).Crash()
	cluster.Node(holder).Speaker().Kill() // Else it is a node that is cut off, and has claims of its own when it is back.
	after := awaitDivision(t, crowd, addresses, others...)
	wantOnlyFrom(t, before, after, holder)
	wantFailOver(t, follower, holder, probe.Division(before)[holder], began)
	awaitEvenShares(t, cluster, addresses, others...)
	for _, address := range addresses {
		sharerOf(t, cluster, address, others...)
	}

	cluster.Node(holder).Return()
	cluster.Node(holder).Speaker().Start()
	awaitEvenShares(t, cluster, addresses, cluster.NodeNames()...)
	returned := awaitDivision(t, crowd, addresses, cluster.NodeNames()...)
	wantOnlyTo(t, after, returned, holder)
}

// awaitDivision waits until the clients have learned, without asking, that they are divided among these nodes. Those ask that
// the kernel has made forget.
func awaitDivision(t testing.TB, crowd *lab.Crowd, addresses []netip.Addr, nodes ...string) map[string]string {
	t.Helper()
	lab.Eventually(t, waitTimeout, fmt.Sprintf("the clients are divided among %v", nodes), func() error {
		crowd.AskAgain(addresses...)
		division := probe.Division(crowd.Entries(addresses...))
		even := float64(len(crowd.Members)) / float64(len(nodes))
		for _, node := range nodes {
			if got := float64(division[node]); len(division) != len(nodes) || got < 0.9*even || got > 1.1*even {
				return fmt.Errorf("they are at %v", division)
			}
		}
		return nil
	})
	entries := crowd.Entries(addresses...)
	wantDivision(t, entries, nodes...)
	return entries
}

// wantOnlyTo checks that all clients that have moved have moved to one node, and logs how many.
func wantOnlyTo(t testing.TB, before, after map[string]string, node string) {
	t.Helper()
	moved := 0
	for link, host := range after {
		if host != before[link] {
			moved++
			if host != node {
				t.Errorf("client %s moved from %s to %s", link, before[link], host)
			}
		}
	}
	t.Logf("%d of %d clients moved to %s", moved, len(after), node)
}

// wantOnlyFrom checks that only clients of one node have moved.
func wantOnlyFrom(t testing.TB, before, after map[string]string, node string) {
	t.Helper()
	moved := 0
	for link, host := range after {
		if host != before[link] {
			moved++
			if before[link] != node {
				t.Errorf("client %s moved from %s to %s", link, before[link], host)
			}
		}
	}
	t.Logf("%d of %d clients moved from %s", moved, len(after), node)
}
