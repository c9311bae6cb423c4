package lb

import (
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/daymark-lb/daymark/api/v1beta1"
)

// taintVirtual is the taint of nodes that are no machines (virtual-kubelet).
const taintVirtual = "virtual-kubelet.io/provider"

// Node is what Daymark reads from a Node.
type Node struct {
	Name        string
	UID         types.UID
	Labels      map[string]string
	Annotations map[string]string
	// Addresses of type InternalIP.
	Addresses []netip.Addr
	// External are the addresses of type ExternalIP that are not in Addresses.
	External []netip.Addr
	// PodCIDRs are the ranges of the node's pods.
	PodCIDRs []Range

	// Unschedulable: the node is cordoned.
	Unschedulable bool
	// Down: the condition Ready is not True. The control plane has not heard from the node for some time, or the node says so.
	Down bool
	// ReadyChanged is when the condition Ready came to be as it is; the zero time when the node has none.
	ReadyChanged time.Time
	// Virtual: the node has the taint virtual-kubelet.io/provider. There is no machine on which a Pod could use the network.
	Virtual bool
	// NetworkUnavailable: the condition NetworkUnavailable is True.
	NetworkUnavailable bool
	// Excluded: the node has the label node.kubernetes.io/exclude-from-external-load-balancers.
	Excluded bool
	// OutOfService: the node has the taint node.kubernetes.io/out-of-service.
	OutOfService bool
	// Draining: the annotation daymark.io/drain is "true".
	Draining bool
}

// ParseNode parses a Node.
func ParseNode(from *corev1.Node) *Node {
	n := &Node{
		Name:          from.Name,
		UID:           from.UID,
		Labels:        from.Labels,
		Annotations:   from.Annotations,
		Unschedulable: from.Spec.Unschedulable,
		Draining:      from.Annotations[v1beta1.AnnotationDrain] == "true",
	}
	_, n.Excluded = from.Labels[corev1.LabelNodeExcludeBalancers]
	for _, taint := range from.Spec.Taints {
		n.OutOfService = n.OutOfService || taint.Key == corev1.TaintNodeOutOfService
		n.Virtual = n.Virtual || taint.Key == taintVirtual
	}
	for _, condition := range from.Status.Conditions {
		if condition.Type == corev1.NodeNetworkUnavailable && condition.Status == corev1.ConditionTrue {
			n.NetworkUnavailable = true
		}
		if condition.Type == corev1.NodeReady {
			n.Down, n.ReadyChanged = condition.Status != corev1.ConditionTrue, condition.LastTransitionTime.Time
		}
	}
	for _, text := range from.Spec.PodCIDRs {
		if prefix, err := netip.ParsePrefix(text); err == nil {
			n.PodCIDRs = append(n.PodCIDRs, RangeOf(prefix))
		}
	}
	for _, address := range from.Status.Addresses {
		addr, err := ParseAddr(address.Address)
		switch {
		case err != nil: // a host name
		case address.Type == corev1.NodeInternalIP:
			n.Addresses = append(n.Addresses, addr)
		case address.Type == corev1.NodeExternalIP:
			n.External = append(n.External, addr)
		}
	}
	n.External = slices.DeleteFunc(n.External, func(addr netip.Addr) bool { return slices.Contains(n.Addresses, addr) })
	return n
}

// AllAddresses returns all addresses of the node. None of them may be given to a Service.
func (n *Node) AllAddresses() []netip.Addr { return slices.Concat(n.Addresses, n.External) }

// Address returns the node's first InternalIP of a family; false when there is none.
func (n *Node) Address(family Family) (netip.Addr, bool) {
	for _, addr := range n.Addresses {
		if FamilyOf(addr) == family {
			return addr, true
		}
	}
	return netip.Addr{}, false
}

// Weight returns the weight that the node's annotation gives it, and says what is wrong with that one; it is 1 then.
func (n *Node) Weight() (weight int, problem string) {
	text, has := n.Annotations[v1beta1.AnnotationWeight]
	if !has {
		return 1, "it has no annotation " + v1beta1.AnnotationWeight
	}
	weight, err := strconv.Atoi(strings.TrimSpace(text))
	if err != nil || weight < 1 || weight > v1beta1.MaxWeight {
		return 1, fmt.Sprintf("its annotation %s, %s, is no number from 1 to %d", v1beta1.AnnotationWeight, quote(text), v1beta1.MaxWeight)
	}
	return weight, ""
}

// NoSpeaker says why no speaker can run on the node; empty when one can. A label that does not say which system it is says nothing.
func (n *Node) NoSpeaker() string {
	system := n.Labels[corev1.LabelOSStable]
	switch {
	case n.Virtual:
		return "it is virtual"
	case system != "" && system != "linux":
		return "its system is " + system
	}
	return ""
}
