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
	// Node that the endpoint is on; empty for an endpoint outside the cluster.
	Node  string
	Ready bool
	// Draining: the endpoint is terminating and still serves.
	Draining bool
}

// EndpointSlice is some of a Service's endpoints.
type EndpointSlice struct {
	Service   Key
	Endpoints []Endpoint
}

// ParseEndpointSlice parses an EndpointSlice. A slice of host names (FQDN) gives no endpoints.
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
		s.Endpoints = append(s.Endpoints, Endpoint{
			Addr: addr, Node: node, Ready: ready,
			Draining: !ready && is(endpoint.Conditions.Serving, ready) && is(endpoint.Conditions.Terminating, false),
		})
	}
	return s
}

// EndpointCount counts the endpoints of one family on one node.
type EndpointCount struct {
	// Serving endpoints accept connections now.
	Serving int
	// Ready are those of the serving endpoints that are ready. A terminating endpoint that still serves is not ready.
	Ready int
}

// NodeEndpoints counts the serving endpoints of a Service on one node.
type NodeEndpoints struct {
	Node string
	IPv4 EndpointCount
	IPv6 EndpointCount
}

// Count returns the count of one family.
func (n NodeEndpoints) Count(family Family) EndpointCount { return *n.count(family) }

func (n *NodeEndpoints) count(family Family) *EndpointCount {
	if family == IPv6 {
		return &n.IPv6
	}
	return &n.IPv4
}

// Endpoints are the nodes with serving endpoints of a Service, in order of their names. An endpoint counts when it is ready.
// When no endpoint of its family is ready on any node, the terminating ones that still serve count.
type Endpoints []NodeEndpoints

// JoinEndpoints counts the endpoints in all slices of one Service. An address in two slices counts once. It may be in two
// while the control plane moves it. The first MaxEndpoints are read.
func JoinEndpoints(parts []*EndpointSlice) Endpoints {
	size := 0
	for _, part := range parts {
		size += len(part.Endpoints)
	}
	byAddr := make(map[netip.Addr]Endpoint, min(size, MaxEndpoints))
	ready := map[Family]bool{}
	left := MaxEndpoints
	for _, part := range parts {
		read := part.Endpoints[:min(len(part.Endpoints), left)]
		left -= len(read)
		for _, endpoint := range read {
			if known, ok := byAddr[endpoint.Addr]; !ok || endpoint.Ready && !known.Ready || endpoint.Draining && !known.Ready {
				byAddr[endpoint.Addr] = endpoint
			}
			family := FamilyOf(endpoint.Addr)
			ready[family] = ready[family] || endpoint.Ready
		}
	}
	var joined Endpoints
	places := map[string]int{}
	// order does not matter: the counts are sums, and the nodes are sorted.
	for addr, endpoint := range byAddr {
		family := FamilyOf(addr)
		if !endpoint.Ready && (ready[family] || !endpoint.Draining) {
			continue
		}
		place, known := places[endpoint.Node]
		if !known {
			place = len(joined)
			places[endpoint.Node] = place
			joined = append(joined, NodeEndpoints{Node: endpoint.Node})
		}
		count := joined[place].count(family)
		count.Serving++
		if endpoint.Ready {
			count.Ready++
		}
	}
	slices.SortFunc(joined, func(a, b NodeEndpoints) int { return strings.Compare(a.Node, b.Node) })
	return joined
}

// OnNode returns the counts of a node.
func (e Endpoints) OnNode(node string) NodeEndpoints {
	if node == "" {
		return NodeEndpoints{}
	}
	if i, found := e.find(node); found {
		return e[i]
	}
	return NodeEndpoints{Node: node}
}

// ServingOnNode reports whether a node has a serving endpoint of a family.
func (e Endpoints) ServingOnNode(node string, family Family) bool {
	i, found := e.find(node)
	return found && node != "" && e[i].Count(family).Serving > 0
}

// AnyServing reports whether any node has a serving endpoint of a family.
func (e Endpoints) AnyServing(family Family) bool {
	return slices.ContainsFunc(e, func(n NodeEndpoints) bool { return n.Count(family).Serving > 0 })
}

func (e Endpoints) find(node string) (int, bool) {
	return slices.BinarySearchFunc(e, node, func(n NodeEndpoints, node string) int { return strings.Compare(n.Node, node) })
}
