// Package kubelet is a lab whose nodes are real: containerd, runc, CNI, kubelet and kube-proxy on every one, a scheduler, all
// controllers, Kubernetes' own admission, and a registry that serves images under the names that they are released by. What is
// installed here is what is published, and runs as it would anywhere. The network is that of package lab: a segment with a
// client, an FRR router, and a client behind it.
//
// It needs root, and everything it makes is in namespaces of its own but for cgroups, which it removes. It refuses to know what is
// tested.
package kubelet

import (
	"errors"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/daymark-lb/daymark/e2e/kubelet/machine"
	"github.com/daymark-lb/daymark/e2e/lab/check"
	"github.com/daymark-lb/daymark/e2e/lab/controlplane"
	"github.com/daymark-lb/daymark/e2e/lab/probe"
	"github.com/daymark-lb/daymark/e2e/lab/router"
	"github.com/daymark-lb/daymark/e2e/lab/sandbox"
	"github.com/daymark-lb/daymark/e2e/lab/segment"
)

// Settings say what the lab has.
type Settings struct {
	Nodes  int     // 3 unless set
	Proxy  string  // mode of kube-proxy, nftables unless set
	V6     bool    // IPv6 is the only family of nodes, pods and Services, and not IPv4
	Images []Image // what the registry serves beside PauseImage and WebImage
}

// Cluster is a lab that is up. What it is asked to do and cannot fails the test that has it.
type Cluster struct {
	*controlplane.ControlPlane
	Router *router.Router
	Nodes  []*machine.Machine

	t       check.T
	dir     string
	network *segment.Segment
	here    *segment.Host // the API server's, which this process is on
	server  netip.Addr    // its address of the cluster's family
	client  *segment.Host
	far     *segment.Host
	ends    []func() error // what takes the lab down, in the order it was brought up
	names   *nameServer
}

// Start brings up a lab. It is taken down when the test ends.
func Start(t check.T, s Settings) *Cluster {
	t.Helper()
	if s.Nodes == 0 {
		s.Nodes = 3
	}
	if s.Proxy == "" {
		s.Proxy = "nftables"
	}
	c := &Cluster{t: t}
	t.Cleanup(func() { check.Must(t, "take the lab down", c.takeDown()) })
	for _, step := range []struct {
		what string
		do   func(Settings) error
	}{
		{"lay the network", c.layNetwork},
		{"start the registry", c.startRegistry},
		{"start the control plane", c.startControlPlane},
		{"start the nodes", c.startNodes},
		{"start the router", c.startRouter},
	} {
		began := time.Now()
		check.Must(t, step.what, step.do(s))
		t.Logf("%s: %.1f s", step.what, time.Since(began).Seconds())
	}
	return c
}

func (c *Cluster) atEnd(end func() error) { c.ends = append(c.ends, end) }

func (c *Cluster) takeDown() error {
	var errs []error
	for i := len(c.ends) - 1; i >= 0; i-- {
		errs = append(errs, c.ends[i]())
	}
	return errors.Join(errs...)
}

// layNetwork makes the segment and all hosts on and behind it. Every node, and the API server for webhooks, reaches all pods.
func (c *Cluster) layNetwork(s Settings) (err error) {
	if c.dir, err = sandbox.NewFolder("kubelet"); err != nil {
		return err
	}
	if err := os.Chmod(c.dir, 0o755); err != nil { // containers of other users have mounts below it
		return err
	}
	cgroups, err := machine.NewCgroups(filepath.Join(c.dir, "cgroup"))
	if err != nil {
		return err
	}
	c.atEnd(cgroups.Close)
	if c.network, err = segment.New(); err != nil {
		return err
	}
	c.atEnd(func() error { return c.network.Remove() })
	if c.here, err = c.network.JoinCurrent("api", segment.APIServerV4); err != nil {
		return err
	}
	if c.client, err = c.network.Join("client", segment.ClientV4); err != nil {
		return err
	}
	c.server = segment.APIServerV4
	if s.V6 {
		c.server = c.here.V6
	}
	for i := range s.Nodes {
		m, err := machine.New(c.network, i+1, c.dir, cgroups, s.V6)
		if err != nil {
			return err
		}
		c.Nodes = append(c.Nodes, m)
		c.atEnd(m.Kill)
	}
	return c.routePods()
}

// routePods tells every host that calls pods where they are.
func (c *Cluster) routePods() (err error) {
	hosts := []*segment.Host{c.here}
	for _, m := range c.Nodes {
		hosts = append(hosts, m.Host)
	}
	for _, h := range hosts {
		for _, m := range c.Nodes {
			if h != m.Host {
				err = errors.Join(err, m.RoutePods(h))
			}
		}
	}
	return err
}

func (c *Cluster) startControlPlane(Settings) (err error) {
	var names []string
	for _, m := range c.Nodes {
		names = append(names, m.Name)
	}
	if c.ControlPlane, err = controlplane.NewForKubelets(c.server, names); err != nil {
		return err
	}
	c.atEnd(c.Stop)
	if err := errors.Join(c.Start(), c.StartControllerManager()); err != nil {
		return err
	}
	c.names, err = serveNames(netip.AddrPortFrom(c.server, 53), c.API)
	if err == nil {
		c.atEnd(c.names.Close)
	}
	return err
}

// startNodes turns all nodes on and waits until kubelets say that they are ready.
func (c *Cluster) startNodes(s Settings) error {
	for _, m := range c.Nodes {
		ranges := m.PodRanges()
		object := &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: m.Name}, Spec: corev1.NodeSpec{PodCIDR: ranges[0], PodCIDRs: ranges}}
		ctx, cancel := check.Context()
		err := c.API.Create(ctx, object) // the kubelet finds it and adds the rest
		cancel()
		settings := machine.Settings{Proxy: s.Proxy, Pause: PauseImage, Kubeconfig: c.Kubeconfig, ClientCA: c.ClientCertificate(), Server: c.server}
		if err := errors.Join(err, m.Configure(c.ControlPlane, settings)); err != nil {
			return err
		}
		if err := m.Start(); err != nil {
			return err
		}
	}
	for _, m := range c.Nodes {
		c.AwaitReady(m)
	}
	return nil
}

// AwaitReady waits until the node is ready, as its kubelet says.
func (c *Cluster) AwaitReady(m *machine.Machine) {
	c.t.Helper()
	check.Eventually(c.t, time.Minute, m.Name+" is ready", func() error {
		node, err := c.Look("v1", "Node", m.Name)
		if err != nil {
			return err
		}
		if ready := controlplane.Condition(node, "Ready"); len(ready) < 4 || ready[:4] != "True" {
			return fmt.Errorf("%s\n%s", ready, m.Tail("kubelet", 5))
		}
		return nil
	})
}

func (c *Cluster) startRouter(s Settings) error {
	host, err := c.network.Join("router", segment.RouterV4)
	if err != nil {
		return err
	}
	if err := host.SetKernel(segment.Forwarding); err != nil {
		return err
	}
	var nodes []netip.Addr
	for _, m := range c.Nodes {
		nodes = append(nodes, m.Address())
	}
	if c.Router, err = router.New(host, filepath.Join(c.dir, "router"), nodes); err != nil {
		return err
	}
	c.atEnd(c.Router.Stop)
	if c.far, err = c.network.LayFarSide(host); err != nil {
		return err
	}
	return c.Router.Replace(router.Any.OrBest(), router.Settings{V6: s.V6})
}

// Client is the client on the segment.
func (c *Cluster) Client() probe.Client { return c.asClient(c.client) }

// FarClient is the client behind the router.
func (c *Cluster) FarClient() probe.Client { return c.asClient(c.far) }

func (c *Cluster) asClient(host *segment.Host) probe.Client {
	var nodes []*segment.Host
	for _, m := range c.Nodes {
		nodes = append(nodes, m.Host)
	}
	return probe.NewClient(c.t, host, c.network, nodes)
}

// Logs is the folder of all logs.
func (c *Cluster) Logs() string { return c.dir }

// Node is the node of that name.
func (c *Cluster) Node(name string) *machine.Machine {
	c.t.Helper()
	for _, m := range c.Nodes {
		if m.Name == name {
			return m
		}
	}
	c.t.Fatalf("there is no node %q", name)
	return nil
}

// Plug connects a node to the segment, or, with on false, is as if its cable were pulled.
func (c *Cluster) Plug(node string, on bool) {
	c.t.Helper()
	check.Must(c.t, "switch the port of "+node, c.network.SetCarrier(node, on))
}

// Await waits up to a minute until the condition holds.
func (c *Cluster) Await(what string, condition func() error) {
	c.t.Helper()
	check.Eventually(c.t, time.Minute, what, condition)
}
