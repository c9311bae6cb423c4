package lab_test

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/daymark-lb/daymark/e2e/lab"
)

func TestMain(m *testing.M) { lab.Main(m, lab.BuildRouter) }

// A Service that no load balancer serves: the test itself gives it an address and puts that onto a node.
const service = `
apiVersion: v1
kind: Service
metadata: {name: web}
spec:
  type: LoadBalancer
  selector: {app: web}
  ports: [{port: 80, targetPort: 8080}]
`

var vip = netip.MustParseAddr("192.0.2.200")

func TestCluster_ServiceIsReachedThroughItsHolder(t *testing.T) {
	for _, proxy := range []lab.ProxyKind{lab.AnyProxy, lab.OwnProxy} {
		t.Run(string(proxy), func(t *testing.T) {
			reachThrough(t, lab.Shared(t, lab.WithProxy(proxy)))
		})
	}
}

func reachThrough(t *testing.T, cluster *lab.Cluster) {
	t.Helper()
	t.Log(cluster.ServiceProxy(), cluster.Steps())
	// Another test may have left the client with a node that it knows to have the address.
	if _, err := cluster.Client().Run(t.Context(), "", "ip", "neigh", "flush", "to", vip.String()); err != nil {
		t.Fatal(err)
	}
	pod := cluster.Pod("web", "n2")
	cluster.Apply(service)
	cluster.Kubectl("patch", "service", "web", "--subresource=status", "--type=merge", "-p",
		fmt.Sprintf(`{"status":{"loadBalancer":{"ingress":[{"ip":"%s","ipMode":"VIP"}]}}}`, vip))
	hold(t, cluster, "n1")

	answer := cluster.Client().MustGet("http://192.0.2.200/")
	if answer.Pod != "web" || answer.Node != "n2" || answer.Client != cluster.Node("n1").V4 {
		t.Errorf("answered %q, want the pod on n2, which sees n1", answer)
	}
	if got := cluster.Client().WhoHas(vip); !slices.Equal(got, []string{"n1"}) {
		t.Errorf("ARP is answered by %v, want n1 alone", got)
	}
	if got := cluster.Client().Resolved(vip); got != "n1" {
		t.Errorf("the client's kernel believes %q to have the address, want n1", got)
	}
	if answer := cluster.FarClient().MustGet("http://192.0.2.200/"); answer.Pod != "web" {
		t.Errorf("the far client was answered %q", answer)
	}

	cluster.Kubectl("patch", "service", "web", "-p", `{"spec":{"externalTrafficPolicy":"Local"}}`)
	lab.Eventually(t, 2*time.Second, "n1, which has no endpoint, stops serving", func() error {
		if answer, err := cluster.Client().Get("http://192.0.2.200/"); err == nil {
			return fmt.Errorf("answered %q", answer)
		}
		return nil
	})
	pod.MoveTo("n1")
	if answer := cluster.Client().MustGet("http://192.0.2.200/"); answer.Node != "n1" || answer.Client != lab.ClientV4 {
		t.Errorf("answered %q, want the pod on n1, which sees the client", answer)
	}
}

func TestClient_SeesTwoHolders(t *testing.T) {
	cluster := lab.Shared(t)
	hold(t, cluster, "n1")
	hold(t, cluster, "n3")
	if got := cluster.Client().WhoHas(vip); !slices.Equal(got, []string{"n1", "n3"}) {
		t.Errorf("ARP is answered by %v, want n1 and n3", got)
	}
}

func TestProber_MeasuresAnOutage(t *testing.T) {
	cluster := lab.Shared(t)
	n1 := cluster.Node("n1")
	pod := cluster.Pod("direct", "n1")
	viaNode(t, cluster, n1, pod)
	probe := cluster.Client().Probe(fmt.Sprintf("http://%s:%d/", pod.V4, lab.PodPort))
	lab.Eventually(t, 5*time.Second, "the pod serves", func() error { return probe.ServedSince(time.Time{}) })
	crashed := time.Now()
	n1.Crash()
	lab.Eventually(t, 5*time.Second, "connections fail", probe.Failing)
	n1.Return()
	back := time.Now()
	lab.Eventually(t, 10*time.Second, "the pod serves again", func() error { return probe.ServedSince(back) })
	whole := time.Since(crashed)
	report := probe.Stop()
	t.Log(report)
	if report.Outage() < back.Sub(crashed)-50*time.Millisecond || report.Outage() > whole {
		t.Errorf("outage %s, but it was between %s and %s", report.Outage(), back.Sub(crashed), whole)
	}
}

func TestProber_TellsBrokenFromUnopenedConnections(t *testing.T) {
	cluster := lab.Shared(t)
	n1 := cluster.Node("n1")
	listener, err := n1.Listen(t.Context(), ":8081")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { listener.Close() })
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			conn.Close()
		}
	}()
	for port, breaks := range map[string]bool{"8081": true, "8082": false} {
		probe := cluster.Client().Probe(fmt.Sprintf("http://%s:%s/", n1.V4, port))
		lab.Eventually(t, 5*time.Second, "connections fail", probe.Failing)
		report := probe.Stop()
		if broken := len(report.Broken()); report.Failed() != len(report.Attempts) || breaks && broken != report.Failed() || !breaks && broken > 0 {
			t.Errorf("port %s: %s, of which %d broke", port, report, broken)
		}
	}
}

// A client that knows the host goes on to reach it when that stops to answer; one that must ask anew does not.
func TestProber_SeesNoAnswerWhenItForgets(t *testing.T) {
	cluster := lab.Shared(t)
	cluster.Pod("web", "n2")
	cluster.Apply(service)
	cluster.Kubectl("patch", "service", "web", "--subresource=status", "--type=merge", "-p",
		fmt.Sprintf(`{"status":{"loadBalancer":{"ingress":[{"ip":"%s","ipMode":"VIP"}]}}}`, vip))
	address := func(verb string) {
		t.Helper()
		_, err := cluster.Node("n1").Run(context.Background(), "", "ip", "addr", verb, vip.String()+"/32", "dev", "eth0")
		if err != nil {
			t.Error(err)
		}
	}
	address("add")
	page := fmt.Sprintf("http://%s/", vip)
	cluster.Client().MustGet(page)
	probe := cluster.Client().Probe(page)
	address("del")
	silent := time.Now()
	lab.Eventually(t, 5*time.Second, "it is served all the same", func() error {
		return probe.ServedSince(silent.Add(500 * time.Millisecond))
	})
	if err := probe.Failing(); err == nil {
		t.Error("a connection has failed though the client knows the host")
	}
	probe.Forget()
	lab.Eventually(t, 5*time.Second, "it sees that nobody answers", probe.Failing)
}

func TestNode_CrashesAndReturns(t *testing.T) {
	cluster := lab.Shared(t)
	n3 := cluster.Node("n3")
	n3.Crash()
	if got := cluster.Client().WhoHas(n3.V4); len(got) != 0 {
		t.Errorf("the crashed node is answered for by %v", got)
	}
	n3.Return()
	lab.Eventually(t, 5*time.Second, "n3 answers", func() error {
		if got := cluster.Client().WhoHas(n3.V4); !slices.Equal(got, []string{"n3"}) {
			return fmt.Errorf("ARP is answered by %v", got)
		}
		return nil
	})
	if got := cluster.Client().WhoHas(n3.V6); !slices.Equal(got, []string{"n3"}) {
		t.Errorf("neighbor discovery is answered by %v, want n3", got)
	}
}

func TestCluster_PartitionSeparatesAndHeals(t *testing.T) {
	cluster := lab.Shared(t)
	cluster.Partition("n1")
	if got := cluster.Client().WhoHas(cluster.Node("n1").V4); len(got) != 0 {
		t.Errorf("n1 on its island is answered for by %v", got)
	}
	cluster.Heal()
	if got := cluster.Client().WhoHas(cluster.Node("n1").V4); !slices.Equal(got, []string{"n1"}) {
		t.Errorf("after healing ARP is answered by %v", got)
	}
}

func TestCluster_APIServerStopsAndStarts(t *testing.T) {
	cluster := lab.Shared(t)
	cluster.StopAPIServer()
	if _, err := cluster.TryKubectl("", "get", "nodes", "--request-timeout=1s"); err == nil {
		t.Error("kubectl works without an API server")
	}
	cluster.StartAPIServer()
	cluster.Kubectl("get", "nodes")
}

func TestRouter_KnowsItsNeighbors(t *testing.T) {
	for _, kind := range []lab.RouterKind{lab.FRR, lab.BIRD, lab.GoBGP} {
		t.Run(string(kind), func(t *testing.T) {
			lab.Need(t, kind)
			cluster := lab.Shared(t)
			cluster.Router().Configure(kind, lab.RouterSettings{Password: "secret", BFD: 300 * time.Millisecond, V6: true})
			lab.Eventually(t, 5*time.Second, "the router expects every node", func() error {
				sessions := cluster.Router().Sessions()
				for _, name := range cluster.NodeNames() {
					if sessions[name] == "" || sessions[name] == "Established" {
						return fmt.Errorf("sessions are %v", sessions)
					}
				}
				return nil
			})
			t.Log(cluster.Router().Sessions(), cluster.Router().View())
		})
	}
}

func TestControlPlane_ServesTheAPI(t *testing.T) {
	config := lab.ControlPlane(t)
	if config.Host == "" {
		t.Fatal(errors.New("no host"))
	}
}

// viaNode lets the client reach the pod itself.
func viaNode(t *testing.T, cluster *lab.Cluster, node lab.Node, pod *lab.Pod) {
	t.Helper()
	_, err := cluster.Client().Run(context.Background(), "", "ip", "route", "replace", pod.V4.String(), "via", node.V4.String())
	if err != nil {
		t.Fatal(err)
	}
}

// hold gives the address to a node's interface; its kernel then answers ARP for it.
func hold(t *testing.T, cluster *lab.Cluster, node string) {
	t.Helper()
	for _, verb := range []string{"add", "del"} {
		do := func() {
			_, err := cluster.Node(node).Run(context.Background(), "", "ip", "addr", verb, vip.String()+"/32", "dev", "eth0")
			if err != nil {
				t.Error(err)
			}
		}
		if verb == "add" {
			do()
		} else {
			t.Cleanup(do)
		}
	}
}
