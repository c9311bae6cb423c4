package web

import (
	"testing"

	"github.com/daymark-lb/daymark/api/v1beta1"
	"github.com/daymark-lb/daymark/cli/largetest"
	"github.com/daymark-lb/daymark/cli/source"
)

// large is a cluster of 100 nodes and 10,000 Services.
func large() *source.Objects {
	return &source.Objects{Time: now, Origin: "large", Items: largetest.Objects(now)}
}

// failOver is the cluster with the addresses of one node held by the next.
func failOver(all *source.Objects, from, to string) *source.Objects {
	after := *all
	after.Items = nil
	var moved []v1beta1.HeldAddress
	for _, item := range all.Items {
		if speaker, ok := item.(*v1beta1.Speaker); ok && speaker.Name == from {
			gone := speaker.DeepCopy()
			gone.Status.Layer2.IPv4, gone.Status.Layer2.Held, moved = 0, nil, speaker.Status.Layer2.Held
			item = gone
		}
		after.Items = append(after.Items, item)
	}
	for i, item := range after.Items {
		if speaker, ok := item.(*v1beta1.Speaker); ok && speaker.Name == to {
			heir := speaker.DeepCopy()
			heir.Status.Layer2.Held = append(heir.Status.Layer2.Held, moved...)
			heir.Status.Layer2.IPv4 += int32(len(moved))
			after.Items[i] = heir
		}
	}
	return &after
}

func BenchmarkPage(b *testing.B) {
	all := large()
	after := failOver(all, "node-07", "node-08")
	k := newKeeper(environment(), all)
	b.Run("first", func(b *testing.B) {
		for b.Loop() {
			get(b, newHandler(newKeeper(environment(), all)), "/")
		}
	})
	b.Run("update", func(b *testing.B) {
		for i := 0; b.Loop(); i++ {
			c := k.compute([]*source.Objects{after, all}[i%2])
			k.replace(func(s *snapshot) { s.computed = c })
			get(b, newHandler(k), "/")
		}
	})
	for _, path := range []string{"/services?q=web-42", "/services/shop/web-42-42", "/nodes/node-42"} {
		b.Run(path, func(b *testing.B) {
			for b.Loop() {
				get(b, newHandler(k), path)
			}
		})
	}
}
