package view

import (
	"slices"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// all objects of a Go type, in order of name.
func all[T metav1.Object](c *Cluster) (found []T) {
	for _, object := range c.Objects {
		if o, ok := object.(T); ok {
			found = append(found, o)
		}
	}
	slices.SortStableFunc(found, func(a, b T) int { return strings.Compare(a.GetName(), b.GetName()) })
	return found
}

// named is the object of a Go type with a name.
func named[T metav1.Object](c *Cluster, name string) (object T, ok bool) {
	for _, o := range all[T](c) {
		if o.GetName() == name {
			return o, true
		}
	}
	return object, false
}
