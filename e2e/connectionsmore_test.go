package e2e_test

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/daymark-lb/daymark/api/v1beta1"
	"github.com/daymark-lb/daymark/e2e/lab"
	"github.com/daymark-lb/daymark/internal/core/status"
)

// Promise: open TCP connections survive what else moves them, and nothing of it stays in the kernel.

// A node that joins others is sent packets of their connections as soon as it announces the address, and they are sent those of each other.
// They have passed on nothing for long.
func TestConnections_SurviveThatANodeJoins(t *testing.T) {
	const draining = 10 * time.Second
	for _, test := range []struct {
		name   string
		boots  bool // and its kernel knows nothing
		expect string
	}{
		{"its drain ends", false, "n3 is drained no more"},
		{"it has booted", true, "n3 has booted"},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := newSpread(t, lab.KubeProxy)
			s.Kubectl("patch", "bgpadvertisement", "open", "--type=merge", "--patch", fmt.Sprintf(`{"spec":{"connectionDraining":"%s"}}`, draining))
			n3 := s.Node("n3")
			n3.Annotate("daymark.io/drain", "true")
			t.Cleanup(func() { n3.RemoveAnnotation("daymark.io/drain") })
			s.await("n1", "n2")
			if test.boots {
				n3.Speaker().Stop()
				t.Cleanup(func() { startAgain(n3) })
				for _, family := range []string{"ip", "ip6"} {
					_, _ = n3.Run(t.Context(), "", "nft", "delete", "table", family, "daymark") // there may be none
				}
				n3.RemoveAnnotation("daymark.io/drain")
			}
			s.connect(openConnections)
			lab.Eventually(t, 3*draining, "nothing is passed on", func() error { return noTables(t, s.Node("n1"), s.Node("n2")) })
			if test.boots {
				n3.Speaker().Start()
			} else {
				n3.RemoveAnnotation("daymark.io/drain")
			}
			s.await(s.NodeNames()...)
			s.mustBeWhole(test.expect)
		})
	}
}

// The node of a speaker that is killed goes on, and so do the connections that its kernel knows, though others take its addresses. The next
// speaker finds them there, and says that the node is not to be stopped.
func TestConnections_SurviveThatASpeakerIsKilled(t *testing.T) {
	lab.Need(t, lab.KubeProxy)
	m := newMove(t, daymark(t, lab.WithProxy(lab.KubeProxy)), "Cluster", openConnections)
	first := m.holders()[m.addresses[0]]
	m.Node(first).Speaker().Kill()
	m.awaitAway(first)
	m.Node(first).Speaker().Start()
	awaitMembers(t, m.Cluster)
	awaitObjectCondition(t, m.Cluster, "Speaker", first, "SafeToStop", "False", "addresses that moved away are open here")
	const believed = 12 * time.Second // A former holder that says nothing counts for ten.
	back := time.Now()
	lab.Eventually(t, 2*believed, "the others believe what it says", func() error {
		if since := time.Since(back); since < believed {
			return fmt.Errorf("it is back for %s", since)
		}
		return nil
	})
	m.awaitAnswers()
	awaitObjectCondition(t, m.Cluster, "Speaker", first, "SafeToStop", "False", "addresses that moved away are open here")
	m.mustBeWhole()
}

// A client that hears of a move late, for what told it was lost, sends to the former holder meanwhile. That served none of the connections.
func TestConnections_SurviveAClientThatHearsLate(t *testing.T) {
	lab.Need(t, lab.KubeProxy)
	m := newMove(t, daymark(t, lab.WithProxy(lab.KubeProxy)), "Cluster", openConnections)
	first := m.holders()[m.addresses[0]]
	m.drain(first)
	m.awaitAway(first)
	for _, addr := range m.addresses {
		m.pinNeighbor(addr)
	}
	m.Node(first).RemoveAnnotation("daymark.io/drain")
	others := slices.DeleteFunc(m.NodeNames(), func(node string) bool { return node == first })
	for _, node := range others {
		m.drain(node)
	}
	m.awaitAway(others...)
	m.mustBeWhole()
}

// pinNeighbor keeps the client's entry for an address as it is until the test ends.
func (m *move) pinNeighbor(addr netip.Addr) {
	m.t.Helper()
	neigh := func(ctx context.Context, command string, arguments ...string) (string, error) {
		return m.Client().Run(ctx, "", slices.Concat([]string{"ip", "neigh", command, addr.String(), "dev", "eth0"}, arguments)...)
	}
	entry, err := neigh(m.t.Context(), "show")
	fields := strings.Fields(entry)
	mac := slices.Index(fields, "lladdr") + 1
	if err != nil || mac == 0 {
		m.t.Fatalf("the client's entry for %s is %q, %v", addr, entry, err)
	}
	if _, err := neigh(m.t.Context(), "replace", "lladdr", fields[mac], "nud", "permanent"); err != nil {
		m.t.Fatal(err)
	}
	m.t.Cleanup(func() {
		_, _ = neigh(context.Background(), "delete") // the next question finds out
	})
}

// What comes in by a second segment is handed over on that: on the first, strict reverse path filtering would drop it.
func TestConnections_SurviveAMoveOnASecondSegment(t *testing.T) {
	lab.Need(t, lab.KubeProxy)
	cluster := daymark(t, lab.WithProxy(lab.KubeProxy))
	awaitMembers(t, cluster)
	for _, node := range cluster.Nodes() {
		strictly := func(value string) {
			if err := node.Sysctl(map[string]string{"ipv4/conf/all/rp_filter": value}); err != nil {
				t.Fatal(err)
			}
		}
		strictly("1")
		t.Cleanup(func() { strictly("0") })
	}
	address, pod := secondAddress(t, cluster)
	m := &move{Cluster: cluster, t: t, pod: pod, addresses: []netip.Addr{address}}
	holder := m.holders()[address]
	m.Client().MustGet(url(address))
	m.open = m.Client().OpenConnections(openConnections, address)
	m.drain(holder)
	m.awaitAway(holder)
	m.mustBeWhole()
}

// As docs/uninstall.md has it: what is announced goes first, and the speakers leave nothing in the kernel of any node.
func TestConnections_NothingStaysWithoutAnAdvertisement(t *testing.T) {
	lab.Need(t, lab.KubeProxy)
	m := newMove(t, daymark(t, lab.WithProxy(lab.KubeProxy)), "Cluster", openConnections)
	holder := m.holders()[m.addresses[0]]
	m.drain(holder)
	m.awaitAway(holder)
	if err := noTables(t, m.Nodes()...); err == nil {
		t.Fatal("no node has a table, though connections are passed on")
	}
	m.open.Stop()
	m.Kubectl("delete", "l2advertisements.daymark.io,bgpadvertisements.daymark.io", "--all")
	lab.Eventually(t, waitTimeout, "no node has a table", func() error { return noTables(t, m.Nodes()...) })
}

// The Speaker object of a drained node says what is left there, and when the node may be stopped.
func TestConnections_SayWhenANodeIsSafeToStop(t *testing.T) {
	lab.Need(t, lab.KubeProxy)
	m := newMove(t, daymark(t, lab.WithProxy(lab.KubeProxy)), "Cluster", openConnections)
	holders := m.holders()
	holder := holders[m.addresses[0]]
	m.drain(holder)
	m.awaitAway(holder)
	held := 0
	for _, node := range holders {
		if node == holder {
			held++
		}
	}
	lab.Eventually(t, waitTimeout, "what is left is counted", func() error {
		speaker := m.speaker(holder)
		left := speaker.Status.Draining
		if c := speaker.condition(v1beta1.ConditionSafeToStop); c.Status != metav1.ConditionFalse || c.Reason != status.ConnectionsLeft.Name ||
			left == nil || int(left.Addresses) != held || int(left.Connections) != held*openConnections/len(m.addresses) {
			return fmt.Errorf("it says %+v, and %+v is left", c, left)
		}
		return nil
	})
	m.mustBeWhole()
	stdout, remarks, exit := buildPlugin(t, m.Cluster).run("drain " + holder + " --wait --timeout=1m")
	if exit != 0 || stdout != holder+" may be stopped\n" {
		t.Errorf("kubectl daymark drain ends with status %d: %s%s", exit, stdout, remarks)
	}
	m.Kubectl("wait", "speaker/"+holder, "--for=jsonpath={.status.drained}=true", "--timeout=30s")
	m.Kubectl("wait", "speaker/"+holder, "--for=condition=SafeToStop", "--timeout=30s")
	if speaker := m.speaker(holder); speaker.Status.Draining != nil {
		t.Errorf("it is safe to stop, and %+v is left", speaker.Status.Draining)
	}
}

// What a node passes on cannot be told from what is broken for as long as its kernel is set so, and the Speaker object says it.
func TestConnections_SayWhereTheyBreak(t *testing.T) {
	lab.Need(t, lab.KubeProxy)
	m := newMove(t, daymark(t, lab.WithProxy(lab.KubeProxy)), "Cluster", openConnections/10)
	holder := m.holders()[m.addresses[0]]
	m.drain(holder)
	m.awaitAway(holder)
	heir := m.Node(m.holders()[m.addresses[0]])
	t.Cleanup(func() { _ = heir.Sysctl(map[string]string{"netfilter/nf_conntrack_tcp_loose": "1"}) })
	for _, step := range []struct {
		loose  string
		breaks metav1.ConditionStatus
	}{{"1", metav1.ConditionFalse}, {"0", metav1.ConditionTrue}, {"1", metav1.ConditionFalse}} {
		if err := heir.Sysctl(map[string]string{"netfilter/nf_conntrack_tcp_loose": step.loose}); err != nil {
			t.Fatal(err)
		}
		lab.Eventually(t, renewal, "ConnectionsBreak of the heir is "+string(step.breaks), func() error {
			speaker := m.speaker(heir.Name)
			if c := speaker.condition(v1beta1.ConditionConnectionsBreak); c.Status != step.breaks {
				return fmt.Errorf("it says %+v", c)
			}
			return nil
		})
	}
}

// renewal is within which a speaker looks again whether packets can be passed on, which it does every 30 s.
const renewal = 45 * time.Second

// speakerObject is a Speaker object.
type speakerObject struct{ v1beta1.Speaker }

// speaker reads the Speaker object of a node.
func (m *move) speaker(node string) (s speakerObject) {
	m.t.Helper()
	object := m.Get("daymark.io/v1beta1", "Speaker", node)
	if err := runtime.DefaultUnstructuredConverter.FromUnstructured(object.Object, &s.Speaker); err != nil {
		m.t.Fatal(err)
	}
	return s
}

// condition is a condition of the object, empty if there is none.
func (s *speakerObject) condition(kind string) (c metav1.Condition) {
	if found := meta.FindStatusCondition(s.Status.Conditions, kind); found != nil {
		c = *found
	}
	return c
}

// Where the programs go first, the speakers see that they are not to come back. While they restart, all stays.
func TestConnections_NothingStaysAfterAnUninstallation(t *testing.T) {
	lab.Need(t, lab.KubeProxy)
	for name, kinds := range map[string][]string{
		"the DaemonSet is deleted": {"daemonset"},
		"the chart is uninstalled": {"daemonset", "rolebinding", "role", "clusterrolebinding", "clusterrole", "serviceaccount"},
	} {
		t.Run(name, func(t *testing.T) {
			cluster := lab.New(t, lab.Nodes(3), lab.WithProxy(lab.KubeProxy))
			cluster.EnsureDaymark()
			cluster.PlayPods()
			m := newMove(t, cluster, "Cluster", openConnections/10)
			holder := m.holders()[m.addresses[0]]
			m.drain(holder)
			m.awaitAway(holder)
			heir := m.Node(m.holders()[m.addresses[0]])
			heir.Speaker().Stop()
			if err := noTables(t, heir); err == nil {
				t.Error("the speaker was restarted, and its table is gone")
			}
			heir.Speaker().Start()
			awaitMembers(t, m.Cluster)
			m.mustBeWhole()

			for _, kind := range kinds {
				m.Kubectl("-n", lab.Namespace, "delete", kind+"/daymark-speaker")
			}
			for _, node := range m.Nodes() {
				node.Speaker().Stop()
			}
			if err := noTables(t, m.Nodes()...); err != nil {
				t.Error(err)
			}
		})
	}
}

// startAgain starts the speaker of a node unless it runs.
func startAgain(n lab.Node) {
	if speaker := n.Speaker(); !speaker.Running() {
		speaker.Start()
	}
}

// noTables returns an error if one of some nodes has a table of ours.
func noTables(t testing.TB, nodes ...lab.Node) error {
	t.Helper()
	for _, node := range nodes {
		list, err := node.Run(t.Context(), "", "nft", "list", "tables")
		if err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(list) {
			if strings.HasSuffix(strings.TrimSpace(line), " daymark") {
				return fmt.Errorf("%s has the %s", node.Name, strings.TrimSpace(line))
			}
		}
	}
	return nil
}
