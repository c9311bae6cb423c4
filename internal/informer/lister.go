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
	// notedBefore is what the changes had noted at the last look.
	notedBefore map[objectKey]bool
	// sorted are the entries of all objects in order of their keys.
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

// entry is a value and the object that it was parsed from, which the store of the informer has anyway.
type entry[V any] struct {
	object client.Object
	value  V
}

func (e *entry[V]) compare(key objectKey) int { return keyOf(e.object).compare(key) }

// of reports whether the value is that of a version of an object.
func (e *entry[V]) of(object client.Object) bool {
	now, isKept := object.(*kept[V])
	if before, wasKept := e.object.(*kept[V]); isKept && wasKept {
		return now.same(before.identity)
	}
	return e.object.GetUID() == object.GetUID() && e.object.GetResourceVersion() == object.GetResourceVersion()
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
	return &Lister[T, V]{informers: informers, parse: parse}
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
		known := l.find(key)
		switch {
		case !exists && known == nil:
		case exists && known != nil && known.of(object):
			known.object = object // A store that has been filled anew has another one of the same version.
		case !exists:
			gone[known] = true
			l.replaced = append(l.replaced, Replacement[V]{Before: &known.value})
		case known == nil:
			known = &entry[V]{object, l.valueOf(object)}
			added = append(added, known)
			now := known.value // which a later look may replace
			l.replaced = append(l.replaced, Replacement[V]{Now: &now})
		default:
			before, now, same := known.value, l.valueOf(object), false
			if l.keep != nil {
				now, same = l.keep(before, now)
			}
			known.object, known.value = object, now
			if !same {
				edited = append(edited, known)
				l.replaced = append(l.replaced, Replacement[V]{&before, &now})
			}
		}
	}
	l.update(added, edited, gone)
}

// find returns the entry of an object; nil if there is none.
func (l *Lister[T, V]) find(key objectKey) *entry[V] {
	if i, found := slices.BinarySearchFunc(l.sorted, key, (*entry[V]).compare); found {
		return l.sorted[i]
	}
	return nil
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
	for _, known := range l.sorted { // any will do
		if key := keyOf(known.object); !noted[key] && !l.notedBefore[key] {
			_, exists, _ := store.GetByKey(key.stored())
			return exists
		}
	}
	// Each has been looked at, but those that were noted before may be gone since.
	return len(l.notedBefore) == 0
}

// all are the keys of all objects that are in the store or known.
func (l *Lister[T, V]) all(store toolscache.Store) map[objectKey]bool {
	keys := make(map[objectKey]bool, len(l.sorted))
	for _, known := range l.sorted {
		keys[keyOf(known.object)] = true
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
		if l.unlisted {
			return
		}
		l.list = make([]V, len(l.sorted))
		for i, known := range l.sorted {
			l.list[i] = known.value
		}
	case len(edited) > 0 && !l.unlisted:
		l.list = slices.Clone(l.list)
		for _, known := range edited {
			i, _ := slices.BinarySearchFunc(l.sorted, keyOf(known.object), (*entry[V]).compare)
			l.list[i] = known.value
		}
	}
}

// merge adds entries to a sorted list.
func merge[V any](sorted, added []*entry[V]) []*entry[V] {
	if len(added) == 0 {
		return sorted
	}
	slices.SortFunc(added, func(a, b *entry[V]) int { return a.compare(keyOf(b.object)) })
	merged := make([]*entry[V], 0, len(sorted)+len(added))
	for _, next := range added {
		i, _ := slices.BinarySearchFunc(sorted, keyOf(next.object), (*entry[V]).compare)
		merged = append(append(merged, sorted[:i]...), next)
		sorted = sorted[i:]
	}
	return append(merged, sorted...)
}
