package informer

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"sync"

	"k8s.io/apimachinery/pkg/types"
	toolscache "k8s.io/client-go/tools/cache"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// Lister lists all objects of one kind as values of type V. It reads the informer's own store: nothing is copied, and an
// object whose resourceVersion is known costs one look-up, not a parse. It is safe for use by several goroutines.
type Lister[T client.Object, V any] struct {
	informers cache.Informers
	parse     func(T) V

	mu       sync.Mutex
	informer withStore
	byUID    map[types.UID]*entry[V]
	// refreshes counts the calls of refresh, to find the entries that the last one did not see.
	refreshes uint64
	// sorted are the entries in order of their keys.
	sorted []*entry[V]
	// list is the result of the last List; a new one is made only when something changed.
	list []V
}

// entry is a value and what it was parsed from.
type entry[V any] struct {
	key     objectKey
	version string
	value   V
	// refresh is the number of the refresh that saw the object last.
	refresh uint64
}

type objectKey struct{ namespace, name string }

func (k objectKey) compare(other objectKey) int {
	return cmp.Or(strings.Compare(k.namespace, other.namespace), strings.Compare(k.name, other.name))
}

// withStore is what a Lister needs of an informer. The informers of client-go have it.
type withStore interface {
	GetStore() toolscache.Store
	HasSynced() bool
}

// NewLister makes a Lister of one kind. The parser must not change the object, which belongs to the informer; the value may
// keep references into it. Nothing is read before the first List.
func NewLister[T client.Object, V any](informers cache.Informers, parse func(T) V) *Lister[T, V] {
	return &Lister[T, V]{informers: informers, parse: parse, byUID: map[types.UID]*entry[V]{}}
}

// List returns the values of all objects in order of namespace and name. The slice and the values are shared: do not
// change them. It is an error when the informer has not synced.
func (l *Lister[T, V]) List(ctx context.Context) ([]V, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if err := l.open(ctx); err != nil {
		return nil, fmt.Errorf("read %s: %w", reflect.TypeFor[T]().Elem().Name(), err)
	}
	if l.refresh(l.informer.GetStore().List()) {
		l.list = l.values()
	}
	return l.list, nil
}

// open finds the informer, which starts it if it does not run yet, and checks that it has synced.
func (l *Lister[T, V]) open(ctx context.Context) error {
	if l.informer == nil {
		object, _ := reflect.New(reflect.TypeFor[T]().Elem()).Interface().(T)
		informer, err := l.informers.GetInformer(ctx, object)
		if err != nil {
			return err
		}
		stored, ok := informer.(withStore)
		if !ok {
			return fmt.Errorf("the informer of type %T has no store of its own", informer)
		}
		l.informer = stored
	}
	if !l.informer.HasSynced() {
		return errors.New("the cache has not synced")
	}
	return nil
}

// refresh parses new and changed objects, drops deleted ones, and reports whether there were any.
func (l *Lister[T, V]) refresh(objects []any) (changed bool) {
	l.refreshes++
	var added []*entry[V]
	for _, item := range objects {
		object, ok := item.(T)
		if !ok {
			continue // cannot be: the informer is of our kind
		}
		known := l.byUID[object.GetUID()]
		if known == nil {
			known = &entry[V]{key: objectKey{object.GetNamespace(), object.GetName()}}
			l.byUID[object.GetUID()] = known
			added = append(added, known)
		}
		if known.version != object.GetResourceVersion() {
			known.version, known.value = object.GetResourceVersion(), l.parse(object)
			changed = true
		}
		known.refresh = l.refreshes
	}
	if len(l.byUID) > len(objects) {
		gone := func(known *entry[V]) bool { return known.refresh != l.refreshes }
		maps.DeleteFunc(l.byUID, func(_ types.UID, known *entry[V]) bool { return gone(known) })
		l.sorted = slices.DeleteFunc(l.sorted, gone)
		changed = true
	}
	l.sorted = merge(l.sorted, added)
	return changed
}

// values returns a new list; those returned before do not change.
func (l *Lister[T, V]) values() []V {
	values := make([]V, len(l.sorted))
	for i, known := range l.sorted {
		values[i] = known.value
	}
	return values
}

// merge adds entries to a sorted list.
func merge[V any](sorted, added []*entry[V]) []*entry[V] {
	if len(added) == 0 {
		return sorted
	}
	slices.SortFunc(added, func(a, b *entry[V]) int { return a.key.compare(b.key) })
	merged := make([]*entry[V], 0, len(sorted)+len(added))
	for _, next := range added {
		i, _ := slices.BinarySearchFunc(sorted, next.key, func(known *entry[V], key objectKey) int { return known.key.compare(key) })
		merged = append(append(merged, sorted[:i]...), next)
		sorted = sorted[i:]
	}
	return append(merged, sorted...)
}
