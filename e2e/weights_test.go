package e2e_test

import (
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/daymark-lb/daymark/e2e/lab"
)

// Promise: with weightBy the router shares the traffic of an address among nodes by their weights, and a weight changes without a moment
// in which a route is missing.

// weighed is a pool of both families whose addresses are announced with weights.
func weighed(name, v4, v6, by string) string {
	return fmt.Sprintf(`
apiVersion: daymark.io/v1beta1
kind: IPAddressPool
metadata: {name: %[1]s}
spec: {addresses: [%[2]q, %[3]q], autoAssign: false}
---
apiVersion: daymark.io/v1beta1
kind: BGPAdvertisement
metadata: {name: %[1]s}
spec: {ipAddressPools: [%[1]s], weightBy: %[4]s}
`, name, v4, v6, by)
}

// dualAddresses waits for the addresses of a Service of both families.
func dualAddresses(t testing.TB, s lab.Service) (v4, v6 netip.Addr) {
	t.Helper()
	s.AwaitAddress()
	all, err := s.Addresses()
	if err != nil || len(all) != 2 {
		t.Fatalf("it has %v, %v", all, err)
	}
	slices.SortFunc(all, netip.Addr.Compare)
	return all[0], all[1]
}

// podsOn starts pods of one Service, as many on each node as is said, and returns them by node.
func podsOn(cluster *lab.Cluster, app string, counts map[string]int) map[string][]*lab.Pod {
	pods := map[string][]*lab.Pod{}
	for node, count := range counts {
		for i := range count {
			pods[node] = append(pods[node], cluster.PodWith(fmt.Sprintf("%s-%s-%d", app, node, i), node, map[string]string{"app": app}))
		}
	}
	return pods
}

// awaitShares waits until the weights in the router's kernel give each node its share, within 5 % of it, and returns how long that took.
func awaitShares(t testing.TB, cluster *lab.Cluster, address netip.Addr, pods map[string]int) time.Duration {
	t.Helper()
	began := time.Now()
	lab.Eventually(t, waitTimeout, fmt.Sprintf("the router weighs the nodes of %s as %v", address, pods), func() error {
		weights := cluster.Router().Weights(address.String())
		if len(weights) != len(pods) {
			return fmt.Errorf("its kernel has the weights %v", weights)
		}
		has := shares(weights)
		for node, want := range shares(pods) {
			if has[node] < 0.95*want || has[node] > 1.05*want {
				return fmt.Errorf("its kernel has the weights %v", weights)
			}
		}
		return nil
	})
	return time.Since(began)
}

func TestWeights_RouterSharesByPods(t *testing.T) {
	lab.Need(t, lab.FRR)
	cluster := daymark(t)
	cluster.Router().Configure(lab.FRR, lab.RouterSettings{V6: true})
	p := buildPlugin(t, cluster)
	counts := map[string]int{"n1": 1, "n2": 2, "n3": 5}
	pods := podsOn(cluster, "weighed", counts)
	cluster.Apply(peer("weighed", "addressFamilies: [IPv4, IPv6]"))
	cluster.Apply(weighed("weighed", "198.19.45.0/28", "2001:db8:45::/124", "Endpoints"))
	cluster.Apply(service("weighed", "weighed", "externalTrafficPolicy: Local", "ipFamilyPolicy: RequireDualStack"))
	s := cluster.Service("weighed")
	v4, v6 := dualAddresses(t, s)
	awaitShares(t, cluster, v4, counts)
	awaitShares(t, cluster, v6, counts)
	awaitCondition(t, s, "daymark.io/Announced", "True Announced", "weighted by the ready endpoints on each node")
	p.says("explain weighed", 0, "13 % to n1 (endpoints: 1), 25 % to n2 (endpoints: 2), 63 % to n3 (endpoints: 5)")
	p.says("routes --service weighed", 0, "weight 5, communities bandwidth:64512:625000")
	mustArriveByWeight(t, cluster, v4, counts)

	watch := cluster.Router().Watch(v4.String())
	for _, ready := range []bool{false, true} {
		pods["n3"][0].SetReady(ready)
		counts["n3"] = map[bool]int{false: 4, true: 5}[ready]
		t.Logf("a pod is ready, %v: in the router's kernel after %s", ready, awaitShares(t, cluster, v4, counts))
		awaitShares(t, cluster, v6, counts)
	}
	if changes := watch.Stop(); len(changes) != 1 {
		t.Errorf("next hops came and went while weights changed: %v", changes)
	}
	for _, ready := range []bool{false, true, false} {
		pods["n1"][0].SetReady(ready)
		if delete(counts, "n1"); ready {
			counts["n1"] = 1
		}
		t.Logf("the only pod of a node is ready, %v: in the router's kernel after %s", ready, awaitShares(t, cluster, v4, counts))
	}
}

// mustArriveByWeight opens many connections, and wants each node to get about its share. Without weights each would get a third.
func mustArriveByWeight(t *testing.T, cluster *lab.Cluster, address netip.Addr, pods map[string]int) {
	t.Helper()
	const connections, tolerance = 1200, 0.06 // of five eighths of them less than 56.5 % are seen once in 10^5
	arrived := map[string]int{}
	for pod, count := range answeredBy(t, cluster.FarClient(), address, connections) {
		arrived[pod.node] += count
	}
	for node, want := range shares(pods) {
		if share := float64(arrived[node]) / connections; share < want-tolerance || share > want+tolerance {
			t.Errorf("%.1f %% arrive at %s, want about %.1f %%", share*100, node, want*100)
		}
	}
}

// answering is a pod and the node that it is on.
type answering struct{ node, pod string }

// answeredBy opens connections, each from a port of its own, and returns how many each pod answered.
func answeredBy(t testing.TB, client lab.Client, address netip.Addr, connections int) map[answering]int {
	t.Helper()
	client.MustGet(url(address))
	answered := map[answering]int{}
	for range connections {
		answer, err := client.Get(url(address))
		if err != nil {
			t.Fatal(err)
		}
		answered[answering{answer.Node, answer.Pod}]++
	}
	t.Logf("%d connections were answered by %v", connections, answered)
	return answered
}

// shares of the whole that each node should have.
func shares(pods map[string]int) map[string]float64 {
	sum, all := 0, map[string]float64{}
	for _, count := range pods {
		sum += count
	}
	for node, count := range pods {
		all[node] = float64(count) / float64(sum)
	}
	return all
}

// Routers that do not know link bandwidths take the routes as they take others.
func TestWeights_OtherRoutersShareEqually(t *testing.T) {
	for _, kind := range []lab.RouterKind{lab.BIRD, lab.GoBGP} {
		t.Run(string(kind), func(t *testing.T) {
			lab.Need(t, kind)
			cluster := daymark(t)
			cluster.Router().Configure(kind, lab.RouterSettings{V6: true})
			podsOn(cluster, "ignored", map[string]int{"n1": 1, "n2": 2})
			cluster.Apply(peer("ignored", "addressFamilies: [IPv4, IPv6]"))
			cluster.Apply(weighed("ignored", "198.19.46.0/28", "2001:db8:46::/124", "Endpoints"))
			cluster.Apply(service("ignored", "ignored", "externalTrafficPolicy: Local", "ipFamilyPolicy: RequireDualStack"))
			v4, v6 := dualAddresses(t, cluster.Service("ignored"))
			for _, address := range []netip.Addr{v4, v6} {
				awaitNextHops(t, cluster, address.String(), "n1", "n2")
				if weights := slices.Compact(slices.Sorted(maps.Values(cluster.Router().Weights(address.String())))); len(weights) != 1 {
					t.Errorf("its kernel has the weights %v for %s", weights, address)
				}
			}
			if answer := cluster.FarClient().MustGet(url(v4)); answer.Client != cluster.FarClient().V4 {
				t.Errorf("the far client was answered %q", answer)
			}
		})
	}
}

// A zone with one pod and two nodes would give that pod two thirds of the connections if routers shared equally.
func TestWeights_ByEndpointsThatServiceProxiesPrefer(t *testing.T) {
	lab.Need(t, lab.FRR)
	cluster := daymark(t)
	cluster.Router().Configure(lab.FRR, lab.RouterSettings{})
	for node, zone := range map[string]string{"n1": "a", "n2": "a", "n3": "b"} {
		cluster.Node(node).Label("topology.kubernetes.io/zone=" + zone)
		t.Cleanup(func() { cluster.Node(node).Label("topology.kubernetes.io/zone-") })
	}
	pods := podsOn(cluster, "zoned", map[string]int{"n1": 1, "n3": 3})
	cluster.Apply(peer("zoned"))
	cluster.Apply(weighed("zoned", "198.19.48.0/28", "2001:db8:48::/124", "Endpoints"))
	cluster.Apply(service("zoned", "zoned", "trafficDistribution: PreferSameZone"))
	s := cluster.Service("zoned")
	address, _ := s.AwaitAddress()
	awaitShares(t, cluster, address, map[string]int{"n1": 1, "n2": 1, "n3": 6})
	awaitCondition(t, s, "daymark.io/Announced", "True Announced", "weighted by the ready endpoints that each node's service proxy prefers")
	const connections, tolerance = 800, 0.08 // of a quarter of them that is five times the standard deviation
	for pod, count := range answeredBy(t, cluster.FarClient(), address, connections) {
		if share := float64(count) / connections; share < 0.25-tolerance || share > 0.25+tolerance {
			t.Errorf("%.1f %% are answered by %s on %s, want a quarter", share*100, pod.pod, pod.node)
		}
	}

	pods["n1"][0].SetReady(false) // and no endpoint is near n1 and n2
	lab.Eventually(t, waitTimeout, "the router sends next to nothing to a zone without endpoints", func() error {
		weights := cluster.Router().Weights(address.String())
		if has := shares(weights); len(weights) != 3 || has["n3"] < 0.95 {
			return fmt.Errorf("its kernel has the weights %v", weights)
		}
		return nil
	})
	pods["n1"][0].SetReady(true)
	awaitShares(t, cluster, address, map[string]int{"n1": 1, "n2": 1, "n3": 6})
}

func TestWeights_ByAnnotationOfTheNode(t *testing.T) {
	lab.Need(t, lab.FRR)
	cluster := daymark(t)
	cluster.Router().Configure(lab.FRR, lab.RouterSettings{})
	cluster.Pod("sized", "n1")
	cluster.Apply(peer("sized"))
	cluster.Apply(weighed("sized", "198.19.47.0/28", "2001:db8:47::/124", "NodeAnnotation"))
	cluster.Apply(service("sized", "sized"))
	address, _ := cluster.Service("sized").AwaitAddress()
	awaitShares(t, cluster, address, map[string]int{"n1": 1, "n2": 1, "n3": 1})
	cluster.Node("n2").Annotate("daymark.io/weight", "2")
	awaitShares(t, cluster, address, map[string]int{"n1": 1, "n2": 2, "n3": 1})
	if shown, err := cluster.Router().Vtysh("show bgp ipv4 unicast " + address.String()); err != nil || !strings.Contains(shown, "LB:64512:250000 (2.000 Mbps)") {
		t.Errorf("FRR shows %s, %v", shown, err)
	}
}
