package lb

import (
	"net/netip"
	"testing"

	"github.com/google/go-cmp/cmp"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

func endpoint(addr, node string, ready, draining bool) Endpoint {
	return Endpoint{Addr: netip.MustParseAddr(addr), Node: node, Ready: ready, Draining: draining}
}

func TestJoinEndpoints(t *testing.T) {
	for _, test := range []struct {
		name   string
		slices [][]Endpoint
		want   Endpoints
	}{
		{"ready endpoints count, others do not", [][]Endpoint{{
			endpoint("203.0.113.1", "n1", true, false), endpoint("203.0.113.2", "n2", false, false),
		}}, Endpoints{{Node: "n1", IPv4: EndpointCount{1, 1}}}},
		{"terminating ones do not count beside a ready one", [][]Endpoint{{
			endpoint("203.0.113.1", "n1", true, false), endpoint("203.0.113.2", "n2", false, true),
		}}, Endpoints{{Node: "n1", IPv4: EndpointCount{1, 1}}}},
		{"terminating ones that serve count when none is ready", [][]Endpoint{{
			endpoint("203.0.113.1", "n1", false, false), endpoint("203.0.113.2", "n2", false, true),
		}}, Endpoints{{Node: "n2", IPv4: EndpointCount{Serving: 1}}}},
		{"each family decides by itself", [][]Endpoint{
			{endpoint("203.0.113.1", "n1", true, false)},
			{endpoint("2001:db8::1", "n1", false, true)},
		}, Endpoints{{Node: "n1", IPv4: EndpointCount{1, 1}, IPv6: EndpointCount{Serving: 1}}}},
		{"an endpoint in two slices counts once, as ready if either says so", [][]Endpoint{
			{endpoint("203.0.113.1", "n1", false, false)},
			{endpoint("203.0.113.1", "n1", true, false)},
		}, Endpoints{{Node: "n1", IPv4: EndpointCount{1, 1}}}},
		{"one outside the cluster counts, on no node", [][]Endpoint{{
			endpoint("203.0.113.9", "", true, false),
		}}, Endpoints{{Node: "", IPv4: EndpointCount{1, 1}}}},
		{"nodes are in order", [][]Endpoint{{
			endpoint("203.0.113.3", "n3", true, false), endpoint("203.0.113.1", "n1", true, false), endpoint("203.0.113.2", "n1", true, false),
		}}, Endpoints{{Node: "n1", IPv4: EndpointCount{2, 2}}, {Node: "n3", IPv4: EndpointCount{1, 1}}}},
	} {
		t.Run(test.name, func(t *testing.T) {
			var parts []*EndpointSlice
			for _, endpoints := range test.slices {
				parts = append(parts, &EndpointSlice{Endpoints: endpoints})
			}
			if diff := cmp.Diff(test.want, JoinEndpoints(parts)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestParseEndpointSlice(t *testing.T) {
	yes, no, node := true, false, "n1"
	slice := &discoveryv1.EndpointSlice{
		ObjectMeta:  metav1.ObjectMeta{Namespace: "default", Labels: map[string]string{discoveryv1.LabelServiceName: "web"}},
		AddressType: discoveryv1.AddressTypeIPv4,
		Endpoints: []discoveryv1.Endpoint{
			{Addresses: []string{"203.0.113.1"}, NodeName: &node},
			{Addresses: []string{"203.0.113.2"}, NodeName: &node, Conditions: discoveryv1.EndpointConditions{Ready: &no, Serving: &yes, Terminating: &yes}},
			{Addresses: []string{"203.0.113.3"}, NodeName: &node, Conditions: discoveryv1.EndpointConditions{Ready: &no}},
			{Addresses: []string{"203.0.113.4"}},
			{Addresses: []string{"host"}, NodeName: &node},
		},
	}
	want := []Endpoint{
		endpoint("203.0.113.1", "n1", true, false), endpoint("203.0.113.2", "n1", false, true), endpoint("203.0.113.3", "n1", false, false),
		endpoint("203.0.113.4", "", true, false),
	}
	got := ParseEndpointSlice(slice)
	if got.Service != (Key{"default", "web"}) {
		t.Errorf("Service %s", got.Service)
	}
	if diff := cmp.Diff(want, got.Endpoints, cmp.Comparer(func(a, b netip.Addr) bool { return a == b })); diff != "" {
		t.Error(diff)
	}
}
