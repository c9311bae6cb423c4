package source

import (
	"context"
	"fmt"
	"slices"
	"sync/atomic"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/tools/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// Follow watches what Read finds, and lists it again and again where the user may not watch. What cannot be read at the start is not looked for again.
func (c *cluster) Follow(ctx context.Context, interval time.Duration, queries ...Query) (<-chan *Objects, error) {
	reader, err := c.client(queries)
	if err != nil {
		return nil, fmt.Errorf("make a client: %w", err)
	}
	queries = slices.Clone(queries)
	slices.SortStableFunc(queries, func(a, b Query) int { return a.Kind.identity().compare(b.Kind.identity()) }) // What is in order all together need not be sorted each time.
	answers, err := c.readAll(ctx, reader, queries)
	if err != nil {
		return nil, err
	}
	first := collect(answers, c.now(), c.config.Host)
	f := &follower{cluster: c, reader: reader, gaps: first.Gaps, whole: first.Whole, changed: make(chan struct{}, 1)}
	for i, q := range queries {
		if gap := answers[i].gap; gap != nil && gap.Instead == "" || answers[i].missing {
			continue
		} else if gap != nil {
			q.Namespace = gap.Instead
		}
		if err := f.watch(ctx, q); err != nil {
			return nil, err
		}
	}
	out := make(chan *Objects, 1)
	out <- first
	go f.run(ctx, interval, out)
	return out, nil
}

// follower has the newest objects of each query.
type follower struct {
	cluster *cluster
	reader  client.WithWatch
	gaps    []Gap
	whole   map[string]bool
	all     []*followed
	// changed has an entry when something has changed that was not told yet.
	changed chan struct{}
}

// followed are the objects of one query.
type followed struct {
	store  cache.Store
	synced func() bool
	// changed: there are others than those of items, which are in order.
	changed atomic.Bool
	items   []runtime.Object
}

// watch begins to follow the objects of one query.
func (f *follower) watch(ctx context.Context, q Query) error {
	options, err := q.options()
	if err != nil {
		return err
	}
	with := func(raw metav1.ListOptions) *client.ListOptions {
		asked := *options
		asked.Limit, asked.Continue, asked.Raw = raw.Limit, raw.Continue, &raw
		return &asked
	}
	followed := &followed{}
	lists := &cache.ListWatch{
		ListWithContextFunc: func(ctx context.Context, raw metav1.ListOptions) (runtime.Object, error) {
			into := q.Kind.list()
			return into, f.reader.List(ctx, into, with(raw))
		},
		WatchFuncWithContext: func(ctx context.Context, raw metav1.ListOptions) (watch.Interface, error) {
			w, err := f.reader.Watch(ctx, q.Kind.list(), with(raw))
			if streamed := raw.SendInitialEvents != nil && *raw.SendInitialEvents; apierrors.IsForbidden(err) && !streamed {
				return f.poll(ctx, q, followed.store), nil
			}
			return w, err
		},
	}
	wake := func() { followed.changed.Store(true); f.wake() }
	var informer cache.Controller
	followed.store, informer = cache.NewInformerWithOptions(cache.InformerOptions{
		ListerWatcher: lists, Handler: cache.ResourceEventHandlerFuncs{
			AddFunc: func(any) { wake() }, UpdateFunc: func(any, any) { wake() }, DeleteFunc: func(any) { wake() },
		},
		Transform: func(object any) (any, error) {
			if o, ok := object.(runtime.Object); ok {
				o.GetObjectKind().SetGroupVersionKind(q.Kind.GroupVersionKind)
			}
			return object, nil
		},
	})
	followed.synced = informer.HasSynced
	f.all = append(f.all, followed)
	go informer.RunWithContext(ctx)
	return nil
}

func (f *follower) wake() {
	select {
	case f.changed <- struct{}{}:
	default: // it is told already
	}
}

// run sends the objects after changes until ctx ends. A reader who is slow gets only the newest.
func (f *follower) run(ctx context.Context, interval time.Duration, out chan *Objects) {
	defer close(out)
	for {
		select {
		case <-ctx.Done():
			return
		case <-f.changed:
		}
		if f.haveSynced() {
			select {
			case <-out: // nobody has looked at the last one
			default:
			}
			out <- f.objects()
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(interval):
		}
	}
}

func (f *follower) haveSynced() bool {
	return !slices.ContainsFunc(f.all, func(followed *followed) bool { return !followed.synced() })
}

// objects as they are now.
func (f *follower) objects() *Objects {
	answers := make([]answer, len(f.all))
	for i, followed := range f.all {
		answers[i].items = followed.now()
	}
	found := collect(answers, f.cluster.now(), f.cluster.config.Host)
	found.Gaps, found.Whole = f.gaps, f.whole
	return found
}

// now are the objects as they are now, in order. Those of a kind of which none has changed are what they were.
func (f *followed) now() []runtime.Object {
	if !f.changed.Swap(false) {
		return f.items
	}
	items := make([]runtime.Object, 0, len(f.items))
	for _, item := range f.store.List() {
		if object, ok := item.(runtime.Object); ok {
			items = append(items, object)
		}
	}
	sortObjects(items)
	f.items = items
	return items
}
