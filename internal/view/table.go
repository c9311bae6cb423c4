package view

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

// Table is all objects of one kind as values of type V. It reads the informer's own store: nothing is copied, and an
// object whose resourceVersion is known costs one look-up, not a parse. It is safe for use by several goroutines.
type Table[T client.Object, V any] struct {
	informers cache.Informers
	parse     func(T) V

	mu       sync.Mutex
	informer stored
	rows     map[types.UID]*row[V]
	// pass counts the refreshes, to find the rows that one has not seen.
	pass uint64
	// order is the rows in order of their keys.
	order []*row[V]
	// answer to the last List; it is made anew only when something changed.
	answer []V
}

// row is a value and what it was parsed from.
type row[V any] struct {
	key     objectKey
	version string
	value   V
	// pass in which the row was last seen.
	pass uint64
}

type objectKey struct{ namespace, name string }

func (k objectKey) compare(other objectKey) int {
	return cmp.Or(strings.Compare(k.namespace, other.namespace), strings.Compare(k.name, other.name))
}

// stored is what a Table needs of an informer. The informers of client-go have it.
type stored interface {
	GetStore() toolscache.Store
	HasSynced() bool
}

// NewTable makes a Table of a kind. The parser must not change the object, which belongs to the cache; the value may
// keep references into it. Nothing is read before the first List.
func NewTable[T client.Object, V any](informers cache.Informers, parse func(T) V) *Table[T, V] {
	return &Table[T, V]{informers: informers, parse: parse, rows: map[types.UID]*row[V]{}}
}

// List gives the values of all objects in order of namespace and name. The slice and the values are shared: do not
// change them. It is an error when the cache has not synced.
func (t *Table[T, V]) List(ctx context.Context) ([]V, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if err := t.open(ctx); err != nil {
		return nil, fmt.Errorf("read %s: %w", reflect.TypeFor[T]().Elem().Name(), err)
	}
	if t.refresh(t.informer.GetStore().List()) {
		t.answer = t.list()
	}
	return t.answer, nil
}

// open finds the informer, which starts it when nobody has, and waits for its first list.
func (t *Table[T, V]) open(ctx context.Context) error {
	if t.informer == nil {
		object, _ := reflect.New(reflect.TypeFor[T]().Elem()).Interface().(T)
		informer, err := t.informers.GetInformer(ctx, object)
		if err != nil {
			return err
		}
		withStore, ok := informer.(stored)
		if !ok {
			return fmt.Errorf("the cache of type %T has no store of its own", informer)
		}
		t.informer = withStore
	}
	if !t.informer.HasSynced() {
		return errors.New("the cache has not synced")
	}
	return nil
}

// refresh parses what is new, drops what is gone, and reports whether there was any of either.
func (t *Table[T, V]) refresh(objects []any) (changed bool) {
	t.pass++
	var added []*row[V]
	for _, item := range objects {
		object, ok := item.(T)
		if !ok {
			continue // the informer is of our kind
		}
		known := t.rows[object.GetUID()]
		if known == nil {
			known = &row[V]{key: objectKey{object.GetNamespace(), object.GetName()}}
			t.rows[object.GetUID()] = known
			added = append(added, known)
		}
		if known.version != object.GetResourceVersion() {
			known.version, known.value = object.GetResourceVersion(), t.parse(object)
			changed = true
		}
		known.pass = t.pass
	}
	if len(t.rows) > len(objects) {
		gone := func(known *row[V]) bool { return known.pass != t.pass }
		maps.DeleteFunc(t.rows, func(_ types.UID, known *row[V]) bool { return gone(known) })
		t.order = slices.DeleteFunc(t.order, gone)
		changed = true
	}
	t.order = merge(t.order, added)
	return changed
}

// list makes the answer anew; the one given out before stays as it was.
func (t *Table[T, V]) list() []V {
	values := make([]V, len(t.order))
	for i, known := range t.order {
		values[i] = known.value
	}
	return values
}

// merge adds rows to sorted ones.
func merge[V any](sorted, added []*row[V]) []*row[V] {
	if len(added) == 0 {
		return sorted
	}
	slices.SortFunc(added, func(a, b *row[V]) int { return a.key.compare(b.key) })
	merged := make([]*row[V], 0, len(sorted)+len(added))
	for _, next := range added {
		i, _ := slices.BinarySearchFunc(sorted, next.key, func(known *row[V], key objectKey) int { return known.key.compare(key) })
		merged = append(append(merged, sorted[:i]...), next)
		sorted = sorted[i:]
	}
	return append(merged, sorted...)
}
