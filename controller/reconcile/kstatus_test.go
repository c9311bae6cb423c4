package reconcile

import (
	"encoding/json"
	"fmt"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/daymark-lb/daymark/e2e/lab"
)

// Of what kstatus computes of an object of a kind that it does not know (sigs.k8s.io/cli-utils/pkg/kstatus, status.Compute), which
// Flux and others wait by.
const (
	kstatusCurrent    = "Current"
	kstatusInProgress = "InProgress"
	kstatusFailed     = "Failed"
)

// kstatus restates its rules, in their order. The module itself would bring a second set of Kubernetes' packages.
func kstatus(t *testing.T, object client.Object) string {
	t.Helper()
	text, err := json.Marshal(object)
	must(t, err)
	var seen struct {
		Metadata metav1.ObjectMeta `json:"metadata"`
		Status   struct {
			ObservedGeneration *int64             `json:"observedGeneration"`
			Conditions         []metav1.Condition `json:"conditions"`
		} `json:"status"`
	}
	must(t, json.Unmarshal(text, &seen))
	if observed := seen.Status.ObservedGeneration; observed != nil && *observed != seen.Metadata.Generation {
		return kstatusInProgress
	}
	is := map[string]metav1.ConditionStatus{}
	for _, c := range seen.Status.Conditions {
		is[c.Type] = c.Status
	}
	switch {
	case is["Reconciling"] == metav1.ConditionTrue:
		return kstatusInProgress
	case is["Stalled"] == metav1.ConditionTrue:
		return kstatusFailed
	case is["Ready"] == metav1.ConditionFalse, is["Ready"] == metav1.ConditionUnknown:
		return kstatusInProgress
	}
	return kstatusCurrent // with the condition Ready, and without any
}

// computes waits until an object has a status of kstatus. All conditions of one that is not in progress are about its generation.
func (c *testCluster) computes(t *testing.T, object client.Object, want string) {
	t.Helper()
	lab.Eventually(t, timeout, fmt.Sprintf("%T %s is %s", object, object.GetName(), want), func() error {
		if err := c.Get(t.Context(), client.ObjectKeyFromObject(object), object); err != nil {
			return err
		}
		if got := kstatus(t, object); got != want {
			return fmt.Errorf("it is %s: %+v", got, *conditionsOf(object))
		}
		return nil
	})
	for _, condition := range *conditionsOf(object) {
		if want != kstatusInProgress && condition.ObservedGeneration != object.GetGeneration() {
			t.Errorf("%s of %s %s is about generation %d of %d", condition.Type, want, object.GetName(), condition.ObservedGeneration, object.GetGeneration())
		}
	}
}
