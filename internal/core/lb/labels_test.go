package lb

import (
	"maps"
	"testing"

	"k8s.io/apimachinery/pkg/labels"
	"pgregory.net/rapid"
)

// What is asked of Labels has the answer that the map of the object gives, also after one is added.
func TestLabels_AnswerAsTheMapTheyAreOf(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		key, value := rapid.SampledFrom([]string{"a", "app", "b", "tier", "z"}), rapid.SampledFrom([]string{"", "gold", "iron"})
		set := labels.Set(rapid.MapOf(key, value).Draw(t, "labels"))
		list := NewLabels(set)
		before := maps.Clone(set)
		k, v := key.Draw(t, "key"), value.Draw(t, "value")
		with := list.With(k, v)
		after := maps.Clone(set)
		if after == nil {
			after = labels.Set{}
		}
		after[k] = v
		for _, asked := range []string{"a", "app", "b", "tier", "z", "none"} {
			same(t, list, before, asked)
			same(t, with, after, asked)
		}
		if len(with) != len(after) || len(list) != len(before) {
			t.Errorf("%d and %d labels, want %d and %d", len(list), len(with), len(before), len(after))
		}
	})
}

func same(t *rapid.T, got, want labels.Labels, key string) {
	t.Helper()
	value, has := got.Lookup(key)
	wanted, wantedHas := want.Lookup(key)
	if value != wanted || has != wantedHas || got.Get(key) != wanted || got.Has(key) != wantedHas {
		t.Errorf("label %s of %v is %q, %v, want %q, %v", key, got, value, has, wanted, wantedHas)
	}
}
