package lb

import (
	"iter"
	"slices"
	"strings"
)

// Endpoints count the endpoints of a Service by node. An endpoint serves when it is ready. When no endpoint of its family is ready
// on any node, the terminating ones that still serve count. A value never changes.
//
// They are sums, so that the change of one slice costs what this slice has, and not what all slices of its Service have: who may
// write EndpointSlices in one namespace can write many, and every speaker reads them. So an endpoint that is in two slices counts
// twice: it is while the control plane moves it.
type Endpoints struct {
	// sums are nil for none. A pointer, since there are maps of the Endpoints of all Services.
	sums *sums
}

// sums of the endpoints of one slice, or of several. They are kept small: a speaker has those of all Services.
type sums struct {
	// nodes with endpoints in order of their names; empty for endpoints outside the cluster.
	nodes []nodeEndpoints
	// all is the sum over nodes.
	all familyCounts
	// hints of the ready endpoints; nil: they have none. A pointer, since most Services have none.
	hints *hints
	// of is the slice that they are the sums of; nil: of several.
	of *EndpointSlice
}

// noSums are those of no endpoints.
var noSums sums

// nodeEndpoints are the endpoints on a node, whose name is a pointer because nearly all endpoints share it with others.
type nodeEndpoints struct {
	node   *string
	counts familyCounts
}

// familyCounts are counts by family.
type familyCounts [2]endpointCount

// endpointCount has room for MaxEndpoints.
type endpointCount struct {
	// ready endpoints, and terminating ones that still serve.
	ready, draining int16
}

// read returns the sums, which are not nil.
func (e Endpoints) read() *sums {
	if e.sums == nil {
		return &noSums
	}
	return e.sums
}

// Of returns the slice that the Endpoints are those of; nil: they are those of several, or of none.
func (e Endpoints) Of() *EndpointSlice { return e.read().of }

// Same reports whether two are the same value, and not another one that may be equal. It costs nothing.
func (e Endpoints) Same(other Endpoints) bool {
	return e.sums == other.sums || len(e.read().nodes) == 0 && len(other.read().nodes) == 0
}

// Equal reports whether two count the same endpoints.
func (e Endpoints) Equal(other Endpoints) bool {
	a, b := e.read(), other.read()
	return a.all == b.all && slices.EqualFunc(a.nodes, b.nodes, func(a, b nodeEndpoints) bool { return *a.node == *b.node && a.counts == b.counts }) &&
		slices.Equal(a.hints.list(), b.hints.list())
}

func familyIndex(family Family) int {
	if family == IPv6 {
		return 1
	}
	return 0
}

// plus returns the sum of two counts, the second with a sign.
func (c familyCounts) plus(other familyCounts, sign int16) familyCounts {
	for i := range c {
		c[i].ready += sign * other[i].ready
		c[i].draining += sign * other[i].draining
	}
	return c
}

// count adds an endpoint that is on the last node or on a later one.
func (s *sums) count(endpoint Endpoint) {
	if n := len(s.nodes); n == 0 || *s.nodes[n-1].node != endpoint.Node {
		s.nodes = append(s.nodes, nodeEndpoints{node: endpoint.sharedNode()})
	}
	one := endpointCount{draining: 1}
	if endpoint.Ready {
		one = endpointCount{ready: 1}
		s.hint(endpoint)
	}
	var counts familyCounts
	counts[familyIndex(FamilyOf(endpoint.Addr))] = one
	last := &s.nodes[len(s.nodes)-1]
	last.counts = last.counts.plus(counts, 1)
	s.all = s.all.plus(counts, 1)
}

// JoinEndpoints counts the endpoints in all slices of one Service. Slices beyond MaxEndpoints are not read.
func JoinEndpoints(parts []*EndpointSlice) Endpoints { return sum(firstSlices(parts)) }

// Update returns the endpoints of a Service, joined from some slices before, as they are now.
func (e Endpoints) Update(before, now []*EndpointSlice) Endpoints {
	before, now = firstSlices(before), firstSlices(now)
	if len(now) == 1 && e.Same(sum(before)) {
		return now[0].Endpoints // which the two share: most Services have one slice
	}
	return e.plus(sum(without(now, before)).plus(sum(without(before, now)), -1), 1)
}

// firstSlices returns the first slices that have no more than MaxEndpoints together.
func firstSlices(parts []*EndpointSlice) []*EndpointSlice {
	size := 0
	for i, part := range parts {
		if size += part.Size; size > MaxEndpoints {
			return parts[:i]
		}
	}
	return parts
}

// without returns the slices of a list that are not in another.
func without(list, other []*EndpointSlice) []*EndpointSlice {
	known := make(map[*EndpointSlice]bool, len(other))
	for _, slice := range other {
		known[slice] = true
	}
	var rest []*EndpointSlice
	for _, slice := range list {
		if !known[slice] {
			rest = append(rest, slice)
		}
	}
	return rest
}

// sum adds slices in pairs, so that many small ones cost little.
func sum(parts []*EndpointSlice) Endpoints {
	switch n := len(parts); n {
	case 0:
		return Endpoints{}
	case 1:
		return parts[0].Endpoints
	default:
		return sum(parts[:n/2]).plus(sum(parts[n/2:]), 1)
	}
}

// plus returns the sum of two, the second with a sign.
func (e Endpoints) plus(more Endpoints, sign int16) Endpoints {
	to, other := e.read(), more.read()
	if len(other.nodes) == 0 && other.hints == nil {
		return e
	}
	nodes := make([]nodeEndpoints, 0, len(to.nodes)+len(other.nodes))
	rest := to.nodes
	for _, next := range other.nodes {
		i, found := find(rest, *next.node)
		nodes = append(nodes, rest[:i]...)
		var counts familyCounts
		if found {
			counts = rest[i].counts
			i++
		}
		rest = rest[i:]
		if counts = counts.plus(next.counts, sign); counts != (familyCounts{}) {
			nodes = append(nodes, nodeEndpoints{next.node, counts})
		}
	}
	return Endpoints{&sums{nodes: append(nodes, rest...), all: to.all.plus(other.all, sign), hints: to.hints.plus(other.hints, int32(sign))}}
}

func find(nodes []nodeEndpoints, node string) (int, bool) {
	return slices.BinarySearchFunc(nodes, node, func(n nodeEndpoints, node string) int { return strings.Compare(*n.node, node) })
}

// onNode returns the counts of a node, which are none for the empty name.
func (e Endpoints) onNode(node string, family Family) endpointCount {
	if i, found := find(e.read().nodes, node); found && node != "" {
		return e.read().nodes[i].counts[familyIndex(family)]
	}
	return endpointCount{}
}

// ReadyOnNode counts the ready endpoints of a family on a node.
func (e Endpoints) ReadyOnNode(node string, family Family) int {
	return int(e.onNode(node, family).ready)
}

// ServingOnNode reports whether a node has a serving endpoint of a family.
func (e Endpoints) ServingOnNode(node string, family Family) bool {
	return e.CountServing(node, family) > 0
}

// AnyOnNode reports whether a node has an endpoint of a family that answers: a ready one, or one that is terminating, which a service
// proxy turns to under externalTrafficPolicy: Local when the node has no other.
func (e Endpoints) AnyOnNode(node string, family Family) bool {
	has := e.onNode(node, family)
	return has.ready > 0 || has.draining > 0
}

// CountServing counts the serving endpoints of a family on a node.
func (e Endpoints) CountServing(node string, family Family) int {
	has := e.onNode(node, family)
	if e.read().all[familyIndex(family)].ready == 0 {
		return int(has.draining)
	}
	return int(has.ready)
}

// AnyReady reports whether an endpoint of a family is ready anywhere.
func (e Endpoints) AnyReady(family Family) bool { return e.read().all[familyIndex(family)].ready > 0 }

// CountAllServing counts the serving endpoints of a family, wherever they are.
func (e Endpoints) CountAllServing(family Family) int {
	all := e.read().all[familyIndex(family)]
	if all.ready == 0 {
		return int(all.draining)
	}
	return int(all.ready)
}

// ServingNodes are the nodes with a serving endpoint of a family, in order of name.
func (e Endpoints) ServingNodes(family Family) iter.Seq[string] {
	i, terminating := familyIndex(family), e.read().all[familyIndex(family)].ready == 0
	return func(yield func(string) bool) {
		for at := range e.read().nodes {
			n := &e.read().nodes[at]
			if *n.node != "" && (n.counts[i].ready > 0 || terminating && n.counts[i].draining > 0) && !yield(*n.node) {
				return
			}
		}
	}
}

// AnyServingOnNode reports whether some endpoint of a family that serves says on which node it is.
func (e Endpoints) AnyServingOnNode(family Family) bool {
	on := e.read().all
	if i, found := find(e.read().nodes, ""); found {
		on = on.plus(e.read().nodes[i].counts, -1)
	}
	i := familyIndex(family)
	return on[i].ready > 0 || on[i].draining > 0 && e.read().all[i].ready == 0
}

// AnyServing reports whether any node has a serving endpoint of a family.
func (e Endpoints) AnyServing(family Family) bool {
	return e.read().all[familyIndex(family)] != (endpointCount{})
}
