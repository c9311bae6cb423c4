package lb

import (
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

func TestNode_AllAddressesAreInternalAndExternal(t *testing.T) {
	node := ParseNode(&corev1.Node{Status: corev1.NodeStatus{Addresses: []corev1.NodeAddress{
		{Type: corev1.NodeExternalIP, Address: "198.51.100.1"},
		{Type: corev1.NodeExternalIP, Address: "192.0.2.1"}, // some clouds report one address twice
		{Type: corev1.NodeInternalIP, Address: "192.0.2.1"},
		{Type: corev1.NodeExternalDNS, Address: "n1.example.com"},
	}}})
	if got := strings.Join(Strings(node.AllAddresses()), " "); got != "192.0.2.1 198.51.100.1" {
		t.Errorf("its own are %q", got)
	}
	if addr, _ := node.Address(IPv4); addr.String() != "192.0.2.1" {
		t.Errorf("it is reached at %s", addr)
	}
}

func TestParseNode_EverythingAgainstTheNode(t *testing.T) {
	node := ParseNode(&corev1.Node{
		ObjectMeta: metav1.ObjectMeta{
			Name: "n1", Labels: map[string]string{corev1.LabelNodeExcludeBalancers: ""}, Annotations: map[string]string{"daymark.io/drain": "true"},
		},
		Spec: corev1.NodeSpec{Unschedulable: true, Taints: []corev1.Taint{{Key: corev1.TaintNodeOutOfService}, {Key: "virtual-kubelet.io/provider"}}},
		Status: corev1.NodeStatus{
			Conditions: []corev1.NodeCondition{{Type: corev1.NodeNetworkUnavailable, Status: corev1.ConditionTrue}},
			Addresses: []corev1.NodeAddress{
				{Type: corev1.NodeHostName, Address: "n1"},
				{Type: corev1.NodeInternalIP, Address: "192.0.2.11"},
				{Type: corev1.NodeInternalIP, Address: "2001:db8::11"},
			},
		},
	})
	if !node.Excluded || !node.Draining || node.NoSpeaker() == "" || !node.Unschedulable || !node.OutOfService || !node.NetworkUnavailable {
		t.Errorf("something against the node is not seen: %+v", node)
	}
	for family, want := range map[Family]string{IPv4: "192.0.2.11", IPv6: "2001:db8::11"} {
		if got, ok := node.Address(family); !ok || got.String() != want {
			t.Errorf("%s address %s, want %s", family, got, want)
		}
	}
}

func TestNode_NoSpeakerRunsOnOtherSystems(t *testing.T) {
	for system, want := range map[string]string{"": "", "linux": "", "windows": "its system is windows"} {
		node := ParseNode(&corev1.Node{ObjectMeta: metav1.ObjectMeta{Labels: map[string]string{corev1.LabelOSStable: system}}})
		if got := node.NoSpeaker(); got != want {
			t.Errorf("%q: %q, want %q", system, got, want)
		}
	}
}
