package simulation

import (
	"encoding/json"
	"fmt"
	"reflect"

	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/strategicpatch"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// patched returns an object after a patch, or an error for one that was decided on another version.
func patched(object client.Object, kind types.PatchType, patch []byte) (client.Object, error) {
	before, err := json.Marshal(object)
	if err != nil {
		return nil, err
	}
	var head struct {
		Metadata struct {
			ResourceVersion string `json:"resourceVersion"`
		} `json:"metadata"`
	}
	if err := json.Unmarshal(patch, &head); err != nil {
		return nil, err
	}
	if v := head.Metadata.ResourceVersion; v != "" && v != object.GetResourceVersion() {
		return nil, conflict(kindOf(object), keyOf(object))
	}
	var after []byte
	switch kind {
	case types.StrategicMergePatchType:
		after, err = strategicpatch.StrategicMergePatch(before, patch, object)
	case types.MergePatchType:
		after, err = mergePatch(before, patch)
	default:
		err = fmt.Errorf("a patch of type %s", kind)
	}
	if err != nil {
		return nil, err
	}
	result := reflect.New(reflect.TypeOf(object).Elem()).Interface().(client.Object)
	return result, json.Unmarshal(after, result)
}

// mergePatch is RFC 7396.
func mergePatch(target, patch []byte) ([]byte, error) {
	var from, change any
	if err := json.Unmarshal(target, &from); err != nil {
		return nil, err
	}
	if err := json.Unmarshal(patch, &change); err != nil {
		return nil, err
	}
	return json.Marshal(merged(from, change))
}

func merged(target, patch any) any {
	change, ok := patch.(map[string]any)
	if !ok {
		return patch
	}
	into, ok := target.(map[string]any)
	if !ok {
		into = map[string]any{}
	}
	for key, value := range change { // order does not matter: each key stands for itself
		if value == nil {
			delete(into, key)
		} else {
			into[key] = merged(into[key], value)
		}
	}
	return into
}
