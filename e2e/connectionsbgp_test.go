package e2e_test

import (
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"github.com/daymark-lb/daymark/e2e/lab"
)

// Promise: open TCP connections survive that routers spread them anew over the nodes that announce an address by BGP.

// fewByCrash is how many more than those of a node that crashes may break: a packet may come to a node before it knows of the crash.
const fewByCrash = openConnections / 20

// spread is a dual-stack Service that all nodes announce to the router, with one pod, which is on n1.
type spread struct {
	*lab.Cluster
	t         testing.TB
	pod       *lab.Pod
	addresses []netip.Addr
	open      *lab.Connections
}

func newSpread(t *testing.T, proxy lab.ProxyKind) *spread {
	t.Helper()
	lab.Need(t, proxy)
	lab.Need(t, lab.FRR)
	return spreadOver(t, daymark(t, lab.WithProxy(proxy)))
}

// spreadOver has the Service in a cluster without others.
func spreadOver(t testing.TB, cluster *lab.Cluster) *spread {
	t.Helper()
	s := &spread{Cluster: cluster, t: t}
	s.Router().Configure(lab.FRR, lab.RouterSettings{V6: true})
	awaitMembers(t, s.Cluster)
	s.pod = s.Pod("open", "n1")
	s.Apply(peer("open", "addressFamilies: [IPv4, IPv6]"))
	s.Apply(strings.Replace(routedPool("open", "198.19.77.0/24"), `"198.19.77.0/24"`, `198.19.77.0/24, "2001:db8:77::/120"`, 1))
	s.Apply(service("open", "open", "ipFamilyPolicy: RequireDualStack"))
	v4, v6 := dualAddresses(t, s.Service("open"))
	s.addresses = []netip.Addr{v4, v6}
	s.await(s.NodeNames()...)
	for _, address := range s.addresses {
		awaitThroughAll(t, s.Cluster, address)
	}
	return s
}

// connect opens connections, half of them to the IPv6 address.
func (s *spread) connect(connections int) {
	s.open = s.FarClient().OpenConnections(connections, s.addresses...)
}

// await waits until the router forwards to just these nodes.
func (s *spread) await(nodes ...string) {
	s.t.Helper()
	for _, address := range s.addresses {
		awaitNextHops(s.t, s.Cluster, address.String(), nodes...)
	}
}

// mustBeWhole waits until all connections have been answered since now, and fails if one broke.
func (s *spread) mustBeWhole(after string) {
	s.t.Helper()
	now := time.Now()
	lab.Eventually(s.t, waitTimeout, "all connections are answered or broken", func() error { return s.open.AnsweredSince(now) })
	if broken := s.open.Broken(); len(broken) > 0 {
		s.t.Fatalf("%s, and %d of %d connections are broken: %v", after, len(broken), openConnections, broken)
	}
}

func (s *spread) without(node string) []string {
	return slices.DeleteFunc(s.NodeNames(), func(n string) bool { return n == node })
}

func TestConnections_SurviveThatRoutersSpreadThemAnew(t *testing.T) {
	for _, proxy := range []lab.ProxyKind{lab.KubeProxy, lab.IPTablesProxy} {
		t.Run(string(proxy), func(t *testing.T) {
			s := newSpread(t, proxy)
			s.connect(openConnections)
			for _, node := range s.NodeNames() {
				s.Node(node).Annotate("daymark.io/drain", "true")
				s.await(s.without(node)...)
				s.mustBeWhole(node + " is drained")
				s.Node(node).RemoveAnnotation("daymark.io/drain")
				s.await(s.NodeNames()...)
				s.mustBeWhole(node + " is back")
			}
		})
	}
}

// One of two nodes with a pod under Local is left by the router when that pod ends, and its connections come by the other one.
func TestConnections_SurviveThatOneOfTwoPodsDrainsUnderLocal(t *testing.T) {
	s := newSpread(t, lab.KubeProxy)
	s.PodWith("second", "n2", map[string]string{"app": "open"})
	s.Apply(service("open", "open", "ipFamilyPolicy: RequireDualStack", "externalTrafficPolicy: Local"))
	s.await("n1", "n2")
	s.connect(openConnections)
	for _, node := range []string{"n1", "n2"} {
		if n := entriesOf(t, s.Node(node), s.addresses[0]); n < openConnections/10 {
			t.Fatalf("%s has %d connections of IPv4", node, n)
		}
	}
	s.pod.Terminate()
	s.await("n2")
	s.mustBeWhole("the pod on n1 ends slowly")
}

// Nothing has been passed on for long when a node is drained.
func TestConnections_SurviveADrainAfterQuiet(t *testing.T) {
	s := newSpread(t, lab.KubeProxy)
	s.connect(openConnections)
	s.quiet()
	s.Node("n1").Annotate("daymark.io/drain", "true")
	s.await(s.without("n1")...)
	s.mustBeWhole("n1 is drained")
}

// quiet waits until nothing is passed on, with little time after a change.
func (s *spread) quiet() {
	s.t.Helper()
	s.Kubectl("patch", "bgpadvertisement", "open", "--type=merge", "--patch", drainingFor("5s"))
	s.quietNow()
}

// quietNow waits until none of the nodes that the router forwards to passes anything on. One that it left leads on for half a minute.
func (s *spread) quietNow() {
	s.t.Helper()
	lab.Eventually(s.t, waitTimeout, "nothing is passed on", func() error {
		nodes := s.Nodes()
		if hops := s.Router().NextHopNodes(s.addresses[0].String()); len(hops) > 0 {
			nodes = slices.DeleteFunc(nodes, func(n lab.Node) bool { return !slices.Contains(hops, n.Name) })
		}
		return noTables(s.t, nodes...)
	})
}

// A pod more or less on a node that has others changes its weight, and the router moves connections of all nodes.
func TestConnections_SurviveThatWeightsChange(t *testing.T) {
	s := newSpread(t, lab.KubeProxy)
	counts := map[string]int{"n1": 1, "n2": 1, "n3": 4}
	pods := podsOn(s.Cluster, "open", map[string]int{"n2": 1, "n3": 4})
	s.Apply(service("open", "open", "ipFamilyPolicy: RequireDualStack", "externalTrafficPolicy: Local"))
	s.Kubectl("patch", "bgpadvertisement", "open", "--type=merge", "--patch", `{"spec":{"weightBy":"Endpoints"}}`)
	await := func() {
		for _, address := range s.addresses {
			awaitShares(t, s.Cluster, address, counts)
		}
	}
	await()
	s.connect(openConnections)
	s.quiet()
	for _, ready := range []bool{false, true} {
		for _, pod := range pods["n3"][:2] {
			pod.SetReady(ready)
		}
		counts["n3"] = map[bool]int{false: 2, true: 4}[ready]
		await()
		s.mustBeWhole("n3 is weighed anew")
	}
	s.quietNow()
	pods["n2"][0].SetReady(false)
	delete(counts, "n2")
	await() // The router hears of this 0.05 s later.
	s.mustBeWhole("n2 has no pod that is ready")
}

// A node that crashes takes its own connections with it, and no others, though the router spreads all anew.
func TestConnections_OfOtherNodesSurviveACrash(t *testing.T) {
	lab.Need(t, lab.KubeProxy)
	lab.Need(t, lab.FRR)
	cluster := daymark(t, lab.WithProxy(lab.KubeProxy))
	awaitMembers(t, cluster)
	address := underBFD(t, cluster, lab.FRR, bfdInterval, "crash", "198.19.78.0/24")
	open := cluster.FarClient().OpenConnections(openConnections, address)
	lost := entriesOf(t, cluster.Node("n3"), address)
	cluster.Node("n3").Crash()
	awaitNextHops(t, cluster, address.String(), "n1", "n2")
	crashed := time.Now()
	lab.Eventually(t, waitTimeout, "all connections are answered or broken", func() error { return open.AnsweredSince(crashed) })
	broken := open.Stop()
	t.Logf("%d of %d connections broke, and n3 had entries of %d", len(broken), openConnections, lost)
	if len(broken) > lost+fewByCrash || len(broken) == 0 {
		t.Errorf("%d of %d connections broke, and n3 had %d, the last: %v", len(broken), openConnections, lost, broken[max(0, len(broken)-1):])
	}
}

// A node that was drained and is switched off while it has connections takes those with it. The others, of which some are passed on from
// node to node, are passed on round it.
func TestConnections_OfOtherNodesSurviveThatADrainedOneIsSwitchedOff(t *testing.T) {
	lab.Need(t, lab.KubeProxy)
	cluster := daymark(t, lab.WithProxy(lab.KubeProxy))
	awaitMembers(t, cluster)
	address := routed(t, cluster, "dark", peer("dark"), "198.19.79.0/24")
	open := cluster.FarClient().OpenConnections(openConnections, address)
	n2 := cluster.Node("n2")
	n2.Annotate("daymark.io/drain", "true")
	t.Cleanup(func() { n2.RemoveAnnotation("daymark.io/drain") })
	awaitNextHops(t, cluster, address.String(), "n1", "n3")
	answered := func() {
		t.Helper()
		now := time.Now()
		lab.Eventually(t, waitTimeout, "all connections are answered or broken", func() error { return open.AnsweredSince(now) })
	}
	answered()
	if broken := open.Broken(); len(broken) > 0 {
		t.Fatalf("n2 is drained, and %d of %d connections are broken, the first: %v", len(broken), openConnections, broken[0])
	}
	lost := entriesOf(t, n2, address)
	n2.Speaker().Stop()
	n2.Crash()
	off := time.Now()
	answered()
	took, broken := time.Since(off), open.Stop()
	t.Logf("%d of %d connections broke, and n2 had entries of %d; %s after it was off all others were answered", len(broken), openConnections, lost, ms(took))
	if len(broken) > lost || len(broken) == 0 {
		t.Errorf("%d of %d connections broke, and n2 had %d, the last: %v", len(broken), openConnections, lost, broken[max(0, len(broken)-1):])
	}
}

// entriesOf is how many established connections to an address a node knows.
func entriesOf(t *testing.T, node lab.Node, address netip.Addr) (count int) {
	t.Helper()
	entries, err := node.Netlink().ConntrackTableList(netlink.ConntrackTable, unix.AF_INET)
	if err != nil {
		t.Fatal(err)
	}
	for _, entry := range entries {
		const established = 3 // in the numbers of conntrack
		if state, tcp := entry.ProtoInfo.(*netlink.ProtoInfoTCP); tcp && state.State == established && entry.Forward.DstIP.String() == address.String() {
			count++
		}
	}
	return count
}
