package informer

import (
	"reflect"

	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	toolscache "k8s.io/client-go/tools/cache"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/daymark-lb/daymark/internal/core/lb"
)

// kept is what a cache keeps in the place of an object that nobody reads but through its value: who it is, and the value. An EndpointSlice
// and a Service are several times as large as what is read of them. Its other metadata are those of an object without any.
type kept[V any] struct {
	identity

	namespace *string // which many share
	name      string
	value     V
}

var _ client.Object = (*kept[int])(nil)

// valued implements entry.
func (k *kept[V]) valued() V { return k.value }

// GetNamespace implements metav1.Object.
func (k *kept[V]) GetNamespace() string { return *k.namespace }

// GetName implements metav1.Object.
func (k *kept[V]) GetName() string { return k.name }

// GetObjectKind implements runtime.Object.
func (k *kept[V]) GetObjectKind() schema.ObjectKind { return schema.EmptyObjectKind }

// DeepCopyObject implements runtime.Object. Values never change, so the copy shares it.
func (k *kept[V]) DeepCopyObject() runtime.Object {
	copied := *k
	return &copied
}

// worded is a value of which a part is text for people, by which nothing is decided.
type worded[V any] interface {
	// SameButText reports whether another one differs in nothing but such text, and the version of the object, which the value names.
	SameButText(other V) bool
}

// onlyTextChanged reports whether another version of the object differs in nothing but text for people.
func (k *kept[V]) onlyTextChanged(after client.Object) bool {
	now, also := after.(*kept[V])
	if !also {
		return false
	}
	if service, is := any(k.value).(*lb.Service); is {
		return sameButText(service, any(now.value).(*lb.Service)) //nolint:forcetypeassert // the values are of one type
	}
	value, has := any(k.value).(worded[V])
	return has && value.SameButText(now.value)
}

// sameValue reports whether another version of the object has an equal value.
func (k *kept[V]) sameValue(after client.Object) bool {
	if _, versioned := any(k.value).(worded[V]); versioned {
		return false // It names the version, which is another one.
	}
	now, also := after.(*kept[V])
	return also && k.sameObject(now.identity) && reflect.DeepEqual(k.value, now.value)
}

// KeepParsed has a cache keep of each object of a kind no more than who it is and its value, which Listers with the same type of value
// list. The values must not refer to the objects, but for parts of them.
func KeepParsed[T client.Object, V any](options cache.Options, parse func(T) V) cache.Options {
	// order does not matter: there is one entry of a kind.
	for of, kind := range options.ByObject {
		if reflect.TypeOf(of) == reflect.TypeFor[T]() {
			kind.Transform = keep(kind.Transform, parse)
			options.ByObject[of] = kind
		}
	}
	return options
}

// keep makes a transform that keeps the value of an object as another transform leaves it. What is kept already stays: client-go transforms
// what a stream of objects has brought as they come, and again when it puts them all into its queue.
func keep[T client.Object, V any](first toolscache.TransformFunc, parse func(T) V) toolscache.TransformFunc {
	return func(item any) (any, error) {
		if already, is := item.(*kept[V]); is {
			return already, nil
		}
		item, err := first(item)
		object, ok := item.(T)
		if err != nil || !ok {
			return item, err
		}
		return &kept[V]{
			identity: newIdentity(object.GetUID(), object.GetResourceVersion()), namespace: intern(object.GetNamespace()), name: object.GetName(),
			value: parse(object),
		}, nil
	}
}
