package lb

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
)

// hostile makes a Service of the greatest size that the API server accepts, by one of the ways to do so.
func hostile(way string) *corev1.Service {
	s := &corev1.Service{Spec: corev1.ServiceSpec{Type: corev1.ServiceTypeLoadBalancer, IPFamilies: []corev1.IPFamily{corev1.IPv4Protocol}}}
	s.Namespace, s.Name, s.Annotations, s.Labels = "evil", "web", map[string]string{}, map[string]string{}
	var addrs []string
	addr := netip.MustParseAddr("192.0.2.0")
	for range 18_000 {
		addrs = append(addrs, addr.String())
		addr = addr.Next()
	}
	list := strings.Join(addrs, ",")
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
		for i := range 40_000 {
			s.Spec.Ports = append(s.Spec.Ports, corev1.ServicePort{Protocol: corev1.ProtocolTCP, Port: int32(i + 1)})
		}
	}
	return s
}

var hostileWays = []string{"addresses", "addresses by the alias", "both", "pools", "key", "field", "labels", "ports"}

func TestParseService_RefusesWhatExceedsABound(t *testing.T) {
	for _, way := range hostileWays {
		t.Run(way, func(t *testing.T) {
			s := ParseService(hostile(way))
			if s.RequestError == nil {
				t.Fatal("it is not refused")
			}
			if text := s.RequestError.Error(); len(text) > 150 || !strings.ContainsAny(text, "0123456789") {
				t.Errorf("the message names no bound, or is too long: %s", text)
			}
			if len(s.Requested)+len(s.RequestedPools)+len(s.SharingKey) > 0 || len(s.Ports) > MaxSharedPorts || len(s.Labels) > 1 {
				t.Errorf("it keeps %d addresses, %d pools, a key of %d bytes, %d ports, %d labels",
					len(s.Requested), len(s.RequestedPools), len(s.SharingKey), len(s.Ports), len(s.Labels))
			}
		})
	}
}

func TestParseService_BoundsAreInclusive(t *testing.T) {
	list := func(n int, item func(i int) string) string {
		var items []string
		for i := range n {
			items = append(items, item(i))
		}
		return strings.Join(items, ",")
	}
	addr := func(i int) string { return fmt.Sprintf("192.0.2.%d", i) }
	name := func(i int) string { return fmt.Sprintf("pool-%d", i) }
	for _, test := range []struct {
		name, annotation, value string
		refused                 string // words of the error; empty: accepted
	}{
		{"as many addresses as may be", "daymark.io/load-balancer-ips", list(8, addr), ""},
		{"one address too many", "daymark.io/load-balancer-ips", list(9, addr), "more than 8 addresses"},
		{"as many pools as may be", "daymark.io/address-pool", list(16, name), ""},
		{"one pool too many", "daymark.io/address-pool", list(17, name), "more than 16 pools"},
		{"the longest name", "daymark.io/address-pool", strings.Repeat("p", 253), ""},
		{"a name that no pool can have", "daymark.io/address-pool", strings.Repeat("p", 254), "more than 253 bytes"},
		{"the longest key", "daymark.io/allow-shared-ip", strings.Repeat("k", 128), ""},
		{"a key that is too long", "metallb.io/allow-shared-ip", strings.Repeat("k", 129), "longer than 128 bytes"},
		{"as many namespaces as may be", "daymark.io/allow-shared-ip-namespaces", list(32, name), ""},
		{"one namespace too many", "daymark.io/allow-shared-ip-namespaces", list(33, name), "more than 32 namespaces"},
		{"the longest annotation", "daymark.io/address-pool", "p" + strings.Repeat(" ", 1023), ""},
		{"an annotation that is too long", "daymark.io/address-pool", "p" + strings.Repeat(" ", 1024), "daymark.io/address-pool is longer than 1024 bytes"},
		{"one that the cache has dropped", "metallb.io/address-pool", Oversized, "metallb.io/address-pool is longer than 1024 bytes"},
		{"a long word is not repeated", "daymark.io/load-balancer-ips", strings.Repeat("x", 1000), "xxx ...\" is not an address"},
	} {
		t.Run(test.name, func(t *testing.T) {
			from := &corev1.Service{Spec: corev1.ServiceSpec{Type: corev1.ServiceTypeLoadBalancer}}
			from.Annotations = map[string]string{test.annotation: test.value}
			err := ParseService(from).RequestError
			if (err == nil) != (test.refused == "") || err != nil && (!strings.Contains(err.Error(), test.refused) || len(err.Error()) > 200) {
				t.Errorf("error %v, want %q", err, test.refused)
			}
		})
	}
}

func TestParseService_ReadsSoMany(t *testing.T) {
	from := &corev1.Service{Spec: corev1.ServiceSpec{Type: corev1.ServiceTypeLoadBalancer}}
	from.Annotations = map[string]string{"daymark.io/last-addresses": strings.Repeat("192.0.2.1,", 90)}
	for i := range 200 {
		addr := fmt.Sprintf("192.0.2.%d", i)
		from.Spec.ExternalIPs = append(from.Spec.ExternalIPs, addr)
		from.Status.LoadBalancer.Ingress = append(from.Status.LoadBalancer.Ingress, corev1.LoadBalancerIngress{IP: addr})
	}
	s := ParseService(from)
	if len(s.LastAddresses) != MaxRequestedAddresses || len(s.ExternalIPs) != MaxExternalIPs || len(s.Ingress) != maxIngress || s.RequestError != nil {
		t.Errorf("%d wishes, %d external addresses, %d in the status, error %v", len(s.LastAddresses), len(s.ExternalIPs), len(s.Ingress), s.RequestError)
	}
}

func TestParseService_ReadsNoRequestOfOtherTypes(t *testing.T) {
	from := hostile("pools")
	from.Spec.Type = corev1.ServiceTypeClusterIP
	from.Annotations["daymark.io/load-balancer-ips"], from.Spec.LoadBalancerIP = "nonsense", "nonsense"
	if s := ParseService(from); s.RequestError != nil || s.RequestedPools != nil {
		t.Errorf("it is parsed: %v, %d pools", s.RequestError, len(s.RequestedPools))
	}
}

// BenchmarkParseService_Hostile parses the largest Services that a user of one namespace can write.
func BenchmarkParseService_Hostile(b *testing.B) {
	for _, way := range hostileWays {
		from := hostile(way)
		b.Run(way, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				ParseService(from)
			}
		})
	}
}

// hostileSlices are more endpoints than are read, each on a node of its own, in slices of the greatest size.
func hostileSlices() []*EndpointSlice {
	var parts []*EndpointSlice
	addr := netip.MustParseAddr("10.0.0.0")
	for i := range 100 {
		part := &EndpointSlice{}
		for j := range 1000 {
			part.Endpoints = append(part.Endpoints, Endpoint{Addr: addr, Node: fmt.Sprintf("node-%d-%d", j, i), Ready: true})
			addr = addr.Next()
		}
		parts = append(parts, part)
	}
	return parts
}

func TestJoinEndpoints_ReadsSoMany(t *testing.T) {
	if got := JoinEndpoints(hostileSlices()); len(got) != MaxEndpoints {
		t.Errorf("%d nodes", len(got))
	}
}

func BenchmarkJoinEndpoints_Hostile(b *testing.B) {
	parts := hostileSlices()
	for b.Loop() {
		JoinEndpoints(parts)
	}
}
