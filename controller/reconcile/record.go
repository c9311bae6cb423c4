package reconcile

import (
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/daymark-lb/daymark/api/v1beta1"
	"github.com/daymark-lb/daymark/internal/core/lb"
)

// record is a Service as it stands in the API server, as far as we know: what it asks for, and what we wrote into it.
type record struct {
	*lb.Service
	version string
	state
	// uncertain: a write of Service.Ingress may have happened; state is what it was before.
	uncertain bool
}

// state is all of a Service that we write.
type state struct {
	ingress []corev1.LoadBalancerIngress
	// pools is the value of the annotation; present tells an empty one from none.
	pools   string
	present bool
	// conditions of ours.
	conditions []metav1.Condition
}

// same reports whether nothing was made anew: a state that was found to be as it should be has the lists of the one before.
func (s *state) same(before *state) bool {
	return s.pools == before.pools && s.present == before.present && sameList(s.ingress, before.ingress) &&
		sameList(s.conditions, before.conditions)
}

// sameList reports whether two lists are one and the same.
func sameList[E any](a, b []E) bool {
	return len(a) == len(b) && (len(a) == 0 || &a[0] == &b[0])
}

// parseRecord reads a Service.
func parseRecord(from *corev1.Service) *record {
	r := &record{Service: lb.ParseService(from), version: from.ResourceVersion}
	r.ingress = from.Status.LoadBalancer.Ingress
	r.pools, r.present = from.Annotations[v1beta1.AnnotationPool]
	for _, condition := range from.Status.Conditions {
		if strings.HasPrefix(condition.Type, v1beta1.GroupVersion.Group+"/") {
			r.conditions = append(r.conditions, condition)
		}
	}
	return r
}

// traces reports whether we ever wrote to the Service and did not clean up since.
func (r *record) traces() bool { return r.present || len(r.conditions) > 0 }

// reason of a condition of ours; empty when there is none.
func (s *state) reason(kind string) string {
	if condition := meta.FindStatusCondition(s.conditions, kind); condition != nil {
		return condition.Reason
	}
	return ""
}
