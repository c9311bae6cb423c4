package lb

import (
	"testing"
	"unsafe"

	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// A speaker keeps the endpoints of all Services: a hundred thousand slices with three nodes each, and a map of as many Endpoints.
func TestEndpoints_AreSmall(t *testing.T) {
	for _, test := range []struct {
		name      string
		size, max uintptr
	}{
		{"Endpoints", unsafe.Sizeof(Endpoints{}), 8},
		{"their sums", unsafe.Sizeof(sums{}), 48},
		{"those on a node", unsafe.Sizeof(nodeEndpoints{}), 16},
		{"a slice", unsafe.Sizeof(EndpointSlice{}), 80},
	} {
		if test.size > test.max {
			t.Errorf("%s: %d bytes, want %d at most", test.name, test.size, test.max)
		}
	}
}

// The control plane calls a slice after its Service, so one text is enough for both names; and of a Service with one slice both have one
// value.
func TestParseEndpointSlice_SharesWhatItCan(t *testing.T) {
	node := "n1"
	slice := ParseEndpointSlice(&discoveryv1.EndpointSlice{
		ObjectMeta:  metav1.ObjectMeta{Namespace: "shop", Name: "web-x7k2p", Labels: map[string]string{discoveryv1.LabelServiceName: "web"}},
		AddressType: discoveryv1.AddressTypeIPv4, Endpoints: []discoveryv1.Endpoint{{Addresses: []string{"203.0.113.1"}, NodeName: &node}},
	})
	if unsafe.StringData(slice.Name) != unsafe.StringData(slice.Service.Name) || slice.Service.Name != "web" {
		t.Errorf("the Service of %q is %q, with a text of its own", slice.Name, slice.Service.Name)
	}
	if got := slice.Endpoints.sums.nodes[0].node; got != &node {
		t.Error("the name of the node is not that of the object, which all others share")
	}
	if joined := JoinEndpoints([]*EndpointSlice{slice}); joined != slice.Endpoints || joined.Of() != slice {
		t.Error("the Endpoints of a Service with one slice are not those of the slice")
	}
}
