package source

import (
	"context"
	"time"

	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/tools/cache"
)

// pollInterval is the time between two lists of objects that the user may list and may not watch.
const pollInterval = 5 * time.Second

// poll is a watch for who may only list, since the library would try to watch again ever more seldom: it lists again and again, and tells what is not as it is in the store. It ends when a list fails;
// who watches then begins anew.
func (f *follower) poll(ctx context.Context, q Query, store cache.Store) watch.Interface {
	events := make(chan watch.Event)
	w := watch.NewProxyWatcher(events)
	go func() {
		defer close(events)
		ticks := time.NewTicker(f.cluster.poll)
		defer ticks.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-w.StopChan():
				return
			case <-ticks.C:
			}
			items, err := f.cluster.list(ctx, f.reader, q)
			if err != nil {
				return
			}
			for _, event := range differences(store, items) {
				select {
				case <-ctx.Done():
					return
				case <-w.StopChan():
					return
				case events <- event:
				}
			}
		}
	}()
	return w
}

// differences are the events after which a store has just some items.
func differences(store cache.Store, items []runtime.Object) (events []watch.Event) {
	listed := map[identity]bool{}
	for _, item := range items {
		listed[identify(item)] = true
		before, exists, err := store.Get(item)
		switch {
		case err != nil || !exists:
			events = append(events, watch.Event{Type: watch.Added, Object: item})
		case metadata(before.(runtime.Object)).GetResourceVersion() != metadata(item).GetResourceVersion():
			events = append(events, watch.Event{Type: watch.Modified, Object: item})
		}
	}
	for _, object := range store.List() {
		if gone, ok := object.(runtime.Object); ok && !listed[identify(gone)] {
			events = append(events, watch.Event{Type: watch.Deleted, Object: gone.DeepCopyObject()}) // others read the one in the store
		}
	}
	return events
}
