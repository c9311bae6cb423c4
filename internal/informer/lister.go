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
	// equal reports whether the value before stays, and nothing has changed; nil: never. adopt returns a new value with what it shares with
	// the one before; nil: nothing.
	equal   func(before, now V) bool
	adopt   func(before, now V) V
	changes changes

	mu       sync.Mutex
	informer withStore
	// notedBefore is what the changes had noted at the last look.
	notedBefore map[objectKey]bool
	// sorted are the entries of all objects in order of their keys.
	sorted []entry[V]
	// list is the result of the last List; a new one is made only when something changed.
	list []V
	// replaced are the values that the last List has and the one before had not, and the other way round.
	replaced []Replacement[V]
	// unlisted: nobody asks for the list, only for what has changed.
	unlisted bool
}

// Replacement is a value that took the place of another; nil where there is none.
type Replacement[V any] struct{ Before, Now *V }

// entry is an object and its value: what the store of the informer keeps anyway, where that has both, else a parsed.
type entry[V any] interface {
	client.Object
	valued() V
}

// parsed is a value and the object that it was parsed from, or that has an equal one.
type parsed[V any] struct {
	client.Object

	value V
}

func (p *parsed[V]) valued() V { return p.value }

// objectOf an entry in the store.
func objectOf[V any](e entry[V]) client.Object {
	if p, is := e.(*parsed[V]); is {
		return p.Object
	}
	return e
}

func compareEntry[V any](e entry[V], key objectKey) int { return keyOf(e).compare(key) }

// sameVersion reports whether an entry is of a version of an object.
func sameVersion[V any](e entry[V], object client.Object) bool {
	now, isKept := object.(*kept[V])
	if before, wasKept := objectOf(e).(*kept[V]); isKept && wasKept {
		return now.same(before.identity)
	}
	return e.GetUID() == object.GetUID() && e.GetResourceVersion() == object.GetResourceVersion()
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
	l.equal = func(before, now *V) bool { return reflect.DeepEqual(before, now) }
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
	var added []entry[V]
	var edited, gone []int
	// order does not matter: each entry stands for itself, and what is added is sorted
	for key := range look {
		item, _, _ := store.GetByKey(key.stored()) // of this kind of store there is no error
		object, exists := item.(client.Object)
		i, known := l.find(key)
		switch {
		case !exists && !known:
		case !exists:
			gone = append(gone, i)
			before := l.sorted[i].valued()
			l.replaced = append(l.replaced, Replacement[V]{Before: &before})
		case !known:
			now := l.entryOf(object)
			added = append(added, now)
			value := now.valued()
			l.replaced = append(l.replaced, Replacement[V]{Now: &value})
		default:
			if l.replace(i, object) {
				edited = append(edited, i)
			}
		}
	}
	l.update(added, edited, gone)
}

// replace has an entry be of the object that the store has now. It reports whether that has another value.
func (l *Lister[T, V]) replace(i int, object client.Object) (changed bool) {
	known := l.sorted[i]
	if sameVersion(known, object) {
		if objectOf(known) != object { // A store that has been filled anew has another one of the same version.
			l.sorted[i] = &parsed[V]{object, known.valued()}
		}
		return false
	}
	entry := l.entryOf(object)
	before, now := known.valued(), entry.valued()
	switch {
	case l.equal != nil && l.equal(before, now):
		l.sorted[i] = &parsed[V]{object, before}
		return false
	case l.adopt != nil:
		now = l.adopt(before, now)
		entry = &parsed[V]{object, now}
	}
	l.sorted[i] = entry
	l.replaced = append(l.replaced, Replacement[V]{&before, &now})
	return true
}

// find returns the place of an object among the entries.
func (l *Lister[T, V]) find(key objectKey) (int, bool) {
	return slices.BinarySearchFunc(l.sorted, key, compareEntry[V])
}

// entryOf an object of a store.
func (l *Lister[T, V]) entryOf(object client.Object) entry[V] {
	if known, ok := object.(*kept[V]); ok {
		return known
	}
	return &parsed[V]{object, l.parse(object.(T))} //nolint:forcetypeassert // the informer has no others
}

// complete reports whether only the noted objects can have changed. An informer that replaces its whole store, after it has listed
// the objects anew, notes all that are there and none that is gone. So it did not if one that is not noted is there. What it notes may
// come in two parts, when the first is taken while it replaces; the read of the store that follows waits until it has done so.
func (l *Lister[T, V]) complete(store toolscache.Store, noted map[objectKey]bool) bool {
	for _, known := range l.sorted { // any will do
		if key := keyOf(known); !noted[key] && !l.notedBefore[key] {
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
		keys[keyOf(known)] = true
	}
	for _, item := range store.List() {
		if object, ok := item.(client.Object); ok {
			keys[keyOf(object)] = true
		}
	}
	return keys
}

// update makes the list anew if it has changed; those returned before stay as they are. Edited and gone are places in the
// list before.
func (l *Lister[T, V]) update(added []entry[V], edited, gone []int) {
	switch {
	case len(added) > 0 || len(gone) > 0:
		if len(gone) > 0 {
			l.sorted = withoutPlaces(l.sorted, gone)
		}
		l.sorted = merge(l.sorted, added)
		if l.unlisted {
			return
		}
		l.list = make([]V, len(l.sorted))
		for i, known := range l.sorted {
			l.list[i] = known.valued()
		}
	case len(edited) > 0 && !l.unlisted:
		l.list = slices.Clone(l.list)
		for _, i := range edited {
			l.list[i] = l.sorted[i].valued()
		}
	}
}

// withoutPlaces removes the elements of a list at some places.
func withoutPlaces[E any](list []E, places []int) []E {
	slices.Sort(places)
	at := -1
	return slices.DeleteFunc(list, func(E) bool {
		at++
		if len(places) == 0 || places[0] != at {
			return false
		}
		places = places[1:]
		return true
	})
}

// merge adds entries to a sorted list.
func merge[V any](sorted, added []entry[V]) []entry[V] {
	if len(added) == 0 {
		return sorted
	}
	slices.SortFunc(added, func(a, b entry[V]) int { return keyOf(a).compare(keyOf(b)) })
	merged := make([]entry[V], 0, len(sorted)+len(added))
	for _, next := range added {
		i, _ := slices.BinarySearchFunc(sorted, keyOf(next), compareEntry[V])
		merged = append(append(merged, sorted[:i]...), next)
		sorted = sorted[i:]
	}
	return append(merged, sorted...)
}
