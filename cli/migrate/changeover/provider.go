package changeover

import (
	"slices"

	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/daymark-lb/daymark/cli/source"
	"github.com/daymark-lb/daymark/internal/core/lb"
)

// provider is what MetalLB says of itself.
type provider struct {
	// layer2 and bgp are what its speakers report of each protocol.
	layer2, bgp reports
	// selects: its advertisements know serviceSelectors, or it is not known whether.
	selects bool
	// absent: its kinds are not installed.
	absent bool
	// found: an object of its own, or the definition of a kind, was read.
	found bool
	// pools are the labels of its pools by name.
	pools map[string]labels.Set
}

// reports of MetalLB's speakers about one protocol.
type reports struct {
	// seen: the kind of the reports can be read.
	seen bool
	// nodes that announce a Service.
	nodes map[lb.Key][]string
}

func readProvider(objects *source.Objects) *provider {
	gap := objects.Gap(l2Advertisements)
	p := &provider{
		layer2: readReports(objects, l2Statuses), bgp: readReports(objects, bgpStatuses), selects: true,
		absent: gap != nil && gap.Why == source.NotInstalled, pools: map[string]labels.Set{},
	}
	for _, o := range source.Of[*unstructured.Unstructured](objects) {
		p.found = p.found || o.GroupVersionKind().Group == group
		if o.GroupVersionKind().GroupKind() == addressPools.GroupKind() {
			p.pools[o.GetName()] = o.GetLabels()
		}
	}
	for _, d := range source.Of[*apiextensionsv1.CustomResourceDefinition](objects) {
		if d.Name == l2Advertisements.Name() {
			p.selects, p.found = knowsSelectors(d), true
		}
	}
	return p
}

func readReports(objects *source.Objects, k source.Kind) reports {
	r := reports{objects.Gap(k) == nil, map[lb.Key][]string{}}
	for _, o := range source.Of[*unstructured.Unstructured](objects) {
		if o.GroupVersionKind().GroupKind() != k.GroupKind() {
			continue
		}
		field := func(name string) string {
			text, _, _ := unstructured.NestedString(o.Object, "status", name)
			return text
		}
		if peers, has, _ := unstructured.NestedStringSlice(o.Object, "status", "peers"); k.Kind == bgpStatuses.Kind && has && len(peers) == 0 {
			continue
		}
		key := lb.Key{Namespace: field("serviceNamespace"), Name: field("serviceName")}
		r.nodes[key] = append(r.nodes[key], field("node"))
	}
	return r
}

// announcing are the nodes whose MetalLB announces a Service by any protocol.
func (p *provider) announcing(key lb.Key) []string {
	all := slices.Concat(p.layer2.nodes[key], p.bgp.nodes[key])
	slices.Sort(all)
	return slices.Compact(all)
}

// advertises says whether an advertisement of MetalLB selects a Service without the label, and its pool; one that is not seen counts as
// selected by labels. That the advertisement may select no node, and no peer, is not looked at.
func (p *provider) advertises(a *advertisement, s *service) bool {
	pool := poolOf(s.raw)
	names, _, _ := unstructured.NestedStringSlice(a.object.Object, "spec", "ipAddressPools")
	byLabels, _, _ := unstructured.NestedSlice(a.object.Object, "spec", "ipAddressPoolSelectors")
	set, known := p.pools[pool]
	byLabel := len(byLabels) > 0 && (!known || selectedBy(byLabels, set))
	if len(names)+len(byLabels) > 0 && !slices.Contains(names, pool) && !byLabel {
		return false
	}
	services, _, _ := unstructured.NestedSlice(a.object.Object, "spec", "serviceSelectors")
	own := labels.Set{}
	for key, value := range s.raw.Labels {
		if key != Label {
			own[key] = value
		}
	}
	return len(services) == 0 || selectedBy(services, own)
}

// selectedBy says whether any of some LabelSelectors selects what has these labels.
func selectedBy(selectors []any, set labels.Set) bool {
	return slices.ContainsFunc(selectors, func(item any) bool {
		fields, _ := item.(map[string]any)
		var from metav1.LabelSelector
		if runtime.DefaultUnstructuredConverter.FromUnstructured(fields, &from) != nil {
			return false
		}
		selector, err := metav1.LabelSelectorAsSelector(&from)
		return err == nil && selector.Matches(set)
	})
}
