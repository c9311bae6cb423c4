// Package migrate is the command that makes Daymark's objects of those of another provider. Its one job is that nothing is lost in
// silence: each field is carried over, or named with the reason. Convert is pure: objects in, objects and remarks out. It refuses to
// write to a cluster, and to read Secrets of one.
package migrate

import (
	"cmp"
	"slices"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// Result is what becomes of some objects.
type Result struct {
	Items []Item
	// Remarks that belong to no item, such as those of Services.
	Remarks []Remark
}

// Item is an object to apply.
type Item struct {
	Object unstructured.Unstructured
	// From is what it was made of: BGPPeer metallb-system/router.
	From    string
	Remarks []Remark
}

// Remark is what a person should know of an object that was converted.
type Remark struct {
	// Object is the one that was read: BGPPeer metallb-system/router.
	Object string
	// Field of it: spec.disableMP; empty: the whole object.
	Field string
	Text  string
}

func (r Remark) String() string {
	if r.Field == "" {
		return r.Object + ": " + r.Text
	}
	return r.Object + ": " + r.Field + ": " + r.Text
}

// order of the kinds in which objects are printed: what others name comes first.
var order = []string{"IPAddressPool", "IPReservation", "Community", "BFDProfile", "Secret", "BGPPeer", "L2Advertisement", "BGPAdvertisement"}

// Convert makes objects for Daymark of MetalLB's, in the namespace that Daymark runs in. Of objects that are not MetalLB's it looks at
// the annotations of Services, and at Secrets that a BGPPeer names.
func Convert(objects []unstructured.Unstructured, system string) *Result {
	s := &set{
		system: system, result: &Result{}, seen: map[string]*unstructured.Unstructured{}, made: map[string]string{},
		inline: map[string]string{}, secrets: map[string]*unstructured.Unstructured{},
	}
	var all []unstructured.Unstructured
	for i := range objects {
		all = append(all, s.expand(&objects[i])...)
	}
	for i := range all {
		s.note(&all[i])
	}
	for i := range all {
		s.convert(&all[i])
	}
	s.services(objects)
	slices.SortStableFunc(s.result.Items, func(a, b Item) int {
		return cmp.Compare(slices.Index(order, a.Object.GetKind()), slices.Index(order, b.Object.GetKind()))
	})
	return s.result
}
