package reconcile

import (
	"encoding/json"

	"github.com/daymark-lb/daymark/api/v1beta1"
)

// pruned reports whether a status came back without a field that was written: the definition of the kind in the API server is older than this
// program. It would be written again in each pass otherwise, since it never is as it should be.
func pruned(written, came *v1beta1.SpeakerStatus) bool {
	return lacks(came.DeepCopy(), written.DeepCopy())
}

// lacks reports whether one value as JSON has no field that another one has, at any depth.
func lacks(has, wants any) bool {
	var a, b any
	for value, into := range map[any]*any{has: &a, wants: &b} {
		if text, err := json.Marshal(value); err != nil || json.Unmarshal(text, into) != nil {
			return false
		}
	}
	return lacksIn(a, b)
}

func lacksIn(has, wants any) bool {
	switch wants := wants.(type) {
	case map[string]any:
		has, _ := has.(map[string]any)
		for name, value := range wants {
			if other, there := has[name]; !there && !isEmpty(value) || there && lacksIn(other, value) {
				return true
			}
		}
	case []any:
		has, _ := has.([]any)
		for i, value := range wants {
			if i < len(has) && lacksIn(has[i], value) {
				return true
			}
		}
	}
	return false
}

// isEmpty reports whether a value says nothing: the API server may leave it out.
func isEmpty(value any) bool {
	switch value := value.(type) {
	case nil:
		return true
	case []any:
		return len(value) == 0
	case map[string]any:
		return len(value) == 0
	default:
		return false
	}
}
