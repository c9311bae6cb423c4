package e2e_test

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/daymark-lb/daymark/e2e/lab"
)

func TestMain(m *testing.M) { lab.Main(m, lab.BuildDaymark, lab.BuildRouter) }

// waitTimeout is how long anything may take that waits for no timer. Programs with the race detector on a busy machine are slow;
// benchmarks measure what must be fast.
const waitTimeout = 15 * time.Second

// daymark is the shared lab with Daymark running in it.
func daymark(t *testing.T, options ...lab.Option) *lab.Cluster {
	t.Helper()
	cluster := lab.Shared(t, options...)
	cluster.EnsureDaymark()
	return cluster
}

// segmentPool is a pool of these addresses, announced by layer 2, for Services that ask for it by name.
func segmentPool(name, addresses string) string {
	return pool(name, addresses) + fmt.Sprintf(`
---
apiVersion: daymark.io/v1beta1
kind: L2Advertisement
metadata: {name: %s}
spec: {ipAddressPools: [%s]}
`, name, name)
}

// routedPool is a pool of these addresses, announced by BGP.
func routedPool(name, addresses string) string {
	return pool(name, addresses) + fmt.Sprintf(`
---
apiVersion: daymark.io/v1beta1
kind: BGPAdvertisement
metadata: {name: %s}
spec: {ipAddressPools: [%s]}
`, name, name)
}

func pool(name, addresses string) string {
	return fmt.Sprintf(`
apiVersion: daymark.io/v1beta1
kind: IPAddressPool
metadata: {name: %s}
spec: {addresses: ["%s"], autoAssign: false}
`, name, addresses)
}

// peer is the lab's router; more goes into its spec.
func peer(name string, more ...string) string {
	return fmt.Sprintf(`
apiVersion: daymark.io/v1beta1
kind: BGPPeer
metadata: {name: %s}
spec:
  myASN: %d
  peerASN: %d
  peerAddress: %s
  holdTime: 9s
  connectTime: 1s
%s`, name, lab.NodesASN, lab.RouterASN, lab.RouterV4, lines(more))
}

// service is a Service of type LoadBalancer for the pods app=<name>, with an address from the pool; more goes into its spec.
func service(name, pool string, more ...string) string {
	return fmt.Sprintf(`
apiVersion: v1
kind: Service
metadata: {name: %s, annotations: {daymark.io/address-pool: %s}}
spec:
  type: LoadBalancer
  selector: {app: %s}
  ports: [{port: 80, targetPort: 8080}]
%s`, name, pool, name, lines(more))
}

func lines(all []string) string {
	var b strings.Builder
	for _, line := range all {
		b.WriteString("  " + line + "\n")
	}
	return b.String()
}

func url(a netip.Addr) string {
	if a.Is6() {
		return fmt.Sprintf("http://[%s]/", a)
	}
	return fmt.Sprintf("http://%s/", a)
}

// awaitHolder waits until one node, one of those allowed if any are named, answers ARP or neighbor discovery for the address,
// and no other.
func awaitHolder(t testing.TB, cluster *lab.Cluster, address netip.Addr, allowed ...string) (holder string) {
	t.Helper()
	if len(allowed) == 0 {
		allowed = cluster.NodeNames()
	}
	lab.Eventually(t, waitTimeout, fmt.Sprintf("one of %v alone answers ARP for %s", allowed, address), func() error {
		if holder = cluster.Client().Holder(address); !slices.Contains(allowed, holder) {
			return fmt.Errorf("%q does", holder)
		}
		if all := cluster.Client().WhoHas(address); len(all) != 1 || all[0] != holder {
			return fmt.Errorf("%v do", all)
		}
		return nil
	})
	return holder
}

// awaitHolders waits until each address has one holder, a node, and the whole is as wanted; nil wants no more than that.
func awaitHolders(t testing.TB, cluster *lab.Cluster, what string, addresses []netip.Addr, wanted func(holders map[netip.Addr]string) error) {
	t.Helper()
	lab.Eventually(t, waitTimeout, what, func() error {
		holders, answers := map[netip.Addr]string{}, cluster.Client().Holders(addresses...)
		for _, address := range addresses {
			if all := answers[address]; len(all) != 1 || !slices.Contains(cluster.NodeNames(), all[0]) {
				return fmt.Errorf("%s is answered for by %v", address, all)
			}
			holders[address] = answers[address][0]
		}
		if wanted == nil {
			return nil
		}
		return wanted(holders)
	})
}

// counts are how many addresses each node holds.
func counts(holders map[netip.Addr]string) map[string]int {
	held := map[string]int{}
	for _, node := range holders {
		held[node]++
	}
	return held
}

// awaitMembers waits until the speaker of every node sees those of all, by their Speaker objects.
func awaitMembers(t testing.TB, cluster *lab.Cluster) {
	t.Helper()
	all := int64(len(cluster.NodeNames()))
	lab.Eventually(t, 30*time.Second, "every speaker sees all", func() error {
		for _, node := range cluster.NodeNames() {
			o, err := cluster.Look("daymark.io/v1beta1", "Speaker", node)
			if err != nil {
				return err
			}
			if seen, _, _ := unstructured.NestedInt64(o.Object, "status", "members"); seen != all {
				return fmt.Errorf("that of %s sees %d", node, seen)
			}
		}
		return nil
	})
}

// awaitNoHolder waits until nobody answers ARP for the address.
func awaitNoHolder(t testing.TB, cluster *lab.Cluster, address netip.Addr) {
	t.Helper()
	lab.Eventually(t, waitTimeout, fmt.Sprintf("nobody answers ARP for %s", address), func() error {
		if all := cluster.Client().WhoHas(address); len(all) > 0 {
			return fmt.Errorf("%v do", all)
		}
		return nil
	})
}

// awaitNextHops waits until the router's kernel forwards the address to just these nodes.
func awaitNextHops(t testing.TB, cluster *lab.Cluster, prefix string, nodes ...string) {
	t.Helper()
	lab.Eventually(t, waitTimeout, fmt.Sprintf("the router forwards %s to %v", prefix, nodes), func() error {
		if got := cluster.Router().NextHopNodes(prefix); !slices.Equal(got, nodes) {
			return fmt.Errorf("it forwards to %v", got)
		}
		return nil
	})
}

// awaitSessions waits until the router has a session with every node.
func awaitSessions(t testing.TB, cluster *lab.Cluster) {
	t.Helper()
	lab.Eventually(t, waitTimeout, "the router has a session with every node", func() error {
		for name, state := range cluster.Router().Sessions() {
			if state != "Established" {
				return fmt.Errorf("that with %s is %s", name, state)
			}
		}
		return nil
	})
}

// awaitCondition waits until a Service's condition begins so, "False PoolExhausted", and contains these words. Both at once: while
// a cluster settles a condition may be False for one reason after the other.
func awaitCondition(t *testing.T, s lab.Service, condition, begins string, contains ...string) {
	t.Helper()
	lab.Eventually(t, waitTimeout, fmt.Sprintf("%s of %s is %s", condition, s.Name, begins), func() error {
		return differs(s.ConditionText(condition), begins, contains)
	})
}

// awaitObjectCondition is awaitCondition for one of Daymark's own kinds, and what the words must contain.
func awaitObjectCondition(t *testing.T, cluster *lab.Cluster, kind, name, condition, begins string, contains ...string) {
	t.Helper()
	lab.Eventually(t, waitTimeout, fmt.Sprintf("%s of %s %s is %s", condition, kind, name, begins), func() error {
		o, err := cluster.Look("daymark.io/v1beta1", kind, name)
		if err != nil {
			return err
		}
		return differs(lab.Condition(o, condition), begins, contains)
	})
}

// differs says in which way words do not begin so and contain these.
func differs(words, begins string, contains []string) error {
	if !strings.HasPrefix(words, begins) {
		return errors.New(words)
	}
	for _, want := range contains {
		if !strings.Contains(words, want) {
			return fmt.Errorf("%q does not contain %q", words, want)
		}
	}
	return nil
}
