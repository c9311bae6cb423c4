package reconcile

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/daymark-lb/daymark/api/v1beta1"
	"github.com/daymark-lb/daymark/internal/core/announce"
	"github.com/daymark-lb/daymark/internal/core/ipam"
	"github.com/daymark-lb/daymark/internal/core/lb"
)

// writers is how many writes are under way at a time.
const writers = 16

// intent is what one Service's state should become.
type intent struct {
	record *record
	want   state
	patch  []byte
	// lost addresses, to tell in an Event.
	lost []ipam.Release
}

// intents are what is to be written of the plan: nothing for a Service that is as it should be.
func (l *Loop) intents(s *snapshot, plan *ipam.Plan, explainer *announce.Explainer) ([]*intent, error) {
	records := make(map[*lb.Service]*record, len(s.services))
	for _, r := range s.services {
		records[r.Service] = r
	}
	var intents []*intent
	var errs []error
	add := func(r *record, want state, lost []ipam.Release) {
		if want.same(&r.state) {
			return
		}
		patch, err := makePatch(r.version, &r.state, &want)
		if err != nil {
			errs = append(errs, err)
		} else if patch != nil {
			intents = append(intents, &intent{r, want, patch, lost})
		}
	}
	for i := range plan.Assignments {
		a := &plan.Assignments[i]
		r := records[a.Service]
		add(r, l.wanted(r, a, explainer), a.Released)
	}
	for _, r := range s.services {
		if !l.classes.Ours(r.Service) && r.traces() {
			add(r, cleaned(r, plan.Cleanups), nil)
		}
	}
	return intents, errors.Join(errs...)
}

// wanted is the state that a Service of ours should have. Where it has that already, nothing is made anew: most Services
// do in most passes.
func (l *Loop) wanted(r *record, a *ipam.Assignment, explainer *announce.Explainer) state {
	want := state{ingress: ingress(r.ingress, a.Addresses), pools: poolNames(a.Addresses), conditions: r.conditions}
	want.present = want.pools != ""
	outcome := a.Outcome()
	want.conditions = with(want.conditions, l.condition(v1beta1.ConditionAddressAssigned, outcome.Assigned, outcome.Reason.Name, outcome.Message))
	service := r.Service
	if r.uncertain || want.pools != r.pools || !sameList(want.ingress, r.ingress) {
		service = withIngress(r.Service, &want)
	}
	e := explainer.Explain(service)
	want.conditions = with(want.conditions, l.condition(v1beta1.ConditionAnnounced, e.Announced, e.Reason, e.Message))
	return want
}

// poolNames are the names of the pools of addresses, each once, in order, as the annotation has them.
func poolNames(addresses []ipam.Address) string {
	if len(addresses) == 1 {
		return addresses[0].Pool.Name
	}
	names := make([]string, len(addresses))
	for i, a := range addresses {
		names[i] = a.Pool.Name
	}
	slices.Sort(names)
	return strings.Join(slices.Compact(names), ",")
}

// ingress writes addresses as the status has them. The list given comes back when it says the same already.
func ingress(before []corev1.LoadBalancerIngress, addresses []ipam.Address) []corev1.LoadBalancerIngress {
	same := len(before) == len(addresses)
	for i := 0; same && i < len(addresses); i++ {
		b := &before[i]
		same = b.Hostname == "" && len(b.Ports) == 0 && b.IPMode != nil && *b.IPMode == corev1.LoadBalancerIPModeVIP &&
			b.IP == addresses[i].Addr.String()
	}
	if same {
		return before
	}
	mode := corev1.LoadBalancerIPModeVIP
	list := make([]corev1.LoadBalancerIngress, len(addresses))
	for i, a := range addresses {
		list[i] = corev1.LoadBalancerIngress{IP: a.Addr.String(), IPMode: &mode}
	}
	return list
}

// cleaned is the state of a Service that is not ours any more: without our addresses, conditions and annotation.
func cleaned(r *record, former []ipam.Cleanup) state {
	want := state{ingress: r.ingress}
	i := slices.IndexFunc(former, func(f ipam.Cleanup) bool { return f.Service == r.Service })
	if i < 0 {
		return want
	}
	want.ingress = slices.DeleteFunc(slices.Clone(r.ingress), func(entry corev1.LoadBalancerIngress) bool {
		addr, err := lb.ParseAddr(entry.IP)
		return err == nil && slices.Contains(former[i].Addresses, addr)
	})
	return want
}

func (l *Loop) condition(kind string, status bool, reason, message string) metav1.Condition {
	c := metav1.Condition{
		Type: kind, Status: metav1.ConditionFalse, Reason: reason, Message: shorten(message, maxMessage),
		LastTransitionTime: metav1.NewTime(l.now()),
	}
	if status {
		c.Status = metav1.ConditionTrue
	}
	return c
}

// write makes the writes, several at a time, and notes what came of each.
func (l *Loop) write(ctx context.Context, intents []*intent) error {
	var mu sync.Mutex
	var errs []error
	var wait sync.WaitGroup
	turns := make(chan struct{}, writers)
	for _, i := range intents {
		turns <- struct{}{}
		wait.Go(func() {
			defer func() { <-turns }()
			version, err := l.patchService(ctx, i)
			mu.Lock()
			defer mu.Unlock()
			l.metrics.wrote("Service", err)
			l.note(i, version, err)
			if err != nil && !apierrors.IsNotFound(err) {
				errs = append(errs, fmt.Errorf("write the status of Service %s: %w", i.record.Key, err))
			}
		})
	}
	wait.Wait()
	return errors.Join(errs...)
}

// patchService makes one write, and returns the version that came of it.
func (l *Loop) patchService(ctx context.Context, i *intent) (version string, err error) {
	object := &corev1.Service{}
	object.Namespace, object.Name = i.record.Key.Namespace, i.record.Key.Name
	defer l.herald.addressWritten()
	err = l.client.Status().Patch(ctx, object, client.RawPatch(types.StrategicMergePatchType, i.patch))
	return object.ResourceVersion, err
}

// note lays what was written over the cache. A write that was refused did not happen; one whose answer got lost may have:
// its addresses are the Service's until the cache shows what came of it.
func (l *Loop) note(i *intent, version string, err error) {
	now := &record{Service: withIngress(i.record.Service, &i.want), version: version, state: i.want}
	switch {
	case err == nil:
		l.overlay.put(i.record.version, now)
		l.tell(i)
	case refused(err):
	default:
		now.version, now.state, now.uncertain = i.record.version, i.record.state, true
		l.overlay.put(i.record.version, now)
	}
}

// withIngress is a Service as it reads when a state is written into it.
func withIngress(s *lb.Service, want *state) *lb.Service {
	changed := *s
	changed.Ingress, changed.Pools = nil, nil
	for _, entry := range want.ingress {
		if addr, err := lb.ParseAddr(entry.IP); err == nil {
			changed.Ingress = append(changed.Ingress, addr)
		}
	}
	if want.present {
		changed.Pools = strings.Split(want.pools, ",")
	}
	return &changed
}

// refused reports whether the API server itself said that it did not make a write.
func refused(err error) bool {
	var status apierrors.APIStatus
	return errors.As(err, &status) && !apierrors.IsTimeout(err) && !apierrors.IsServerTimeout(err) &&
		!apierrors.IsInternalError(err) && !apierrors.IsUnexpectedServerError(err)
}

// isConflict reports whether an error is all about objects that changed under a write.
func isConflict(err error) bool {
	if err == nil {
		return false
	}
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		return !slices.ContainsFunc(joined.Unwrap(), func(one error) bool { return !isConflict(one) })
	}
	return apierrors.IsConflict(err)
}

// tell tells the user of a Service what changed: one Event for each change of a condition's reason, and one for each
// address that was taken away.
func (l *Loop) tell(i *intent) {
	for _, condition := range i.want.conditions {
		if condition.Reason == i.record.reason(condition.Type) {
			continue
		}
		kind := corev1.EventTypeNormal
		if condition.Status != metav1.ConditionTrue || condition.Reason == announce.ReasonAddressConflict.Name {
			kind = corev1.EventTypeWarning
		}
		l.herald.tell(i.record.Service, l.now(), kind, condition.Reason, condition.Message)
	}
	for _, lost := range i.lost {
		l.herald.tell(i.record.Service, l.now(), corev1.EventTypeWarning, "AddressWithdrawn", lost.String())
	}
}
