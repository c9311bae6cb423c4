package status

import (
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/daymark-lb/daymark/api/v1beta1"
	"github.com/daymark-lb/daymark/internal/core/ipam"
	"github.com/daymark-lb/daymark/internal/core/lb"
)

// CleanedUp is what should remain in a Service that is not ours any more: no condition, no annotation, no finalizer of ours and
// none of the addresses that are to be removed. One that waits for the speakers stays as it is.
func (o *Observed) CleanedUp(cleanup *ipam.Cleanup, now time.Time) Service {
	if cleanup.Waits {
		return o.withdrawing(now)
	}
	left := Service{Ingress: o.Written.Ingress, Finalizer: o.Written.Finalizer && !o.Provenance.Finalizer}
	if len(cleanup.Addresses) > 0 {
		left.Ingress = slices.DeleteFunc(slices.Clone(left.Ingress), func(entry corev1.LoadBalancerIngress) bool {
			addr, err := lb.ParseAddr(entry.IP)
			return err == nil && slices.Contains(cleanup.Addresses, addr)
		})
	}
	return left
}

// withdrawing is a Service that waits for the speakers. One that is still a load balancer is marked for them: they cannot know
// that its namespace names another provider.
func (o *Observed) withdrawing(now time.Time) Service {
	marked := o.Written
	if o.LoadBalancer {
		marked.set(Condition{Type: v1beta1.ConditionProvenance, Reason: Withdrawing, Message: o.Provenance.Message()}, now)
	}
	return marked
}
