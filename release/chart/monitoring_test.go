package chart

import (
	"errors"
	"testing"

	monitoringv1 "github.com/prometheus-operator/prometheus-operator/pkg/apis/monitoring/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
)

// TestChart_ObjectsOfTheOperatorHaveItsFields: the API server of other tests takes everything for a PodMonitor, and one of the operator drops
// what it does not know.
func TestChart_ObjectsOfTheOperatorHaveItsFields(t *testing.T) {
	seen := map[string]int{}
	for _, s := range sets(t) {
		if s.refused != "" {
			continue
		}
		files, err := Render(folder, s.values)
		must(t, err)
		for _, object := range objects(t, files) {
			if known, err := ofOperator(object); err != nil {
				t.Errorf("%s: %s %s: %v", s.name, object.GetKind(), object.GetName(), err)
			} else if known {
				seen[object.GetKind()]++
			}
		}
	}
	if seen[monitoringv1.PodMonitorsKind] == 0 || seen[monitoringv1.PrometheusRuleKind] == 0 {
		t.Errorf("no set of values makes them: %v", seen)
	}
	object := &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "monitoring.coreos.com/v1", "kind": monitoringv1.PodMonitorsKind, "spec": map[string]any{"podMetricEndpoints": []any{}},
	}}
	if _, err := ofOperator(object); err == nil {
		t.Error("a field that a PodMonitor does not have is not noticed")
	}
}

// ofOperator reads an object into the operator's type, and returns an error for a field that it does not have, or of another type; known is
// false for objects that are not the operator's.
func ofOperator(object *unstructured.Unstructured) (known bool, err error) {
	if object.GetAPIVersion() != monitoringv1.SchemeGroupVersion.String() {
		return false, nil
	}
	var into any
	switch object.GetKind() {
	case monitoringv1.PodMonitorsKind:
		into = &monitoringv1.PodMonitor{}
	case monitoringv1.PrometheusRuleKind:
		into = &monitoringv1.PrometheusRule{}
	default:
		return true, errors.New("the test knows no type for it")
	}
	const strict = true
	return true, runtime.DefaultUnstructuredConverter.FromUnstructuredWithValidation(object.Object, into, strict)
}
