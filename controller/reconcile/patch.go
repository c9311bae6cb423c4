package reconcile

import (
	"encoding/json"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/daymark-lb/daymark/api/v1beta1"
	"github.com/daymark-lb/daymark/internal/core/status"
)

// patch is a strategic merge patch of a Service's status subresource, which accepts annotations and finalizers too: one write
// does it all.
// Conditions are merged by type, so those of others stay.
type patch struct {
	Metadata patchMetadata `json:"metadata"`
	Status   *patchStatus  `json:"status,omitempty"`
}

type patchMetadata struct {
	// ResourceVersion that the write was decided on: when it is not the newest any more, the API server answers Conflict.
	ResourceVersion string             `json:"resourceVersion"`
	Annotations     map[string]*string `json:"annotations,omitempty"`
	// Finalizers to add and to remove. The list is merged, so those of others stay.
	Finalizers        []string `json:"finalizers,omitempty"`
	RemovedFinalizers []string `json:"$deleteFromPrimitiveList/finalizers,omitempty"`
}

type patchStatus struct {
	LoadBalancer *patchLoadBalancer `json:"loadBalancer,omitempty"`
	Conditions   []any              `json:"conditions,omitempty"`
}

type patchLoadBalancer struct {
	// Ingress; null removes the list.
	Ingress []corev1.LoadBalancerIngress `json:"ingress"`
}

// deletion removes a condition from the list.
type deletion struct {
	Type  string `json:"type"`
	Patch string `json:"$patch"`
}

// makePatch returns what differs between two states of a Service; nil when nothing does. The version is that of before.
func makePatch(version string, before, after *status.Service) ([]byte, error) {
	p := patch{Metadata: patchMetadata{ResourceVersion: version}}
	p.Metadata.Annotations = annotationChanges(before, after)
	if finalizer := []string{v1beta1.FinalizerCleanup}; before.Finalizer && !after.Finalizer {
		p.Metadata.RemovedFinalizers = finalizer
	} else if after.Finalizer && !before.Finalizer {
		p.Metadata.Finalizers = finalizer
	}
	changes := patchStatus{Conditions: conditionChanges(before.Conditions, after.Conditions)}
	if !equality.Semantic.DeepEqual(before.Ingress, after.Ingress) {
		changes.LoadBalancer = &patchLoadBalancer{after.Ingress}
	}
	if changes.LoadBalancer != nil || changes.Conditions != nil {
		p.Status = &changes
	}
	if p.Status == nil && len(p.Metadata.Annotations) == 0 && before.Finalizer == after.Finalizer {
		return nil, nil
	}
	data, err := json.Marshal(p)
	if err != nil {
		return nil, fmt.Errorf("encode a patch: %w", err)
	}
	return data, nil
}

// annotationChanges are the annotations to write; nil removes one.
func annotationChanges(before, after *status.Service) map[string]*string {
	changes := map[string]*string{}
	if before.LastAddresses != after.LastAddresses || before.HasLast != after.HasLast {
		changes[v1beta1.AnnotationLastAddresses] = nil
		if after.HasLast {
			changes[v1beta1.AnnotationLastAddresses] = &after.LastAddresses
		}
	}
	if before.HasPool && !after.HasPool {
		changes[v1beta1.AnnotationPool] = nil
	}
	return changes
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
