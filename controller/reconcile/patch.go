package reconcile

import (
	"encoding/json"
	"fmt"
	"slices"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/daymark-lb/daymark/api/v1beta1"
)

// patch is a strategic merge patch of a Service's status subresource, which takes annotations too: one write does it all.
// Conditions are merged by type, so those of others are left alone.
type patch struct {
	Metadata patchMetadata `json:"metadata"`
	Status   *patchStatus  `json:"status,omitempty"`
}

type patchMetadata struct {
	// ResourceVersion that the write was decided on: if it is not the newest any more, the API server answers Conflict.
	ResourceVersion string             `json:"resourceVersion"`
	Annotations     map[string]*string `json:"annotations,omitempty"`
}

type patchStatus struct {
	LoadBalancer *patchLoadBalancer `json:"loadBalancer,omitempty"`
	Conditions   []any              `json:"conditions,omitempty"`
}

type patchLoadBalancer struct {
	// Ingress; null takes the list away.
	Ingress []corev1.LoadBalancerIngress `json:"ingress"`
}

// deletion takes a condition out of the list.
type deletion struct {
	Type  string `json:"type"`
	Patch string `json:"$patch"`
}

// makePatch writes down what differs between two states of a Service; nil when nothing does.
func makePatch(version string, before, after *state) ([]byte, error) {
	p := patch{Metadata: patchMetadata{ResourceVersion: version}}
	if before.pools != after.pools || before.present != after.present {
		p.Metadata.Annotations = map[string]*string{v1beta1.AnnotationPool: nil}
		if after.present {
			p.Metadata.Annotations[v1beta1.AnnotationPool] = &after.pools
		}
	}
	status := patchStatus{Conditions: conditionChanges(before.conditions, after.conditions)}
	if !equality.Semantic.DeepEqual(before.ingress, after.ingress) {
		status.LoadBalancer = &patchLoadBalancer{after.ingress}
	}
	if status.LoadBalancer != nil || status.Conditions != nil {
		p.Status = &status
	}
	if p.Status == nil && p.Metadata.Annotations == nil {
		return nil, nil
	}
	data, err := json.Marshal(p)
	if err != nil {
		return nil, fmt.Errorf("write down a patch: %w", err)
	}
	return data, nil
}

func conditionChanges(before, after []metav1.Condition) []any {
	var changes []any
	for _, condition := range after {
		if old := meta.FindStatusCondition(before, condition.Type); old == nil || *old != condition {
			changes = append(changes, condition)
		}
	}
	for _, condition := range before {
		if meta.FindStatusCondition(after, condition.Type) == nil {
			changes = append(changes, deletion{condition.Type, "delete"})
		}
	}
	return changes
}

// with sets a condition in a list without changing the list given, which comes back when it says the same already. The
// time of the last transition is kept as long as the status does not change.
func with(conditions []metav1.Condition, condition metav1.Condition) []metav1.Condition {
	if old := meta.FindStatusCondition(conditions, condition.Type); old != nil && old.Status == condition.Status &&
		old.Reason == condition.Reason && old.Message == condition.Message {
		return conditions
	}
	changed := slices.Clone(conditions)
	meta.SetStatusCondition(&changed, condition)
	return changed
}
