package lb

import (
	"math"
	"net/netip"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/daymark-lb/daymark/api/v1beta1"
)

// SpeakerEndpoint is where the speaker of a node gossips. Each speaker keeps an EndpointSlice of its own that says so, and the
// others read it.
type SpeakerEndpoint struct {
	Node    string
	Address netip.AddrPort
}

// IsSpeakerSlice reports whether an EndpointSlice says of itself that a speaker keeps it.
func IsSpeakerSlice(s *discoveryv1.EndpointSlice) bool {
	return s.Labels[discoveryv1.LabelManagedBy] == v1beta1.SpeakerManagedBy && s.Labels[discoveryv1.LabelServiceName] == v1beta1.SpeakerService
}

// parseSpeakerEndpoint returns what the EndpointSlice of a speaker says; nil for any other, and for one that cannot be read. The
// node is that of the name: which of these objects a speaker may write goes by that.
func parseSpeakerEndpoint(from *discoveryv1.EndpointSlice) *SpeakerEndpoint {
	if !IsSpeakerSlice(from) || len(from.Endpoints) != 1 || len(from.Endpoints[0].Addresses) != 1 || len(from.Ports) != 1 {
		return nil
	}
	endpoint, port := &from.Endpoints[0], from.Ports[0].Port
	addr, err := ParseAddr(endpoint.Addresses[0])
	if err != nil || port == nil || *port < 1 || *port > math.MaxUint16 || endpoint.NodeName == nil {
		return nil
	}
	if from.Name != v1beta1.SpeakerObjectName(*endpoint.NodeName) {
		return nil
	}
	return &SpeakerEndpoint{*endpoint.NodeName, netip.AddrPortFrom(addr, uint16(*port))}
}

// Slice returns the EndpointSlice that says so, as the Node's own object: it is deleted with it. Service proxies leave out what is
// headless, so they do not watch these slices.
func (e SpeakerEndpoint) Slice(namespace string, node *Node) *discoveryv1.EndpointSlice {
	port, ready, name, protocol, portName := int32(e.Address.Port()), true, e.Node, corev1.ProtocolUDP, v1beta1.SpeakerPort
	kind := discoveryv1.AddressTypeIPv4
	if FamilyOf(e.Address.Addr()) == IPv6 {
		kind = discoveryv1.AddressTypeIPv6
	}
	return &discoveryv1.EndpointSlice{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: namespace, Name: v1beta1.SpeakerObjectName(e.Node),
			Labels: map[string]string{
				discoveryv1.LabelServiceName: v1beta1.SpeakerService, discoveryv1.LabelManagedBy: v1beta1.SpeakerManagedBy,
				corev1.IsHeadlessService: "",
			},
			OwnerReferences: []metav1.OwnerReference{node.Owner()},
		},
		AddressType: kind,
		Endpoints: []discoveryv1.Endpoint{{
			Addresses: []string{e.Address.Addr().String()}, NodeName: &name, Conditions: discoveryv1.EndpointConditions{Ready: &ready},
		}},
		Ports: []discoveryv1.EndpointPort{{Name: &portName, Protocol: &protocol, Port: &port}},
	}
}
