package lab

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// Node is a node in the hands of a test.
type Node struct {
	*node
	c *Cluster
}

type node struct {
	*Host
	number  int // counted from one
	podsV4  netip.Prefix
	podsV6  netip.Prefix
	given   int // pod addresses given out so far
	proxy   *Program
	speaker *Program
}

func (w *world) addNode(number int) error {
	host, err := w.join(fmt.Sprintf("n%d", number), onSegmentOf(nodeAddress(number)))
	if err != nil {
		return err
	}
	n := &node{Host: host, number: number}
	n.podsV4, n.podsV6 = podRanges(number)
	for _, other := range w.nodes {
		err := errors.Join(
			n.route(other.podsV4, other.V4, "eth0", 0), n.route(other.podsV6, other.V6, "eth0", 0),
			other.route(n.podsV4, n.V4, "eth0", 0), other.route(n.podsV6, n.V6, "eth0", 0),
		)
		if err != nil {
			return err
		}
	}
	w.nodes = append(w.nodes, n)
	return n.sysctl(forwards)
}

// startNodes writes the Node objects and starts the service proxies.
func (w *world) startNodes() error {
	for _, n := range w.nodes {
		if err := w.register(n); err != nil {
			return err
		}
		if err := w.startProxy(n, w.proxy); err != nil {
			return err
		}
	}
	_, err := eventually(30*time.Second, func() error {
		ctx, cancel := background()
		defer cancel()
		return w.api.Get(ctx, client.ObjectKey{Name: "default"}, &corev1.Namespace{})
	})
	if err != nil {
		return fmt.Errorf("wait for the default namespace: %w", err)
	}
	return w.proxiesReady()
}

// register writes the Node object with the status that a kubelet would write.
func (w *world) register(n *node) error {
	ctx, cancel := background()
	defer cancel()
	object := &corev1.Node{
		ObjectMeta: metav1.ObjectMeta{Name: n.Name, Labels: map[string]string{
			"kubernetes.io/hostname": n.Name, "kubernetes.io/os": "linux", "kubernetes.io/arch": "amd64",
		}},
		Spec: corev1.NodeSpec{PodCIDR: n.podsV4.String(), PodCIDRs: []string{n.podsV4.String(), n.podsV6.String()}},
	}
	if err := w.api.Create(ctx, object); err != nil {
		return fmt.Errorf("register %s: %w", n.Name, err)
	}
	object.Status.Addresses = []corev1.NodeAddress{
		{Type: corev1.NodeInternalIP, Address: n.V4.String()},
		{Type: corev1.NodeInternalIP, Address: n.V6.String()},
		{Type: corev1.NodeHostName, Address: n.Name},
	}
	object.Status.NodeInfo.KubeletVersion = KubernetesVersion
	object.Status.Conditions = []corev1.NodeCondition{{
		Type: corev1.NodeReady, Status: corev1.ConditionTrue, Reason: "KubeletReady",
		Message: "the lab plays the kubelet", LastTransitionTime: metav1.Now(), LastHeartbeatTime: metav1.Now(),
	}}
	if err := w.api.Status().Update(ctx, object); err != nil {
		return fmt.Errorf("report %s ready: %w", n.Name, err)
	}
	return nil
}

// Node is the node of that name.
func (c *Cluster) Node(name string) Node {
	c.t.Helper()
	for _, n := range c.nodes {
		if n.Name == name {
			return Node{n, c}
		}
	}
	c.t.Fatalf("there is no node %q", name)
	return Node{}
}

// Nodes are all nodes in order.
func (c *Cluster) Nodes() (all []Node) {
	for _, n := range c.nodes {
		all = append(all, Node{n, c})
	}
	return all
}

// NodeNames are the names of all nodes in order.
func (c *Cluster) NodeNames() (all []string) {
	for _, n := range c.nodes {
		all = append(all, n.Name)
	}
	return all
}

// Owner is the name of the host that has the MAC, or the MAC itself when no host of the lab does.
func (c *Cluster) Owner(mac net.HardwareAddr) string {
	c.mu.Lock()
	hosts := c.hosts
	c.mu.Unlock()
	for _, h := range hosts {
		if bytes.Equal(h.MAC, mac) || len(mac) > 0 && bytes.Equal(h.secondMAC, mac) {
			return h.Name
		}
	}
	return mac.String()
}

// NodeAt is the node with that address on the segment, or the address itself.
func (c *Cluster) NodeAt(address netip.Addr) string {
	for _, n := range c.nodes {
		if n.V4 == address || n.V6 == address {
			return n.Name
		}
	}
	return address.String()
}

// Crash takes the node off the network without a word, as a loss of power does. The test's end brings it back.
func (n Node) Crash() {
	n.c.t.Helper()
	n.c.t.Cleanup(n.Return)
	n.c.must("crash "+n.Name, n.c.fabric.carrier(n.Name, false))
}

// Return plugs the node in again.
func (n Node) Return() {
	n.c.t.Helper()
	n.c.must("return "+n.Name, n.c.fabric.carrier(n.Name, true))
}

// Proxy is the node's service proxy.
func (n Node) Proxy() Daemon { return Daemon{n.proxy, n.c} }

// Get fetches a page from a port of the node itself, standing on the API server's host: the status code and the body.
func (n Node) Get(port int, path string) (int, string, error) {
	url := fmt.Sprintf("http://%s%s", netip.AddrPortFrom(n.V4, uint16(port)), path)
	return fetch(context.Background(), n.c.here, url)
}

// Label sets labels on the Node object, `key=value` or `key-`; the test's end does not undo it.
func (n Node) Label(labels ...string) {
	n.c.t.Helper()
	n.c.Kubectl(strings.Fields("label --overwrite node " + n.Name + " " + strings.Join(labels, " "))...)
}
