package informer

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"sync"

	"k8s.io/apimachinery/pkg/types"
	toolscache "k8s.io/client-go/tools/cache"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// Lister lists all objects of one kind as values of type V. It reads the informer's own store: nothing is copied, and only the
// objects that have changed since it looked last are looked at. It is safe for use by several goroutines.
type Lister[T client.Object, V any] struct {
	informers cache.Informers
	parse     func(T) V
	// keep returns what takes the place of a value: the new one, or the one before if the two are equal, or part of it. Same: nothing
	// has changed. Nil: it is always the new one.
	keep    func(before, now V) (kept V, same bool)
	changes changes

	mu       sync.Mutex
	informer withStore
	byKey    map[objectKey]*entry[V]
	// notedBefore is what the changes had noted at the last look.
	notedBefore map[objectKey]bool
	// sorted are the entries in order of their keys.
	sorted []*entry[V]
	// list is the result of the last List; a new one is made only when something changed.
	list []V
	// replaced are the values that the last List has and the one before had not, and the other way round.
	replaced []Replacement[V]
	// unlisted: nobody asks for the list, only for what has changed.
	unlisted bool
}

// Replacement is a value that took the place of another; nil where there is none.
type Replacement[V any] struct{ Before, Now *V }

// entry is a value and what it was parsed from.
type entry[V any] struct {
	key     objectKey
	uid     types.UID
	version string
	value   V
}

type objectKey struct{ namespace, name string }

func keyOf(object client.Object) objectKey { return objectKey{object.GetNamespace(), object.GetName()} }

// stored is the key of the object in the store of an informer.
func (k objectKey) stored() string { return toolscache.NewObjectName(k.namespace, k.name).String() }

func (k objectKey) compare(other objectKey) int {
	return cmp.Or(strings.Compare(k.namespace, other.namespace), strings.Compare(k.name, other.name))
}

// withStore is what a Lister needs of an informer. The informers of client-go have it.
type withStore interface {
	GetStore() toolscache.Store
	AddIndexers(toolscache.Indexers) error
	HasSynced() bool
}

// NewLister makes a Lister of one kind. The parser must not change the object, which belongs to the informer; the value may
// keep references into it. Nothing is read before the first List.
func NewLister[T client.Object, V any](informers cache.Informers, parse func(T) V) *Lister[T, V] {
	return &Lister[T, V]{informers: informers, parse: parse, byKey: map[objectKey]*entry[V]{}}
}

// NewValueLister is NewLister for values that do not say of which version of the object they are. An object that is written and whose value
// stays equal keeps the value that it had: who compares values by their pointers sees no change. Nodes are written again and again so.
func NewValueLister[T client.Object, V any](informers cache.Informers, parse func(T) *V) *Lister[T, *V] {
	l := NewLister(informers, parse)
	l.keep = func(before, now *V) (*V, bool) {
		if reflect.DeepEqual(before, now) {
			return before, true
		}
		return now, false
	}
	return l
}

// List returns the values of all objects in order of namespace and name. The slice and the values are shared: do not
// change them. It is an error when the informer has not synced.
func (l *Lister[T, V]) List(ctx context.Context) ([]V, error) {
	values, _, err := l.ListChanges(ctx)
	return values, err
}

// ListChanges is List. It also returns what has changed since the last call of either that was no error, in no order.
func (l *Lister[T, V]) ListChanges(ctx context.Context) ([]V, []Replacement[V], error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if err := l.open(ctx); err != nil {
		return nil, nil, fmt.Errorf("read %s: %w", reflect.TypeFor[T]().Elem().Name(), err)
	}
	l.refresh(l.informer.GetStore())
	return l.list, l.replaced, nil
}

// Changes returns what has changed since the last call that was no error, in no order. A Lister that is asked for that is asked for no
// list.
func (l *Lister[T, V]) Changes(ctx context.Context) ([]Replacement[V], error) {
	l.unlisted = true
	_, changes, err := l.ListChanges(ctx)
	return changes, err
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
		if err := l.changes.follow(stored); err != nil {
			return err
		}
		l.informer = stored
	}
	if !l.informer.HasSynced() {
		return errors.New("the cache has not synced")
	}
	return nil
}

// refresh parses new and changed objects and drops deleted ones.
func (l *Lister[T, V]) refresh(store toolscache.Store) {
	l.replaced = nil
	noted, many := l.changes.take()
	look := noted
	if many || !l.complete(store, noted) {
		look = l.all(store)
	}
	l.notedBefore = noted
	var added []*entry[V]
	var edited []*entry[V]
	gone := map[*entry[V]]bool{}
	// order does not matter: each entry stands for itself, and what is added is sorted
	for key := range look {
		item, _, _ := store.GetByKey(key.stored()) // of this kind of store there is no error
		object, exists := item.(client.Object)
		known := l.byKey[key]
		switch {
		case !exists && known == nil, exists && known != nil && known.uid == object.GetUID() && known.version == object.GetResourceVersion():
		case !exists:
			gone[known] = true
			delete(l.byKey, key)
			l.replaced = append(l.replaced, Replacement[V]{Before: &known.value})
		case known == nil:
			known = &entry[V]{key, object.GetUID(), object.GetResourceVersion(), l.valueOf(object)}
			l.byKey[key], added = known, append(added, known)
			now := known.value // which a later look may replace
			l.replaced = append(l.replaced, Replacement[V]{Now: &now})
		default:
			before, now, same := known.value, l.valueOf(object), false
			if l.keep != nil {
				now, same = l.keep(before, now)
			}
			known.uid, known.version, known.value = object.GetUID(), object.GetResourceVersion(), now
			if !same {
				edited = append(edited, known)
				l.replaced = append(l.replaced, Replacement[V]{&before, &now})
			}
		}
	}
	if !l.unlisted {
		l.update(added, edited, gone)
	}
}

// valueOf returns the value of an object of a store, or of what is kept of one.
func (l *Lister[T, V]) valueOf(object client.Object) V {
	if known, ok := object.(*kept[V]); ok {
		return known.value
	}
	return l.parse(object.(T)) //nolint:forcetypeassert // the informer has no others
}

// complete reports whether only the noted objects can have changed. An informer that replaces its whole store, after it has listed
// the objects anew, notes all that are there and none that is gone. So it did not if one that is not noted is there. What it notes may
// come in two parts, when the first is taken while it replaces; the read of the store that follows waits until it has done so.
func (l *Lister[T, V]) complete(store toolscache.Store, noted map[objectKey]bool) bool {
	for key := range l.byKey { // order does not matter: any will do
		if !noted[key] && !l.notedBefore[key] {
			_, exists, _ := store.GetByKey(key.stored())
			return exists
		}
	}
	// Each has been looked at, but those that were noted before may be gone since.
	return len(l.notedBefore) == 0
}

// all are the keys of all objects that are in the store or known.
func (l *Lister[T, V]) all(store toolscache.Store) map[objectKey]bool {
	keys := make(map[objectKey]bool, len(l.byKey))
	for key := range l.byKey {
		keys[key] = true
	}
	for _, item := range store.List() {
		if object, ok := item.(client.Object); ok {
			keys[keyOf(object)] = true
		}
	}
	return keys
}

// update makes the list anew if it has changed; those returned before stay as they are.
func (l *Lister[T, V]) update(added, edited []*entry[V], gone map[*entry[V]]bool) {
	switch {
	case len(added) > 0 || len(gone) > 0:
		if len(gone) > 0 {
			l.sorted = slices.DeleteFunc(l.sorted, func(known *entry[V]) bool { return gone[known] })
		}
		l.sorted = merge(l.sorted, added)
		l.list = make([]V, len(l.sorted))
		for i, known := range l.sorted {
			l.list[i] = known.value
		}
	case len(edited) > 0:
		l.list = slices.Clone(l.list)
		for _, known := range edited {
			i, _ := slices.BinarySearchFunc(l.sorted, known.key, func(known *entry[V], key objectKey) int { return known.key.compare(key) })
			l.list[i] = known.value
		}
	}
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
