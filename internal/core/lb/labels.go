package lb

import (
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/labels"
)

// Labels are the labels of a Service in order of their keys. A map of one label takes ten times the memory, and a speaker keeps those of
// all Services. A value never changes.
type Labels []Label

// Label is a key and its value.
type Label struct{ Key, Value string }

var _ labels.Labels = Labels{}

// NewLabels makes Labels of those of an object.
func NewLabels(from map[string]string) Labels {
	if len(from) == 0 {
		return nil
	}
	list := make(Labels, 0, len(from))
	for key, value := range from { // order does not matter: they are sorted below
		list = append(list, Label{key, value})
	}
	slices.SortFunc(list, func(a, b Label) int { return strings.Compare(a.Key, b.Key) })
	return list
}

// Lookup implements labels.Labels.
func (l Labels) Lookup(key string) (value string, has bool) {
	i, has := l.find(key)
	if !has {
		return "", false
	}
	return l[i].Value, true
}

// Has implements labels.Labels.
func (l Labels) Has(key string) bool {
	_, has := l.find(key)
	return has
}

// Get implements labels.Labels.
func (l Labels) Get(key string) string {
	value, _ := l.Lookup(key)
	return value
}

// With returns the labels with one more, or with another value of it.
func (l Labels) With(key, value string) Labels {
	i, has := l.find(key)
	if has {
		with := slices.Clone(l)
		with[i].Value = value
		return with
	}
	return slices.Insert(slices.Clip(l), i, Label{key, value})
}

func (l Labels) find(key string) (int, bool) {
	return slices.BinarySearchFunc(l, key, func(label Label, key string) int { return strings.Compare(label.Key, key) })
}
