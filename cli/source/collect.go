package source

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
)

// collect puts answers together. An object that several queries asked for is there once.
func collect(answers []answer, now time.Time, origin string) *Objects {
	found := &Objects{Time: now, Origin: origin, Whole: map[string]bool{}}
	seen := false
	for _, a := range answers {
		seen = seen || !a.optional && (a.gap == nil || a.gap.Why != Forbidden || a.gap.Instead != "")
		found.Items = append(found.Items, a.items...)
		before, asked := found.Whole[a.resource]
		found.Whole[a.resource] = a.gap == nil && (before || !asked)
		if a.gap != nil && !a.optional && !slices.Contains(found.Gaps, *a.gap) {
			found.Gaps = append(found.Gaps, *a.gap)
		}
	}
	found.Blind = !seen && len(found.Gaps) > 0
	if !slices.IsSortedFunc(found.Items, compare) {
		sortObjects(found.Items)
	}
	found.Items = slices.CompactFunc(found.Items, func(a, b runtime.Object) bool { return identify(a) == identify(b) })
	return found
}

// identity of an object within what was read.
type identity struct {
	group, kind string
	name        types.NamespacedName
}

func identify(o runtime.Object) identity {
	kind := o.GetObjectKind().GroupVersionKind()
	object := metadata(o)
	return identity{kind.Group, kind.Kind, types.NamespacedName{Namespace: object.GetNamespace(), Name: object.GetName()}}
}

// identity of a kind comes before those of its objects.
func (k Kind) identity() identity { return identity{group: k.Group, kind: k.Kind} }

// Namespace of an object; empty: it is in none.
func Namespace(o runtime.Object) string { return metadata(o).GetNamespace() }

// Name of an object.
func Name(o runtime.Object) string { return metadata(o).GetName() }

// metadata of an object; all that is read has some.
func metadata(o runtime.Object) metav1.Object {
	object, err := meta.Accessor(o)
	if err != nil {
		return &metav1.ObjectMeta{}
	}
	return object
}

func compare(a, b runtime.Object) int { return identify(a).compare(identify(b)) }

func (i identity) compare(other identity) int {
	return cmp.Or(strings.Compare(i.group, other.group), strings.Compare(i.kind, other.kind),
		strings.Compare(i.name.Namespace, other.name.Namespace), strings.Compare(i.name.Name, other.name.Name))
}

// sortObjects puts objects in order, and leaves those of one name as they are. Their names are looked up once each.
func sortObjects(items []runtime.Object) {
	type named struct {
		identity
		object runtime.Object
	}
	all := make([]named, len(items))
	for i, o := range items {
		all[i] = named{identify(o), o}
	}
	slices.SortStableFunc(all, func(a, b named) int { return a.compare(b.identity) })
	for i := range all {
		items[i] = all[i].object
	}
}
