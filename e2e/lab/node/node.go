// Package node plays the kubelets: it writes Node and Pod objects and their status, runs a service proxy on each node, and
// pods that are HTTP servers. It refuses to run containers, and to know of Daymark.
package node

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"sync"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/daymark-lb/daymark/e2e/lab/build"
	"github.com/daymark-lb/daymark/e2e/lab/check"
	"github.com/daymark-lb/daymark/e2e/lab/controlplane"
	"github.com/daymark-lb/daymark/e2e/lab/segment"
	"github.com/daymark-lb/daymark/internal/testnet"
)

// Node is a host on the segment that the API server knows as a node.
type Node struct {
	*segment.Host
	PodsV4, PodsV6 netip.Prefix
	Proxy          *testnet.Process

	number int // counted from one

	mu        sync.Mutex
	allocated int // pod addresses given out so far, those given back among them
	pods      []*Pod
}

// New makes the host of a node, n1 for number 1, with routes to the pods of the others and theirs to its own.
func New(network *segment.Segment, number int, others []*Node) (*Node, error) {
	host, err := network.Join(fmt.Sprintf("n%d", number), segment.NodeAddress(number))
	if err != nil {
		return nil, err
	}
	n := &Node{Host: host, number: number}
	n.PodsV4, n.PodsV6 = segment.PodRanges(number)
	for _, other := range others {
		err := errors.Join(
			n.Route(other.PodsV4, other.V4, "eth0"), n.Route(other.PodsV6, other.V6, "eth0"),
			other.Route(n.PodsV4, n.V4, "eth0"), other.Route(n.PodsV6, n.V6, "eth0"),
		)
		if err != nil {
			return nil, err
		}
	}
	return n, n.SetKernel(segment.Forwarding)
}

// Register writes the Node object with the status that a kubelet would write.
func (n *Node) Register(plane *controlplane.ControlPlane) error {
	ctx, cancel := check.Context()
	defer cancel()
	object := &corev1.Node{
		ObjectMeta: metav1.ObjectMeta{Name: n.Name, Labels: map[string]string{
			"kubernetes.io/hostname": n.Name, "kubernetes.io/os": "linux", "kubernetes.io/arch": "amd64",
		}},
		Spec: corev1.NodeSpec{PodCIDR: n.PodsV4.String(), PodCIDRs: []string{n.PodsV4.String(), n.PodsV6.String()}},
	}
	if err := plane.API.Create(ctx, object); err != nil {
		return fmt.Errorf("register %s: %w", n.Name, err)
	}
	object.Status.Addresses = []corev1.NodeAddress{
		{Type: corev1.NodeInternalIP, Address: n.V4.String()},
		{Type: corev1.NodeInternalIP, Address: n.V6.String()},
		{Type: corev1.NodeHostName, Address: n.Name},
	}
	object.Status.NodeInfo.KubeletVersion = build.KubernetesVersion
	object.Status.Conditions = []corev1.NodeCondition{{
		Type: corev1.NodeReady, Status: corev1.ConditionTrue, Reason: "KubeletReady",
		Message: "the lab plays the kubelet", LastTransitionTime: metav1.Now(), LastHeartbeatTime: metav1.Now(),
	}}
	if err := plane.API.Status().Update(ctx, object); err != nil {
		return fmt.Errorf("report %s ready: %w", n.Name, err)
	}
	return nil
}

// allocate gives a pod the next addresses that no pod has, and returns the name of the node's link to it. It takes
// them in turn, so that a freed address is reused as late as possible: connections to the pod that had it may still exist.
func (n *Node) allocate(p *Pod) (port string, err error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for range segment.PodsPerNode {
		v4, v6 := segment.PodAddresses(n.number, 1+n.allocated%segment.PodsPerNode)
		n.allocated++
		if slices.ContainsFunc(n.pods, func(p *Pod) bool { return p.V4 == v4 }) {
			continue
		}
		p.V4, p.V6 = v4, v6
		n.pods = append(n.pods, p)
		return fmt.Sprintf("pod%d", n.allocated), nil
	}
	return "", fmt.Errorf("%s has given all its %d pod addresses", n.Name, segment.PodsPerNode)
}

// free gives the addresses of a pod back.
func (n *Node) free(p *Pod) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.pods = slices.DeleteFunc(n.pods, func(other *Pod) bool { return other == p })
}

// RemovePods takes the networks of all its pods away, and leaves their objects.
func (n *Node) RemovePods() error {
	n.mu.Lock()
	pods := slices.Clone(n.pods)
	n.mu.Unlock()
	var errs []error
	for _, p := range pods {
		errs = append(errs, p.down())
	}
	return errors.Join(errs...)
}
