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

	stores map[reflect.Type]toolscache.Store
}

// New makes a cache of some objects.
func New(objects ...client.Object) *Cache {
	c := &Cache{stores: map[reflect.Type]toolscache.Store{}}
	for _, object := range objects {
		c.Put(object)
	}
	return c
}

// Put adds an object, or replaces the one of the same kind, namespace and name.
func (c *Cache) Put(object client.Object) { _ = c.store(object).Add(object) }

// PutAs is Put of what a cache with some options keeps of an object, which is changed.
func (c *Cache) PutAs(object client.Object, options cache.Options) error {
	transform := options.DefaultTransform
	for of, kind := range options.ByObject {
		if reflect.TypeOf(of) == reflect.TypeOf(object) && kind.Transform != nil {
			transform = kind.Transform
		}
	}
	if _, err := transform(object); err != nil {
		return err
	}
	c.Put(object)
	return nil
}

// Delete removes an object.
func (c *Cache) Delete(object client.Object) { _ = c.store(object).Delete(object) }

func (c *Cache) store(object client.Object) toolscache.Store {
	kind := reflect.TypeOf(object)
	if c.stores[kind] == nil {
		c.stores[kind] = toolscache.NewStore(toolscache.MetaNamespaceKeyFunc)
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
	store toolscache.Store
}

// GetStore returns the store.
func (i *informer) GetStore() toolscache.Store { return i.store }

// HasSynced reports whether the cache has synced.
func (i *informer) HasSynced() bool { return !i.cache.NotSynced }
