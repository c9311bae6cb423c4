package e2e_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/daymark-lb/daymark/e2e/lab"
)

// Promise: a node whose kube-proxy is dead attracts nothing, and when it is dead on all nodes nothing is withdrawn. Health-check ports
// are kube-proxy's as soon as it is there.

// proxyTimeout is how long a node may need to leave: 10 s must pass, and as much again where the speakers do not talk to each other.
const proxyTimeout = 40 * time.Second

func TestServiceProxy_NodeOfADeadOneAttractsNothing(t *testing.T) {
	lab.Need(t, lab.KubeProxy)
	cluster := daymark(t, lab.WithProxy(lab.KubeProxy))
	cluster.Pod("proxied", "n1")
	cluster.Apply(peer("proxied") + "\n---" + strings.ReplaceAll(bothWays, "near", "proxied"))
	cluster.Apply(segmentPool("proxied", "192.0.2.215-192.0.2.219"))
	cluster.Apply(service("proxied", "proxied"))
	address, _ := cluster.Service("proxied").AwaitAddress()
	awaitNextHops(t, cluster, address.String(), "n1", "n2", "n3")
	holder := awaitHolder(t, cluster, address)
	var rest []string
	for _, name := range cluster.NodeNames() {
		if name != holder {
			rest = append(rest, name)
		}
	}
	observed := cluster.Client().Watch(address)
	defer observed.Stop()
	near, far := cluster.Client().Probe(url(address)), cluster.FarClient().Probe(url(address))

	proxy := cluster.Node(holder).Proxy()
	t.Cleanup(func() { ensure(proxy) })
	watch := cluster.Router().Watch(address.String())
	proxy.Kill()                // and back within a few seconds: nothing moves
	time.Sleep(2 * time.Second) // the time that it is away is what is tested
	proxy.Start()
	lab.Eventually(t, waitTimeout, "the speaker sees kube-proxy work again", func() error {
		works, err := cluster.Node(holder).Speaker().Metric(7472, "daymark_service_proxy_working")
		if err == nil && works != 1 {
			err = fmt.Errorf("it sees %v", works)
		}
		return err
	})
	awaitProxyCondition(t, cluster, holder, "False Works")
	if changes := watch.Stop(); len(changes) > 1 || cluster.Client().Holder(address) != holder {
		t.Errorf("a restart of kube-proxy moved what %s attracts: %v", holder, changes)
	}

	watch = cluster.Router().Watch(address.String())
	killed := time.Now()
	proxy.Kill()
	lab.Eventually(t, proxyTimeout, "the router does not forward to "+holder, func() error {
		if got := cluster.Router().NextHopNodes(address.String()); fmt.Sprint(got) != fmt.Sprint(rest) {
			return fmt.Errorf("it forwards to %v", got)
		}
		return nil
	})
	took := time.Since(killed)
	if took < 9*time.Second {
		t.Errorf("%s lost its share after %s", holder, took)
	}
	awaitHolder(t, cluster, address, rest...)
	awaitProxyCondition(t, cluster, holder, "True AttractsNothing", "nothing listens at http://127.0.0.1:10256/healthz")

	proxy.Start()
	returned := time.Now()
	awaitNextHops(t, cluster, address.String(), "n1", "n2", "n3")
	t.Logf("%s lost its share after %s and had it again %s after the start of kube-proxy", holder, took, time.Since(returned))
	awaitProxyCondition(t, cluster, holder, "False Works")
	mustHaveServedAll(t, near.Stop(), observed.Seen())
	mustHaveServedAllRouted(t, far.Stop(), watch.Stop())
}

func TestServiceProxy_AllDeadWithdrawNothing(t *testing.T) {
	lab.Need(t, lab.PacedProxy)
	cluster := daymark(t, lab.WithProxy(lab.PacedProxy)) // It is refused a port once for each time that it writes its rules.
	pod, port := localService(t, cluster)
	cluster.Apply(peer("all") + "\n---" + routedPool("all", "198.19.30.0/24"))
	cluster.PodWith("all", "n1", map[string]string{"app": "all"})
	cluster.Apply(service("all", "all"))
	address, _ := cluster.Service("all").AwaitAddress()
	awaitNextHops(t, cluster, address.String(), "n1", "n2", "n3")
	awaitHealthy(t, cluster, port, pod.Node())
	local, _ := cluster.Service("healthy").AwaitAddress()
	holder := awaitHolder(t, cluster, local)

	watch := cluster.Router().Watch(address.String())
	for _, node := range cluster.Nodes() {
		proxy := node.Proxy()
		t.Cleanup(func() { ensure(proxy) })
		proxy.Kill()
	}
	for _, node := range cluster.NodeNames() {
		awaitProxyCondition(t, cluster, node, "True FailsOnMostNodes", "announces all the same")
	}
	// The speakers answer in place of the dead, and say that they are.
	lab.Eventually(t, waitTimeout, "the health-check port says that kube-proxy is dead", func() error {
		status, body, err := cluster.Node(pod.Node()).Get(port, "/healthz")
		if err == nil && (status != 503 || !strings.Contains(body, `"localEndpoints": 1`) || !strings.Contains(body, `"serviceProxyHealthy": false`)) {
			err = fmt.Errorf("it answers %d %s", status, body)
		}
		return err
	})
	if changes := watch.Stop(); len(changes) > 1 {
		t.Errorf("kube-proxy is dead on all nodes, and the next hops were %v", changes)
	}
	awaitHolder(t, cluster, local, holder)

	// They give the ports back.
	for _, node := range cluster.Nodes() {
		node.Proxy().Start()
	}
	awaitHealthy(t, cluster, port, pod.Node())
	for _, node := range cluster.Nodes() {
		awaitProxyCondition(t, cluster, node.Name, "False Works")
		lab.Eventually(t, waitTimeout, "kube-proxy serves the port on "+node.Name, func() error {
			served, err := node.Speaker().Metric(7472, `daymark_health_ports{state="served"}`)
			if err == nil && served > 0 {
				err = fmt.Errorf("the speaker serves %v", served)
			}
			return err
		})
		if refused := strings.Count(node.Proxy().Output(), "Failed to start healthcheck"); refused > 1 {
			t.Errorf("kube-proxy on %s was refused its port %d times", node.Name, refused)
		}
	}
}

// Promise: where the speakers do not talk to each other, no node is withdrawn while kube-proxy is dead on all, and one that is the last with a
// dead kube-proxy is.
func TestServiceProxy_WithoutGossip(t *testing.T) {
	lab.Need(t, lab.KubeProxy)
	cluster := daymark(t, lab.WithProxy(lab.KubeProxy))
	cluster.UseSpeakerFlags("--gossip-bind-address=0")
	cluster.Pod("asks", "n1")
	cluster.Apply(peer("asks") + "\n---" + routedPool("asks", "198.19.31.0/24"))
	cluster.Apply(service("asks", "asks"))
	address, _ := cluster.Service("asks").AwaitAddress()
	awaitNextHops(t, cluster, address.String(), "n1", "n2", "n3")
	for _, node := range cluster.NodeNames() {
		awaitProxyCondition(t, cluster, node, "False Works")
	}

	watch := cluster.Router().Watch(address.String())
	for _, node := range cluster.Nodes() {
		proxy := node.Proxy()
		t.Cleanup(func() { ensure(proxy) })
		proxy.Kill()
	}
	for _, node := range cluster.NodeNames() {
		awaitProxyCondition(t, cluster, node, "True OthersUnknown", "announces all the same")
	}
	if changes := watch.Stop(); len(changes) > 1 {
		t.Errorf("kube-proxy is dead on all nodes, and the next hops were %v", changes)
	}

	cluster.Node("n2").Proxy().Start()
	cluster.Node("n3").Proxy().Start()
	returned := time.Now()
	awaitProxyCondition(t, cluster, "n1", "True AttractsNothing")
	awaitNextHops(t, cluster, address.String(), "n2", "n3")
	t.Logf("n1 lost its share %s after the start of kube-proxy on n2 and n3", time.Since(returned))
	cluster.Node("n1").Proxy().Start()
	awaitNextHops(t, cluster, address.String(), "n1", "n2", "n3")
}

// ensure starts a program that does not run.
func ensure(d lab.Daemon) {
	if !d.Running() {
		d.Start()
	}
}

func awaitProxyCondition(t *testing.T, cluster *lab.Cluster, node, begins string, contains ...string) {
	t.Helper()
	lab.Eventually(t, proxyTimeout, fmt.Sprintf("ServiceProxyUnhealthy of %s is %s", node, begins), func() error {
		o, err := cluster.Look("daymark.io/v1beta1", "Speaker", node)
		if err != nil {
			return err
		}
		return differs(lab.Condition(o, "ServiceProxyUnhealthy"), begins, contains)
	})
}
