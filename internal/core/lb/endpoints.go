package lb

import (
	"cmp"
	"net/netip"
	"slices"
	"strings"

	discoveryv1 "k8s.io/api/discovery/v1"
)

// Endpoint is one endpoint of a Service.
type Endpoint struct {
	Addr netip.Addr
	// Node that the endpoint is on; empty for an endpoint outside the cluster.
	Node  string
	Ready bool
	// Draining: the endpoint is terminating and still serves.
	Draining bool
	// Hint says which nodes should use it.
	Hint Hint

	// node is the name of the node where many objects share one; nil: there is no such.
	node *string
}

// sharedNode is the name of the node, that of other objects if there is one.
func (e *Endpoint) sharedNode() *string {
	if e.node == nil {
		name := e.Node
		return &name
	}
	return e.node
}

// EndpointSlice is some of a Service's endpoints.
type EndpointSlice struct {
	// Name of the slice, in the namespace of its Service.
	Name    string
	Service Key
	// Size is how many endpoints the slice has, whatever their state.
	Size      int
	Endpoints Endpoints
	// Speaker is set if the slice says of itself that it is the one of a speaker. In which namespace that is to be believed, the
	// reader knows.
	Speaker *SpeakerEndpoint
}

// ParseEndpointSlice parses an EndpointSlice. A slice of host names (FQDN) gives no endpoints.
func ParseEndpointSlice(from *discoveryv1.EndpointSlice) *EndpointSlice {
	key := Key{from.Namespace, from.Labels[discoveryv1.LabelServiceName]}
	if strings.HasPrefix(from.Name, key.Name) {
		key.Name = from.Name[:len(key.Name)] // as a part of it: one text for two
	}
	if from.AddressType == discoveryv1.AddressTypeFQDN {
		return &EndpointSlice{Name: from.Name, Service: key}
	}
	parsed := make([]Endpoint, 0, len(from.Endpoints))
	for i := range from.Endpoints {
		endpoint := &from.Endpoints[i]
		if len(endpoint.Addresses) == 0 {
			continue
		}
		// The EndpointSlice API says that consumers use the first address only.
		addr, err := ParseAddr(endpoint.Addresses[0])
		if err != nil {
			continue
		}
		is := func(condition *bool, absent bool) bool {
			if condition == nil {
				return absent
			}
			return *condition
		}
		node := ""
		if endpoint.NodeName != nil {
			node = *endpoint.NodeName
		}
		ready := is(endpoint.Conditions.Ready, true)
		parsed = append(parsed, Endpoint{
			Addr: addr, Node: node, Ready: ready,
			Draining: !ready && is(endpoint.Conditions.Serving, ready) && is(endpoint.Conditions.Terminating, false),
			Hint:     parseHint(endpoint.Hints),
			node:     endpoint.NodeName,
		})
	}
	s := NewEndpointSlice(key, parsed)
	s.Name, s.Speaker = from.Name, parseSpeakerEndpoint(from)
	return s
}

// NewEndpointSlice makes an EndpointSlice of endpoints, whose order it changes. An endpoint that is there twice counts once, as
// ready if either says so.
func NewEndpointSlice(service Key, endpoints []Endpoint) *EndpointSlice {
	slices.SortFunc(endpoints, Endpoint.compare)
	s := &EndpointSlice{Service: service, Size: len(endpoints)}
	counts := &sums{of: s}
	var previous Endpoint
	for _, endpoint := range endpoints[:min(len(endpoints), MaxEndpoints)] {
		again := previous.Addr == endpoint.Addr && previous.Node == endpoint.Node
		if !again && (endpoint.Ready || endpoint.Draining) {
			counts.count(endpoint)
		}
		previous = endpoint
	}
	counts.nodes = slices.Clone(counts.nodes) // which has no spare room
	s.Endpoints = Endpoints{counts}
	return s
}

// compare orders endpoints by node and address; of two that are the same, a ready one comes first, then one that drains.
func (e Endpoint) compare(other Endpoint) int {
	if e.Node != other.Node {
		return strings.Compare(e.Node, other.Node)
	}
	if e.Addr != other.Addr {
		return e.Addr.Compare(other.Addr)
	}
	return cmp.Or(boolCompare(other.Ready, e.Ready), boolCompare(other.Draining, e.Draining), e.Hint.compare(other.Hint))
}
