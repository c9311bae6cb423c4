package lb

import (
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
)

func TestOwnAddressesOfANodeAreInternalAndExternal(t *testing.T) {
	node := ParseNode(&corev1.Node{Status: corev1.NodeStatus{Addresses: []corev1.NodeAddress{
		{Type: corev1.NodeExternalIP, Address: "198.51.100.1"},
		{Type: corev1.NodeExternalIP, Address: "192.0.2.1"}, // some clouds report one address twice
		{Type: corev1.NodeInternalIP, Address: "192.0.2.1"},
		{Type: corev1.NodeExternalDNS, Address: "n1.example.com"},
	}}})
	if got := strings.Join(Strings(node.Own()), " "); got != "192.0.2.1 198.51.100.1" {
		t.Errorf("its own are %q", got)
	}
	if addr, _ := node.Address(IPv4); addr.String() != "192.0.2.1" {
		t.Errorf("it is reached at %s", addr)
	}
}
