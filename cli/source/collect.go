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
	found := &Objects{Time: now, Origin: origin}
	for _, a := range answers {
		found.Items = append(found.Items, a.items...)
		if a.gap != nil && !a.optional && !slices.Contains(found.Gaps, *a.gap) {
			found.Gaps = append(found.Gaps, *a.gap)
		}
	}
	slices.SortStableFunc(found.Items, compare)
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

func compare(a, b runtime.Object) int {
	x, y := identify(a), identify(b)
	return cmp.Or(strings.Compare(x.group, y.group), strings.Compare(x.kind, y.kind),
		strings.Compare(x.name.Namespace, y.name.Namespace), strings.Compare(x.name.Name, y.name.Name))
}
