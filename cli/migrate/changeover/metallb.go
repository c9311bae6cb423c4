package changeover

import (
	"cmp"
	"fmt"
	"slices"

	corev1 "k8s.io/api/core/v1"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/daymark-lb/daymark/api/v1beta1"
	"github.com/daymark-lb/daymark/cli/source"
)

const group = "metallb.io"

func kind(name, resource string) source.Kind {
	return source.Kind{GroupVersionKind: schema.GroupVersionKind{Group: group, Version: "v1beta1", Kind: name}, Resource: resource, Namespaced: true}
}

// The kinds of MetalLB that matter here. Its speakers write the statuses: which node announces which Service.
var (
	l2Advertisements  = kind("L2Advertisement", "l2advertisements")
	bgpAdvertisements = kind("BGPAdvertisement", "bgpadvertisements")
	l2Statuses        = kind("ServiceL2Status", "servicel2statuses")
	bgpStatuses       = kind("ServiceBGPStatus", "servicebgpstatuses")
	addressPools      = kind("IPAddressPool", "ipaddresspools")
)

// queries for MetalLB's objects in its namespace.
func queries(namespace string) (all []source.Query) {
	for _, k := range []source.Kind{addressPools, l2Advertisements, bgpAdvertisements, l2Statuses, bgpStatuses} {
		all = append(all, source.Query{Kind: k, Namespace: namespace})
	}
	return append(all, source.Query{Kind: source.Definitions, Name: l2Advertisements.Name(), Optional: true})
}

// givenBy are the annotations by which MetalLB says that it gave the addresses.
var givenBy = []string{"metallb.io/ip-allocated-from-pool", "metallb.universe.tf/ip-allocated-from-pool"}

func fromMetalLB(s *corev1.Service) bool { return poolOf(s) != "" }

// poolOf a Service by MetalLB's annotation; empty: MetalLB gave it no address.
func poolOf(s *corev1.Service) string {
	return cmp.Or(s.Annotations[givenBy[0]], s.Annotations[givenBy[1]])
}

// sharing says whether MetalLB after 0.16.1 announces a Service by layer 2 no more once an advertisement has serviceSelectors: it is so
// with this annotation, also when the Service shares with nobody.
func sharing(s *service) bool {
	return s.raw.Annotations["metallb.io/allow-shared-ip"] != "" || s.raw.Annotations["metallb.universe.tf/allow-shared-ip"] != ""
}

// knowsSelectors says whether a definition has spec.serviceSelectors, which MetalLB has from 0.16 on.
func knowsSelectors(d *apiextensionsv1.CustomResourceDefinition) bool {
	return slices.ContainsFunc(d.Spec.Versions, func(v apiextensionsv1.CustomResourceDefinitionVersion) bool {
		if v.Schema == nil || v.Schema.OpenAPIV3Schema == nil {
			return false
		}
		_, known := v.Schema.OpenAPIV3Schema.Properties["spec"].Properties["serviceSelectors"]
		return known
	})
}

// advertisement of MetalLB, and what it needs to leave out the Services with the label.
type advertisement struct {
	object *unstructured.Unstructured
	// selectors that it is to have; nil: it leaves them out already.
	selectors []any
	// problem that stands against that; empty: none.
	problem string
}

func readAdvertisements(objects *source.Objects) (all []advertisement) {
	for _, o := range source.Of[*unstructured.Unstructured](objects) {
		switch o.GroupVersionKind().GroupKind() {
		case l2Advertisements.GroupKind(), bgpAdvertisements.GroupKind():
			all = append(all, advertisement{object: o, selectors: selectors(o), problem: aggregates(o)})
		}
	}
	return all
}

// name of an advertisement with its kind.
func (a *advertisement) name() string {
	return fmt.Sprintf("%s %s/%s", a.object.GetKind(), a.object.GetNamespace(), a.object.GetName())
}

// LeftOut is the requirement that leaves out the Services with the label; those without a label meet it.
func LeftOut() map[string]any {
	return map[string]any{
		"key": Label, "operator": string(metav1.LabelSelectorOpNotIn), "values": []any{v1beta1.ProviderDaymark},
	}
}

// selectors that an advertisement needs: a Service is selected by any of them, so each leaves it out. nil: it needs no change.
func selectors(o *unstructured.Unstructured) []any {
	have, _, _ := unstructured.NestedSlice(o.Object, "spec", "serviceSelectors")
	if len(have) == 0 {
		have = []any{map[string]any{}}
	}
	changed := false
	for _, item := range have {
		selector, isMap := item.(map[string]any)
		if !isMap || leavesOut(selector) {
			continue
		}
		expressions, _, _ := unstructured.NestedSlice(selector, "matchExpressions")
		selector["matchExpressions"] = append(expressions, LeftOut())
		changed = true
	}
	if !changed {
		return nil
	}
	return have
}

// leavesOut says whether a selector does not select a Service with the label.
func leavesOut(selector map[string]any) bool {
	expressions, _, _ := unstructured.NestedSlice(selector, "matchExpressions")
	return slices.ContainsFunc(expressions, func(item any) bool {
		e, _ := item.(map[string]any)
		values, _, _ := unstructured.NestedStringSlice(e, "values")
		return e["key"] == Label && (e["operator"] == string(metav1.LabelSelectorOpDoesNotExist) ||
			e["operator"] == string(metav1.LabelSelectorOpNotIn) && slices.Contains(values, v1beta1.ProviderDaymark))
	})
}

// aggregates says that an advertisement announces routes for more than one address: MetalLB refuses serviceSelectors then.
func aggregates(o *unstructured.Unstructured) string {
	for field, whole := range map[string]int64{"aggregationLength": 32, "aggregationLengthV6": 128} {
		if length, has, _ := unstructured.NestedInt64(o.Object, "spec", field); has && length != whole {
			return fmt.Sprintf("it has %s %d, and MetalLB takes no serviceSelectors then: change over all at once", field, length)
		}
	}
	return ""
}
