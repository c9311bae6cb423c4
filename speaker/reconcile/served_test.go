package reconcile

import (
	"fmt"
	"maps"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/daymark-lb/daymark/internal/core/cluster"
	"github.com/daymark-lb/daymark/internal/core/lb"
	"github.com/daymark-lb/daymark/internal/informer"
)

// randomService is one of some, served or not, and leaving or not.
func randomService(t *rapid.T, classes lb.Classes) *lb.Service {
	s := &lb.Service{
		Key:          lb.Key{Namespace: "default", Name: fmt.Sprint("s", rapid.IntRange(0, 120).Draw(t, "name"))},
		LoadBalancer: rapid.Bool().Draw(t, "load balancer"), Finalizer: rapid.Bool().Draw(t, "finalizer"),
		Version: rapid.Uint64Range(1, 1000).Draw(t, "version"),
	}
	s.Provenance = lb.Provenance{
		Class:       rapid.SampledFrom([]string{"", classes.Name, "other"}).Draw(t, "gave"),
		Withdrawing: rapid.Bool().Draw(t, "withdrawing"), Finalizer: rapid.Bool().Draw(t, "our finalizer"),
	}
	return s
}

// What is kept from pass to pass is what one look at all Services finds.
func TestServed_AreThoseOfAllServices(t *testing.T) {
	classes := lb.Classes{Name: "c", Classless: true}
	rapid.Check(t, func(t *rapid.T) {
		kept := served{classes: classes}
		exist, before := map[lb.Key]*lb.Service{}, map[lb.Key]*lb.Service{}
		for pass := range rapid.IntRange(1, 6).Draw(t, "passes") {
			var changed []informer.Replacement[*lb.Service]
			for range rapid.SampledFrom([]int{0, 1, 3, 100, 2 * maxEdits}).Draw(t, "changes") {
				now := randomService(t, classes)
				change := informer.Replacement[*lb.Service]{Now: &now}
				if was, existed := exist[now.Key]; existed {
					change.Before = &was
				}
				if exist[now.Key] = now; change.Before != nil && rapid.Bool().Draw(t, "deleted") {
					change.Now = nil
					delete(exist, now.Key)
				}
				changed = append(changed, change)
			}
			all := slices.SortedFunc(maps.Values(exist), func(a, b *lb.Service) int { return a.Key.Compare(b.Key) })
			was := slices.Clone(kept.list)
			list := kept.list
			changes := kept.update(all, changed)
			if !slices.Equal(list, was) {
				t.Fatal("the list of the pass before has changed")
			}
			objects := cluster.Objects{Services: all}
			if want := objects.Owned(classes); !slices.Equal(kept.list, want) {
				t.Fatalf("served are %d, not %d", len(kept.list), len(want))
			}
			if got, want := kept.newestLeaving(), newestLeaving(all, classes); got != want {
				t.Fatalf("the newest that leaves is %d, not %d", got, want)
			}
			if pass > 0 {
				for _, c := range changes {
					if c.Before != nil {
						delete(before, c.Before.Key)
					}
					if c.Now != nil {
						before[c.Now.Key] = c.Now
					}
				}
				if len(before) != len(kept.list) || slices.ContainsFunc(kept.list, func(s *lb.Service) bool { return before[s.Key] != s }) {
					t.Fatal("the changes do not lead from the pass before to this one")
				}
			}
			before = map[lb.Key]*lb.Service{}
			for _, s := range kept.list {
				before[s.Key] = s
			}
		}
	})
}

func newestLeaving(all []*lb.Service, classes lb.Classes) (newest uint64) {
	for _, s := range all {
		if classes.Leaving(s) {
			newest = max(newest, s.Version)
		}
	}
	return newest
}
