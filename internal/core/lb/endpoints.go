package lb

import (
	"net/netip"
	"slices"
	"strings"

	discoveryv1 "k8s.io/api/discovery/v1"
)

// Endpoint is one endpoint of a Service.
type Endpoint struct {
	Addr netip.Addr
	// Node that it is on; empty for one outside the cluster, which every node can reach and none has to itself.
	Node  string
	Ready bool
	// Draining: terminating but still serving.
	Draining bool
}

// EndpointSlice is a part of a Service's endpoints.
type EndpointSlice struct {
	Service   Key
	Endpoints []Endpoint
}

// ParseEndpointSlice reads a slice. Slices of hosts by name have no endpoints for us.
func ParseEndpointSlice(from *discoveryv1.EndpointSlice) *EndpointSlice {
	s := &EndpointSlice{Service: Key{from.Namespace, from.Labels[discoveryv1.LabelServiceName]}}
	if from.AddressType == discoveryv1.AddressTypeFQDN {
		return s
	}
	for i := range from.Endpoints {
		endpoint := &from.Endpoints[i]
		if len(endpoint.Addresses) == 0 {
			continue
		}
		// Consumers use the first address only (EndpointSlice API: the others are to be ignored).
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
		s.Endpoints = append(s.Endpoints, Endpoint{
			Addr: addr, Node: node, Ready: ready,
			Draining: !ready && is(endpoint.Conditions.Serving, ready) && is(endpoint.Conditions.Terminating, false),
		})
	}
	return s
}

// EndpointCount counts endpoints on one node, of one family.
type EndpointCount struct {
	// Serving endpoints can take connections now.
	Serving int
	// Ready are those of them that are ready: a terminating endpoint that still serves is not.
	Ready int
}

// NodeEndpoints counts the endpoints of a Service on one node that can serve.
type NodeEndpoints struct {
	Node string
	IPv4 EndpointCount
	IPv6 EndpointCount
}

// Of is the count of one family.
func (n NodeEndpoints) Of(family Family) EndpointCount { return *n.of(family) }

func (n *NodeEndpoints) of(family Family) *EndpointCount {
	if family == IPv6 {
		return &n.IPv6
	}
	return &n.IPv4
}

// Endpoints are the nodes with endpoints that can serve a Service, in order of their names. An endpoint counts when it
// is ready; when none of its family is ready anywhere, those that terminate and still serve count.
type Endpoints []NodeEndpoints

// JoinEndpoints counts the endpoints of all slices of one Service. An address that stands in two slices, as it may
// while the control plane moves it, counts once.
func JoinEndpoints(parts []*EndpointSlice) Endpoints {
	byAddr := map[netip.Addr]Endpoint{}
	ready := map[Family]bool{}
	for _, part := range parts {
		for _, endpoint := range part.Endpoints {
			if known, ok := byAddr[endpoint.Addr]; !ok || endpoint.Ready && !known.Ready || endpoint.Draining && !known.Ready {
				byAddr[endpoint.Addr] = endpoint
			}
			family := FamilyOf(endpoint.Addr)
			ready[family] = ready[family] || endpoint.Ready
		}
	}
	var joined Endpoints
	for addr, endpoint := range byAddr {
		family := FamilyOf(addr)
		if !endpoint.Ready && (ready[family] || !endpoint.Draining) {
			continue
		}
		count := joined.at(endpoint.Node).of(family)
		count.Serving++
		if endpoint.Ready {
			count.Ready++
		}
	}
	return joined
}

// On counts the endpoints on a node.
func (e Endpoints) On(node string) NodeEndpoints {
	if node == "" {
		return NodeEndpoints{}
	}
	if i, found := e.find(node); found {
		return e[i]
	}
	return NodeEndpoints{Node: node}
}

// Any reports whether an endpoint of a family can serve anywhere.
func (e Endpoints) Any(family Family) bool {
	return slices.ContainsFunc(e, func(n NodeEndpoints) bool { return n.Of(family).Serving > 0 })
}

func (e Endpoints) find(node string) (int, bool) {
	return slices.BinarySearchFunc(e, node, func(n NodeEndpoints, node string) int { return strings.Compare(n.Node, node) })
}

func (e *Endpoints) at(node string) *NodeEndpoints {
	i, found := e.find(node)
	if !found {
		*e = slices.Insert(*e, i, NodeEndpoints{Node: node})
	}
	return &(*e)[i]
}
