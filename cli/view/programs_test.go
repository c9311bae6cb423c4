package view

import (
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
)

// A controller that leads serves Services, whatever its Deployment says.
func TestCluster_ControllerThatLeadsButIsNotReadyIsNoOutage(t *testing.T) {
	now := time.Date(2026, 11, 26, 12, 0, 0, 0, time.UTC)
	deployment := &appsv1.Deployment{ObjectMeta: metav1.ObjectMeta{Namespace: "daymark-system", Name: "daymark-controller"}}
	deployment.Spec.Template.Spec.Containers = []corev1.Container{{Name: controllerContainer}}
	holder, seconds, renewed := "c-1", int32(15), metav1.NewMicroTime(now)
	lease := &coordinationv1.Lease{ObjectMeta: metav1.ObjectMeta{Namespace: "daymark-system", Name: LeaderLease}}
	lease.Spec = coordinationv1.LeaseSpec{HolderIdentity: &holder, LeaseDurationSeconds: &seconds, RenewTime: &renewed}
	for _, c := range []struct {
		at       time.Time
		severity Severity
		message  string
	}{
		{now, Warning, "0 of 1 controllers are ready, and c-1 leads all the same"},
		{now.Add(time.Minute), Critical, "no controller is ready: no Service gets an address"},
	} {
		found := New(Input{System: "daymark-system", Now: c.at, Objects: []runtime.Object{deployment, lease}}).Problems().Items
		if len(found) != 1 || found[0].Severity != c.severity || found[0].Message != c.message {
			t.Errorf("%s after its last renewal: %+v, want %s: %s", c.at.Sub(now), found, c.severity, c.message)
		}
	}
}
