// Package tenanttest has the largest objects that a user of one namespace can write, for tests and benchmarks of what they cost. Its
// one job is their sizes. It refuses to know what reads them.
package tenanttest

import (
	"fmt"
	"net/netip"
	"strings"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
)

// Ways to make a Service as large as the API server accepts.
var Ways = []string{"addresses", "addresses by the alias", "both", "pools", "key", "field", "labels", "ports", "externalIPs", "another type"}

// WithinBounds is a way to make a Service that is as large as Daymark accepts.
const WithinBounds = "within all bounds"

// Service makes a Service of type LoadBalancer in one of the Ways, or WithinBounds.
func Service(way string) *corev1.Service {
	s := &corev1.Service{Spec: corev1.ServiceSpec{Type: corev1.ServiceTypeLoadBalancer, IPFamilies: []corev1.IPFamily{corev1.IPv4Protocol}}}
	s.Namespace, s.Name, s.UID, s.Annotations, s.Labels = "evil", "web", "evil", map[string]string{}, map[string]string{}
	list := strings.Join(addresses(18_000), ",")
	switch way {
	case "addresses":
		s.Annotations["daymark.io/load-balancer-ips"] = list
	case "addresses by the alias":
		s.Annotations["metallb.io/loadBalancerIPs"] = list
	case "both":
		s.Annotations["daymark.io/load-balancer-ips"], s.Annotations["metallb.io/loadBalancerIPs"] = list[:len(list)/2], list[len(list)/2:]
	case "pools":
		s.Annotations["daymark.io/address-pool"] = strings.Repeat("p,q,", 60_000)
	case "key":
		s.Annotations["daymark.io/allow-shared-ip"] = strings.Repeat("k", 250_000)
	case "field":
		s.Spec.LoadBalancerIP = strings.Repeat("1", 1_000_000)
	case "labels":
		for i := range 40_000 {
			s.Labels[fmt.Sprintf("label-%d", i)] = "value"
		}
	case "ports":
		s.Annotations["daymark.io/allow-shared-ip"] = "key"
		s.Spec.Ports = ports(40_000)
	case "externalIPs":
		s.Spec.ExternalIPs = addresses(80_000)
	case "another type":
		s.Spec.Type = corev1.ServiceTypeClusterIP
		s.Annotations["daymark.io/load-balancer-ips"], s.Spec.Ports, s.Spec.ExternalIPs = list, ports(10_000), addresses(20_000)
	case WithinBounds:
		withinBounds(s)
	}
	return s
}

// withinBounds is as much of everything as may be. None of the addresses can be given.
func withinBounds(s *corev1.Service) {
	names := func(prefix string, count int) string {
		var list []string
		for i := range count {
			list = append(list, fmt.Sprintf("%s-%d", prefix, i))
		}
		return strings.Join(list, ",")
	}
	s.Annotations["daymark.io/load-balancer-ips"] = strings.Join(addresses(8), ",")
	s.Annotations["daymark.io/address-pool"] = names("pool", 16)
	s.Annotations["daymark.io/allow-shared-ip"] = strings.Repeat("k", 128)
	s.Annotations["daymark.io/allow-shared-ip-namespaces"] = names("namespace", 32)
	s.Spec.Ports, s.Spec.ExternalIPs = ports(512), addresses(16)
	for i := range 700 {
		s.Labels[fmt.Sprintf("label-%d", i)] = "value"
	}
}

// addresses are so many addresses of 192.0.2.0 and what follows.
func addresses(count int) []string {
	list := make([]string, count)
	addr := netip.MustParseAddr("192.0.2.0")
	for i := range list {
		list[i] = addr.String()
		addr = addr.Next()
	}
	return list
}

func ports(count int) []corev1.ServicePort {
	list := make([]corev1.ServicePort, count)
	for i := range list {
		list[i] = corev1.ServicePort{Name: fmt.Sprint("port-", i), Protocol: corev1.ProtocolTCP, Port: int32(i + 1)}
	}
	return list
}

// EndpointSlice has as many endpoints as a slice may have, each on a node of its own. The slices of several numbers have no endpoint
// and no node in common.
func EndpointSlice(number int) *discoveryv1.EndpointSlice {
	s := &discoveryv1.EndpointSlice{AddressType: discoveryv1.AddressTypeIPv4}
	s.Namespace, s.Name, s.Labels = "evil", fmt.Sprint("web-", number), map[string]string{discoveryv1.LabelServiceName: "web"}
	addr := netip.AddrFrom4([4]byte{10, byte(number), 0, 0}) //nolint:gosec // Less than 256 of them.
	for i := range 1000 {
		node := fmt.Sprintf("node-%d-%d", i*7919%1000, number)
		s.Endpoints = append(s.Endpoints, discoveryv1.Endpoint{Addresses: []string{addr.String()}, NodeName: &node})
		addr = addr.Next()
	}
	return s
}
