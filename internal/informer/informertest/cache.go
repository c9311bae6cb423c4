// Package informertest has a cache of informers for tests. Its one job is to show a test's objects to what lists them. It refuses
// to call event handlers: what wakes a loop is no matter of its passes.
package informertest

import (
	"context"
	"reflect"

	toolscache "k8s.io/client-go/tools/cache"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// Cache has an informer for every kind. It is not safe for use by several goroutines.
type Cache struct {
	cache.Informers
	// NotSynced: no informer has synced.
	NotSynced bool

	stores map[reflect.Type]toolscache.Indexer
}

// New makes a cache of some objects.
func New(objects ...client.Object) *Cache {
	c := &Cache{stores: map[reflect.Type]toolscache.Indexer{}}
	for _, object := range objects {
		c.Put(object)
	}
	return c
}

// Put adds an object, or replaces the one of the same kind, namespace and name.
func (c *Cache) Put(object client.Object) { _ = c.store(object).Add(object) }

// PutAs is Put of what a cache with some options keeps of an object, which is changed or replaced.
func (c *Cache) PutAs(object client.Object, options cache.Options) error {
	transform := options.DefaultTransform
	for of, kind := range options.ByObject {
		if reflect.TypeOf(of) == reflect.TypeOf(object) && kind.Transform != nil {
			transform = kind.Transform
		}
	}
	kept, err := transform(object)
	if err != nil {
		return err
	}
	return c.store(object).Add(kept)
}

// Replace puts some objects in the place of all of a kind, as an informer does that has listed them anew.
func (c *Cache) Replace(kind client.Object, objects ...client.Object) {
	items := make([]any, len(objects))
	for i, object := range objects {
		items[i] = object
	}
	_ = c.store(kind).Replace(items, "")
}

// Delete removes an object.
func (c *Cache) Delete(object client.Object) { _ = c.store(object).Delete(object) }

func (c *Cache) store(object client.Object) toolscache.Indexer {
	kind := reflect.TypeOf(object)
	if c.stores[kind] == nil {
		c.stores[kind] = toolscache.NewIndexer(toolscache.MetaNamespaceKeyFunc, toolscache.Indexers{})
	}
	return c.stores[kind]
}

// GetInformer returns the informer of a kind.
func (c *Cache) GetInformer(_ context.Context, object client.Object, _ ...cache.InformerGetOption) (cache.Informer, error) {
	return &informer{cache: c, store: c.store(object)}, nil
}

type informer struct {
	cache.Informer
	cache *Cache
	store toolscache.Indexer
}

// GetStore returns the store.
func (i *informer) GetStore() toolscache.Store { return i.store }

// AddIndexers adds indexers to the store.
func (i *informer) AddIndexers(indexers toolscache.Indexers) error {
	return i.store.AddIndexers(indexers)
}

// HasSynced reports whether the cache has synced.
func (i *informer) HasSynced() bool { return !i.cache.NotSynced }
