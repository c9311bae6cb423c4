package simulate

import (
	"encoding/json"
	"maps"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// applied is an object after a document has been applied to it as kubectl does: what the document has not, and the one before had, goes;
// what others have set stays. A list counts as one value. current is nil for an object that is new.
func applied(current, document *unstructured.Unstructured) *unstructured.Unstructured {
	document = document.DeepCopy()
	strip(document.Object)
	if current == nil {
		return document
	}
	var last map[string]any
	if json.Unmarshal([]byte(current.GetAnnotations()[corev1.LastAppliedConfigAnnotation]), &last) != nil {
		last = nil // it was not made by kubectl apply
	}
	strip(last)
	return &unstructured.Unstructured{Object: merge(last, document.Object, current.Object)}
}

// strip what the API server decides. A document may have it, and so the annotation: kubectl create --dry-run=client writes some of it.
func strip(object map[string]any) {
	unstructured.RemoveNestedField(object, "status")
	for _, field := range []string{"uid", "resourceVersion", "generation", "creationTimestamp", "managedFields"} {
		unstructured.RemoveNestedField(object, "metadata", field)
	}
}

// merge what is wanted into what is there, without what was wanted last and is no more.
func merge(last, wanted, current map[string]any) map[string]any {
	merged := maps.Clone(current)
	for key := range last {
		if _, still := wanted[key]; !still {
			delete(merged, key)
		}
	}
	for key, value := range wanted {
		inside, isMap := value.(map[string]any)
		now, wasMap := current[key].(map[string]any)
		if isMap && wasMap {
			before, _ := last[key].(map[string]any)
			value = merge(before, inside, now)
		}
		merged[key] = value
	}
	return merged
}
