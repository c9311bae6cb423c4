package source

import (
	"bytes"
	"fmt"
	"reflect"
	"time"

	"k8s.io/apimachinery/pkg/runtime"
)

// What the objects of a file may have once they are in memory: an empty element of a list is three bytes in a file, and hundreds in its
// Go type.
const (
	// maxValues in one object. The 3 MiB that the API server takes have fewer of the shortest that Kubernetes writes.
	maxValues = 300_000
	// maxMemory of all objects of a file. Services and EndpointSlices, of which there are most, take less than twice their text; those of
	// kinds that Scheme does not know are text until they are asked for.
	maxMemory = 2 * maxBytes
)

var (
	errTooManyValues = fmt.Errorf("an object in it has more than %d values", maxValues)
	errTooMuch       = fmt.Errorf("its objects need more than %d MiB of memory: leave out kinds or namespaces, or have kubectl daymark bundle write what is needed", maxMemory>>20)
)

// crowded reports whether a document in JSON has more values than an object may.
func crowded(document []byte) bool {
	if bytes.Count(document, []byte(",")) <= maxValues { // far cheaper than to look for texts
		return false
	}
	values, inText, escaped := 0, false, false
	for _, b := range document {
		switch {
		case escaped:
			escaped = false
		case b == '\\':
			escaped = inText
		case b == '"':
			inText = !inText
		case b == ',' && !inText:
			values++
		}
	}
	return values > maxValues
}

// memoryOf an object in bytes, as far as it follows from the types of its values.
func memoryOf(object runtime.Object) int64 { return below(reflect.ValueOf(object)) }

// below is the memory that a value refers to, its own left out.
func below(v reflect.Value) (size int64) {
	switch v.Kind() {
	case reflect.String:
		return int64(v.Len())
	case reflect.Pointer, reflect.Interface:
		if !v.IsNil() {
			return sizeOf(v.Elem().Type()) + below(v.Elem())
		}
	case reflect.Struct:
		if v.Type() == reflect.TypeFor[time.Time]() { // all refer to one place
			return 0
		}
		for i := range v.NumField() {
			size += below(v.Field(i))
		}
	case reflect.Slice:
		size = int64(v.Cap()) * sizeOf(v.Type().Elem())
		if refers(v.Type().Elem().Kind()) {
			for i := range v.Len() {
				size += below(v.Index(i))
			}
		}
	case reflect.Map:
		const table = 48 // of an empty map
		if v.IsNil() {
			return 0
		}
		each := sizeOf(v.Type().Key()) + sizeOf(v.Type().Elem())
		size = table + each*int64(v.Len())
		for entries := v.MapRange(); entries.Next(); {
			size += below(entries.Key()) + below(entries.Value())
		}
	default: // refers to nothing
	}
	return size
}

func sizeOf(t reflect.Type) int64 { return int64(t.Size()) } //nolint:gosec // no type is that large

// refers says of a kind of values whether they may refer to others.
func refers(kind reflect.Kind) bool {
	switch kind {
	case reflect.String, reflect.Pointer, reflect.Interface, reflect.Struct, reflect.Slice, reflect.Map:
		return true
	default:
		return false
	}
}
