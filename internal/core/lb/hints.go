package lb

import (
	"cmp"
	"iter"
	"slices"
	"strings"

	discoveryv1 "k8s.io/api/discovery/v1"
)

// Hint says which nodes should use an endpoint, as Kubernetes writes it for trafficDistribution: those of one zone, and of these one
// node before the others. Empty: it says nothing of zones, or of nodes.
type Hint struct{ Zone, Node string }

// parseHint reads the hints of an endpoint. Several zones or nodes, which Kubernetes does not write, count as none.
func parseHint(from *discoveryv1.EndpointHints) (h Hint) {
	if from == nil {
		return h
	}
	if len(from.ForZones) == 1 {
		h.Zone = from.ForZones[0].Name
	}
	if len(from.ForNodes) == 1 {
		h.Node = from.ForNodes[0].Name
	}
	return h
}

func (h Hint) compare(other Hint) int {
	return cmp.Or(strings.Compare(h.Zone, other.Zone), strings.Compare(h.Node, other.Node))
}

// hinted are the ready endpoints with one hint, by family.
type hinted struct {
	Hint
	ready [2]int32
}

// hints are endpoints by their hints, in order. Those without one are not among them: most Services have no others.
type hints []hinted

// hint counts a ready endpoint under its hint.
func (s *sums) hint(endpoint Endpoint) {
	if endpoint.Hint == (Hint{}) {
		return
	}
	if s.hints == nil {
		s.hints = &hints{}
	}
	i, found := slices.BinarySearchFunc(*s.hints, endpoint.Hint, func(h hinted, hint Hint) int { return h.compare(hint) })
	if !found {
		*s.hints = slices.Insert(*s.hints, i, hinted{Hint: endpoint.Hint})
	}
	(*s.hints)[i].ready[familyIndex(FamilyOf(endpoint.Addr))]++
}

// list of the hints, nil if there are none.
func (h *hints) list() []hinted {
	if h == nil {
		return nil
	}
	return *h
}

// plus returns the sum of two, the second with a sign.
func (h *hints) plus(other *hints, sign int32) *hints {
	if other == nil {
		return h
	}
	all := slices.Clone(h.list())
	for _, next := range *other {
		all = append(all, hinted{next.Hint, [2]int32{sign * next.ready[0], sign * next.ready[1]}})
	}
	slices.SortFunc(all, func(a, b hinted) int { return a.compare(b.Hint) })
	var sum hints
	for _, next := range all {
		if last := len(sum) - 1; last >= 0 && sum[last].Hint == next.Hint {
			sum[last].ready[0] += next.ready[0]
			sum[last].ready[1] += next.ready[1]
		} else {
			sum = append(sum, next)
		}
	}
	if sum = slices.DeleteFunc(sum, func(h hinted) bool { return h.ready == [2]int32{} }); len(sum) == 0 {
		return nil
	}
	return &sum
}

// Hints are the numbers of ready endpoints of a family by their hints, in order; those without one are the last.
func (e Endpoints) Hints(family Family) iter.Seq2[Hint, int] {
	i := familyIndex(family)
	return func(yield func(Hint, int) bool) {
		of := e.read()
		rest := int32(of.all[i].ready)
		for _, h := range of.hints.list() {
			if rest -= h.ready[i]; h.ready[i] > 0 && !yield(h.Hint, int(h.ready[i])) {
				return
			}
		}
		if rest > 0 {
			yield(Hint{}, int(rest))
		}
	}
}
