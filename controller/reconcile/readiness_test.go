package reconcile

import (
	"context"
	"strconv"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/daymark-lb/daymark/api/v1beta1"
	"github.com/daymark-lb/daymark/internal/bubble"
)

// ready puts an endpoint of Service a into the cache.
func (f *fight) ready(is bool, version string) {
	node := "n1"
	f.cache.Put(&discoveryv1.EndpointSlice{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: "default", Name: "a-1", UID: "a-1", ResourceVersion: version, Labels: map[string]string{discoveryv1.LabelServiceName: "a"},
		},
		AddressType: discoveryv1.AddressTypeIPv4,
		Endpoints: []discoveryv1.Endpoint{{
			Addresses: []string{"203.0.113.1"}, NodeName: &node, Conditions: discoveryv1.EndpointConditions{Ready: &is},
		}},
	})
}

func (f *fight) announcedReason(t *testing.T) string {
	t.Helper()
	c := meta.FindStatusCondition(f.last.Status.Conditions, v1beta1.ConditionAnnounced)
	if c == nil {
		t.Fatal("there is no condition Announced")
	}
	return c.Reason
}

// A pod whose readiness flaps each second for an hour costs a bounded number of writes and Events. When it has come to rest, the
// condition says how it is.
func TestLoop_ReadinessThatFlapsIsBounded(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		f := &fight{scene: newScene(Config{})}
		f.undo = func(s *corev1.Service) { // which stores the annotation, too
			s.Annotations = map[string]string{v1beta1.AnnotationLastAddresses: s.Status.LoadBalancer.Ingress[0].IP}
		}
		ctx, end := context.WithCancel(t.Context())
		defer end()
		go func() { _ = f.events.Start(ctx) }()
		f.round(t)
		is, version, writes := false, 200, 0
		flap := func() {
			is, version = !is, version+1
			f.ready(is, strconv.Itoa(version))
			for began := time.Now(); time.Since(began) < time.Second; {
				writes += f.round(t)
			}
		}
		for i := range 4 { // The first ones are told at once.
			if flap(); writes != i+1 {
				t.Errorf("flap %d: %d writes", i, writes)
			}
		}
		for began := time.Now(); time.Since(began) < time.Hour; {
			flap()
		}
		t.Logf("%d writes and %d Events in an hour", writes, len(f.recorder.events))
		if writes > 370 || len(f.recorder.events) > 60 {
			t.Errorf("%d writes, %d Events", writes, len(f.recorder.events))
		}
		f.ready(true, "9999999")
		for began := time.Now(); time.Since(began) < 15*time.Second; {
			f.round(t)
		}
		if got := f.announcedReason(t); got == "NoEndpoint" {
			t.Errorf("an endpoint has been ready for 15 s, and the condition says %s", got)
		}
	})
}
