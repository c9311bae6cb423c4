package connections

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/daymark-lb/daymark/internal/core/handover"
	"github.com/daymark-lb/daymark/internal/netnstest"
)

// A router that spreads connections over nodes, computes anew who gets which when a node comes or goes: the nodes pass on what they
// do not know, in a ring. No connection is reset whose node and pod live.
func TestRelay_ARouterSpreadsConnectionsAnew(t *testing.T) {
	r := newRig(t, 3, modeNFTables, false)
	router := r.behindARouter()
	const count = 1000

	router.spread(0, 1)
	r.ring(0, 1)
	talks := r.dial(vip4, count)
	servedBy := map[string][]*talk{}
	for _, c := range talks {
		pod, err := c.ask()
		if err != nil {
			t.Fatal(err)
		}
		servedBy[pod] = append(servedBy[pod], c)
	}
	if len(servedBy) != 2 {
		t.Fatalf("the router uses %d nodes, not 2", len(servedBy))
	}
	expect := func() {
		t.Helper()
		for pod, of := range servedBy {
			r.expect(pod, of)
		}
	}

	before := r.passed()
	r.ring(0, 1, 2)
	router.spread(0, 1, 2)
	expect()
	t.Logf("a node joins: %d packets are passed on for %d connections", r.passed()-before, count)
	if r.passed() == before {
		t.Error("no packet was passed on: the router moved no connection")
	}

	router.spread(1, 2) // The first node is drained: it still serves what it has.
	expect()

	// The second one crashes: its pod is gone with it, and the others pass by it.
	sh(t, r.fabric, "ip link set p2 down")
	router.spread(2)
	r.ring(0, 2)
	delete(servedBy, "pod2")
	expect()
	r.expect("pod3", r.dial(vip4, 5))
}

// ring has nodes pass on what they do not know, each to the next.
func (r *rig) ring(nodes ...int) {
	r.t.Helper()
	for i, node := range nodes {
		next := nodes[(i+1)%len(nodes)]
		r.set(node, handover.Plan{Passages: []handover.Passage{{Addr: vip4, Via: nodeAddr(next), Hops: len(nodes) - 1}}})
	}
}

// router is between the client and the segment.
type router struct {
	*netnstest.Namespace
	t testing.TB
}

// behindARouter moves the client behind a router.
func (r *rig) behindARouter() *router {
	r.t.Helper()
	w := &router{netnstest.New(r.t), r.t}
	r.plug(w.Namespace, 9)
	sh(r.t, r.client, "ip link set eth0 down")
	w.Do(r.t, func() { netnstest.Veth(r.t, "far0", r.client, "eth1") })
	sh(r.t, w.Namespace, "ip addr add 192.0.2.1/24 dev eth0", "ip addr add 198.51.100.1/24 dev far0", "ip link set far0 up",
		"sysctl -qw net.ipv4.ip_forward=1 net.ipv4.fib_multipath_hash_policy=1")
	sh(r.t, r.client, "ip addr flush dev eth0", "ip addr add 198.51.100.2/24 dev eth1", "ip link set eth1 up", "ip route add default via 198.51.100.1")
	for _, n := range r.nodes {
		sh(r.t, n.ns, "ip route add default via 192.0.2.1")
	}
	return w
}

// spread gives the router a route to the Service by some nodes.
func (w *router) spread(nodes ...int) {
	w.t.Helper()
	hops := slices.Collect(func(yield func(string) bool) {
		for _, n := range nodes {
			if !yield(fmt.Sprintf("nexthop via %s", nodeAddr(n))) {
				return
			}
		}
	})
	sh(w.t, w.Namespace, fmt.Sprintf("ip route replace %s %s", vip4, strings.Join(hops, " ")))
}
