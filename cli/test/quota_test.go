package test

import (
	"context"
	"errors"
	"testing"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// quota is a namespace in which each Pod says what it takes; closed: none is admitted at all.
type quota struct {
	client.WithWatch
	closed bool
	made   []*corev1.Pod
}

func (q *quota) Create(_ context.Context, object client.Object, _ ...client.CreateOption) error {
	pod, isPod := object.(*corev1.Pod)
	if !isPod {
		return nil
	}
	if q.closed || pod.Spec.Containers[0].Resources.Limits.Cpu().IsZero() || pod.Spec.Containers[0].Resources.Requests.Memory().IsZero() {
		return apierrors.NewForbidden(schema.GroupResource{Resource: "pods"}, pod.Name, errors.New("failed quota: small: must specify limits.cpu"))
	}
	q.made = append(q.made, pod)
	return nil
}

func TestCreate_SaysWhatThePodTakesWhereAQuotaAsks(t *testing.T) {
	for _, closed := range []bool{false, true} {
		api := &quota{closed: closed}
		trial := &trial{api: api, service: &corev1.Service{}, pod: pod("shop", "x", "image")}
		if err := trial.create(t.Context()); (err != nil) != closed {
			t.Errorf("closed %v: %v", closed, err)
		}
		want := 2
		if closed {
			want = 1 // the Service alone is to be removed
		}
		if len(trial.tried) != want {
			t.Errorf("closed %v: to remove are %v", closed, trial.tried)
		}
	}
}
