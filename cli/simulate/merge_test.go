package simulate

import (
	"reflect"
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// TestApplied_IsWhatKubectlApplyLeaves: what the file had before and has no more goes, what others have set stays, and so do status and
// what the API server has made.
func TestApplied_IsWhatKubectlApplyLeaves(t *testing.T) {
	current := &unstructured.Unstructured{Object: map[string]any{
		"metadata": map[string]any{
			"uid": "1", "labels": map[string]any{"mine": "a", "theirs": "b"},
			"annotations": map[string]any{"kubectl.kubernetes.io/last-applied-configuration": `{"metadata":{"labels":{"mine":"a"}},"spec":{"drain":true}}`},
		},
		"spec":   map[string]any{"drain": true, "autoAssign": true, "addresses": []any{"192.0.2.1", "192.0.2.2"}},
		"status": map[string]any{"ipv4": "as it is"},
	}}
	document := &unstructured.Unstructured{Object: map[string]any{
		"metadata": map[string]any{"uid": "of another cluster", "labels": map[string]any{"new": "c"}},
		"spec":     map[string]any{"addresses": []any{"192.0.2.3"}},
		"status":   map[string]any{"ipv4": "as it was"},
	}}
	got := applied(current, document).Object
	metadata := got["metadata"].(map[string]any)
	delete(metadata, "annotations")
	want := map[string]any{
		"metadata": map[string]any{"uid": "1", "labels": map[string]any{"theirs": "b", "new": "c"}},
		"spec":     map[string]any{"autoAssign": true, "addresses": []any{"192.0.2.3"}},
		"status":   map[string]any{"ipv4": "as it is"},
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("it is\n%v, not\n%v", got, want)
	}
	if _, has := applied(nil, document).Object["status"]; has {
		t.Error("an object that is new has a status")
	}
}

// TestApplied_KeepsWhatTheServerDecides, although the annotation has it and the file has not.
func TestApplied_KeepsWhatTheServerDecides(t *testing.T) {
	last := `{"metadata":{"creationTimestamp":null,"uid":"x","resourceVersion":"1"},"status":{"loadBalancer":{}}}`
	current := &unstructured.Unstructured{Object: map[string]any{
		"metadata": map[string]any{
			"creationTimestamp": "2026-01-01T00:00:00Z", "uid": "1", "resourceVersion": "7",
			"annotations": map[string]any{"kubectl.kubernetes.io/last-applied-configuration": last},
		},
		"status": map[string]any{"loadBalancer": "as it is"},
	}}
	document := &unstructured.Unstructured{Object: map[string]any{"metadata": map[string]any{"creationTimestamp": nil}}}
	if got := applied(current, document); !reflect.DeepEqual(got, current) {
		t.Errorf("it is\n%v, not\n%v", got, current)
	}
}
