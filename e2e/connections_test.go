package e2e_test

import (
	"fmt"
	"net/netip"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/daymark-lb/daymark/e2e/lab"
)

// Promise: open TCP connections survive that an address moves as planned.

// openConnections is how many connections are open in a test, half of them to the IPv6 address.
const openConnections = 200

// move is a dual-stack Service on layer 2 whose addresses move.
type move struct {
	*lab.Cluster
	t         testing.TB
	pod       *lab.Pod
	addresses []netip.Addr
	open      *lab.Connections
}

// newMove has connections open to a Service under a traffic policy with one pod, which is on n1.
func newMove(t testing.TB, cluster *lab.Cluster, policy string, connections int) *move {
	t.Helper()
	m := &move{Cluster: cluster, t: t}
	awaitMembers(t, m.Cluster)
	m.Apply(strings.ReplaceAll(bothFamilies, "both", "open"))
	m.pod = m.Pod("open", "n1")
	m.Apply(service("open", "open", "ipFamilyPolicy: RequireDualStack", "externalTrafficPolicy: "+policy))
	m.Service("open").AwaitAddress()
	addresses, err := m.Service("open").Addresses()
	if err != nil || len(addresses) != 2 {
		t.Fatalf("it has %v, %v", addresses, err)
	}
	m.addresses = addresses
	m.holders()
	for _, address := range addresses {
		m.Client().MustGet(url(address))
	}
	m.open = m.Client().OpenConnections(connections, addresses...)
	return m
}

// holders waits until each address has one.
func (m *move) holders() (holders map[netip.Addr]string) {
	m.t.Helper()
	awaitHolders(m.t, m.Cluster, "each address has one holder", m.addresses, func(now map[netip.Addr]string) error {
		holders = now
		return nil
	})
	return holders
}

// awaitAway waits until none of some nodes holds an address, and what was asked after that has been answered.
func (m *move) awaitAway(nodes ...string) {
	m.t.Helper()
	awaitHolders(m.t, m.Cluster, fmt.Sprintf("%v hold nothing", nodes), m.addresses, func(now map[netip.Addr]string) error {
		for _, holder := range now {
			if slices.Contains(nodes, holder) {
				return fmt.Errorf("it is %v", now)
			}
		}
		return nil
	})
	m.awaitAnswers()
}

func (m *move) awaitAnswers() {
	m.t.Helper()
	moved := time.Now()
	lab.Eventually(m.t, waitTimeout, "all connections are answered", func() error { return m.open.AnsweredSince(moved) })
}

// drain has a node give its addresses up until the test ends.
func (m *move) drain(node string) {
	m.t.Helper()
	m.Node(node).Annotate("daymark.io/drain", "true")
	m.t.Cleanup(func() { m.Node(node).RemoveAnnotation("daymark.io/drain") })
}

// mustBeWhole fails if a connection broke.
func (m *move) mustBeWhole() {
	m.t.Helper()
	if broken := m.open.Stop(); len(broken) > 0 {
		m.t.Errorf("%d of %d connections broke, the first: %v; the last: %v", len(broken), openConnections, broken[0], broken[len(broken)-1])
		for _, node := range m.Nodes() {
			tables, err := node.Run(m.t.Context(), "", "nft", "list", "ruleset")
			m.t.Logf("%s passes on: %v, %s", node.Name, err, passages.FindAllString(tables, -1))
		}
	}
}

// passages are the elements of the sets and maps of this project's tables, and the heads of all.
var passages = regexp.MustCompile(`(?m)^table .*|^\s+(map|set) .*|elements = \{[^}]*\}`)

func TestConnections_SurviveAMoveOnLayer2(t *testing.T) {
	for _, test := range []struct {
		name, policy string
		do           func(m *move)
	}{
		{"a node is drained, and the next one", "Cluster", func(m *move) {
			first := m.holders()[m.addresses[0]]
			m.drain(first)
			m.awaitAway(first)
			second := m.holders()[m.addresses[0]]
			m.drain(second)
			m.awaitAway(first, second)
			m.Node(first).RemoveAnnotation("daymark.io/drain")
			third := m.holders()[m.addresses[0]]
			m.drain(third)
			m.awaitAway(second, third)
		}},
		{"the speakers are rolled", "Cluster", func(m *move) {
			m.RollSpeakers()
			m.awaitAnswers()
		}},
		{"the pod moves under Local, and the old one ends slowly", "Local", func(m *move) {
			m.PodWith("heir", "n2", map[string]string{"app": "open"})
			m.pod.Terminate()
			m.awaitAway("n1", "n3")
		}},
		{"the traffic policy becomes Local", "Cluster", func(m *move) {
			m.drain(m.pod.Node())
			m.awaitAway(m.pod.Node())
			m.Node(m.pod.Node()).RemoveAnnotation("daymark.io/drain")
			m.Apply(service("open", "open", "ipFamilyPolicy: RequireDualStack", "externalTrafficPolicy: Local"))
			m.awaitAway("n2", "n3")
		}},
		{"the traffic policy becomes Local, and Cluster again", "Cluster", func(m *move) {
			m.drain(m.pod.Node())
			m.awaitAway(m.pod.Node())
			m.Node(m.pod.Node()).RemoveAnnotation("daymark.io/drain")
			for _, policy := range []string{"Local", "Cluster"} {
				m.Apply(service("open", "open", "ipFamilyPolicy: RequireDualStack", "externalTrafficPolicy: "+policy))
				if policy == "Cluster" {
					m.drain(m.pod.Node())
					m.awaitAway(m.pod.Node())
				} else {
					m.awaitAway("n2", "n3")
				}
			}
		}},
	} {
		for _, proxy := range []lab.ProxyKind{lab.KubeProxy, lab.IPTablesProxy} {
			t.Run(test.name+", "+string(proxy), func(t *testing.T) {
				lab.Need(t, proxy)
				m := newMove(t, daymark(t, lab.WithProxy(proxy)), test.policy, openConnections)
				test.do(m)
				m.mustBeWhole()
			})
		}
	}
}

// With 0 they break, which shows that the others prove something.
func TestConnections_BreakWithoutDraining(t *testing.T) {
	lab.Need(t, lab.KubeProxy)
	m := newMove(t, daymark(t, lab.WithProxy(lab.KubeProxy)), "Cluster", openConnections)
	m.Kubectl("patch", "l2advertisement", "open", "--type=merge", "--patch", `{"spec":{"connectionDraining":"0s"}}`)
	first := m.holders()
	for _, node := range first {
		m.drain(node)
	}
	m.awaitAnswers()
	if broken := m.open.Stop(); len(broken) < openConnections/2 {
		t.Errorf("%d of %d broke", len(broken), openConnections)
	}
}

// A node that is preferred takes addresses over from holders that live, when addresses are evened out.
func TestConnections_SurviveThatAPreferredNodeReturns(t *testing.T) {
	lab.Need(t, lab.KubeProxy)
	cluster := daymark(t, lab.WithProxy(lab.KubeProxy))
	cluster.UseSpeakerFlags("--l2-rebalance-after=2s")
	m := newMove(t, cluster, "Cluster", openConnections)
	m.drain("n3")
	m.awaitAway("n3")
	m.Kubectl("patch", "l2advertisement", "open", "--type=merge", "--patch",
		`{"spec":{"preferredNodeSelectors":[{"weight":100,"selector":{"matchLabels":{"kubernetes.io/hostname":"n3"}}}]}}`)
	m.Node("n3").RemoveAnnotation("daymark.io/drain")
	m.awaitAway("n1", "n2")
	m.mustBeWhole()
}

// Whichever node answers a client is drained once, and the client's connections go on. A router is one client, with the connections of all
// behind it.
func TestConnections_OfASharedAddressSurviveADrain(t *testing.T) {
	lab.Need(t, lab.KubeProxy)
	cluster := daymark(t, lab.WithProxy(lab.KubeProxy))
	cluster.UseSpeakerFlags("--l2-rebalance-after=2s")
	m := newMove(t, cluster, "Cluster", openConnections)
	m.Kubectl("patch", "l2advertisement", "open", "--type=merge", "--patch", `{"spec":{"sharing":"PerClient"}}`)
	awaitEvenShares(t, m.Cluster, m.addresses, m.NodeNames()...)
	for _, address := range m.addresses {
		m.FarClient().MustGet(url(address))
	}
	behind := m.FarClient().OpenConnections(openConnections/4, m.addresses...)
	for _, node := range m.NodeNames() {
		m.drain(node)
		lab.Eventually(t, waitTimeout, node+" answers no client", func() error {
			for _, address := range m.addresses {
				if n := sharesOf(m.Cluster, node, address); n > 0 {
					return fmt.Errorf("it has %d shares of %s", n, address)
				}
			}
			return nil
		})
		m.awaitAnswers()
		moved := time.Now()
		lab.Eventually(t, waitTimeout, "all connections behind the router are answered", func() error { return behind.AnsweredSince(moved) })
		m.Node(node).RemoveAnnotation("daymark.io/drain")
		awaitEvenShares(t, m.Cluster, m.addresses, m.NodeNames()...)
	}
	m.mustBeWhole()
	if broken := behind.Stop(); len(broken) > 0 {
		t.Errorf("%d connections behind the router broke, the first: %v", len(broken), broken[0])
	}
}
