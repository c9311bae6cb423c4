package lb

import (
	"fmt"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"

	"github.com/daymark-lb/daymark/internal/tenanttest"
)

func TestParseService_RefusesWhatExceedsABound(t *testing.T) {
	for _, way := range tenanttest.Ways[:8] {
		t.Run(way, func(t *testing.T) {
			s := ParseService(tenanttest.Service(way))
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
	from := tenanttest.Service("pools")
	from.Spec.Type = corev1.ServiceTypeClusterIP
	from.Annotations["daymark.io/load-balancer-ips"], from.Spec.LoadBalancerIP = "nonsense", "nonsense"
	if s := ParseService(from); s.RequestError != nil || s.RequestedPools != nil {
		t.Errorf("it is parsed: %v, %d pools", s.RequestError, len(s.RequestedPools))
	}
}

// BenchmarkParseService_Hostile parses the largest Services that a user of one namespace can write.
func BenchmarkParseService_Hostile(b *testing.B) {
	for _, way := range append(tenanttest.Ways, tenanttest.WithinBounds) {
		from := tenanttest.Service(way)
		b.Run(way, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				ParseService(from)
			}
		})
	}
}

func TestJoinEndpoints_ReadsSoMany(t *testing.T) {
	var parts []*EndpointSlice
	for i := range 100 {
		parts = append(parts, ParseEndpointSlice(tenanttest.EndpointSlice(i)))
	}
	if got := JoinEndpoints(parts); len(got.read().nodes) != MaxEndpoints/1000*1000 {
		t.Errorf("%d nodes", len(got.read().nodes))
	}
}
