package reconcile

import (
	"context"
	"errors"
	"net/netip"
	"slices"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/daymark-lb/daymark/api/v1beta1"
	"github.com/daymark-lb/daymark/internal/core/announce"
	"github.com/daymark-lb/daymark/internal/core/ipam"
	"github.com/daymark-lb/daymark/internal/core/lb"
	"github.com/daymark-lb/daymark/internal/core/status"
	"github.com/daymark-lb/daymark/internal/loop"
)

// serviceWrite is a write of one Service.
type serviceWrite struct {
	service *cachedService
	desired status.Service
	// released addresses, for Events.
	released []ipam.Release
	// onlyAnnounced: it changes the condition Announced alone.
	onlyAnnounced bool
	// version that the write made.
	version string
}

// serviceWrites are the writes that a plan needs: none for a Service that is as it should be.
func (l *Loop) serviceWrites(s *snapshot, plan *ipam.Plan, explainer *announce.Explainer) []*write {
	world := explainer.World()
	l.settled.begin(s.services, explainer)
	holdings := l.holdings.Read(s.Nodes, s.Speakers)
	settings := status.Settings{Classes: l.classes, Finalizer: l.cleanupFinalizer, Held: holdings.Of}
	var writes []*write
	add := func(w *write) {
		if w == nil {
			return
		}
		if wait := l.announced.wait(w.service, l.now()); wait > 0 {
			l.runAgain(wait + loop.MaxInterval)
		} else {
			writes = append(writes, w)
		}
	}
	for _, place := range l.settled.open(s, plan) {
		a := &plan.Assignments[place]
		c, endpoints := s.services[a.Index], world.Endpoints[a.Service.Key]
		alone := !slices.ContainsFunc(a.Addresses, func(held ipam.Address) bool { return !explainer.Alone(held.Addr) })
		if waits, holds := l.settled.holds(a, endpoints); alone && holds {
			add(waits)
			continue
		}
		l.settled.forget(a)
		desired := c.Desired(a, settings, explainer, l.now())
		desired = l.removedFinalizer(c, l.contested(c, desired, settings, explainer))
		w := l.serviceWrite(c, desired, a.Released)
		add(w)
		onSegment, follows := segmentAddresses(c, &desired, explainer)
		if a.Plain() && !c.Uncertain && !c.lostFinalizer() && l.contests.calm(c) && alone && !follows {
			l.settled.settle(a, endpoints, explainer.Bases(desired.In(c.Service)), onSegment, w)
		} else {
			l.counted.countService(desired.Conditions)
			l.counted.countHolders(holdings, onSegment)
		}
	}
	l.counted.countSettled(&l.settled, holdings)
	for i := range plan.Cleanups {
		c := s.service(plan.Cleanups[i].Service.Key)
		desired := c.CleanedUp(&plan.Cleanups[i], l.now())
		l.counted.countService(desired.Conditions)
		add(l.serviceWrite(c, desired, nil))
	}
	return writes
}

// segmentAddresses are the addresses of a Service that is announced, or will be, which one node is to hold by layer 2. It also reports whether
// what it should say changes with the reports of who holds them.
func segmentAddresses(c *cachedService, desired *status.Service, explainer *announce.Explainer) (addresses []netip.Addr, follows bool) {
	service := desired.In(c.Service)
	awaits := status.AwaitsHolder(desired.Conditions, service.Ingress, explainer.World().Conflicts)
	if !awaits && !meta.IsStatusConditionTrue(desired.Conditions, v1beta1.ConditionAnnounced) {
		return nil, false
	}
	return explainer.OnSegment(service), awaits || c.Written.FollowsHolders(service, explainer)
}

// serviceWrite makes a write of what a Service should have; nil: it has that.
func (l *Loop) serviceWrite(c *cachedService, desired status.Service, released []ipam.Release) *write {
	if desired.Equal(&c.Written) {
		return nil
	}
	released = l.assumed.stillUntold(c, &desired, released)
	s := &serviceWrite{service: c, desired: desired, released: released, onlyAnnounced: desired.SameButAnnounced(&c.Written)}
	key := s.service.Key
	return &write{
		key: objectKey{"Service", key.Namespace, key.Name}, version: s.service.version, urgency: s.urgency(), term: l.term, service: s,
		send: func(ctx context.Context) error { return l.patchService(ctx, s) },
	}
}

func (w *serviceWrite) urgency() urgency {
	switch {
	case w.desired.SameAddresses(&w.service.Written):
		return serviceText
	case len(w.service.Written.Ingress) == 0:
		return newAddress
	}
	return otherAddress
}

// missingFrom are the addresses of a list that another one does not have.
func missingFrom(list, other []corev1.LoadBalancerIngress) []string {
	var missing []string
	for _, entry := range list {
		if entry.IP != "" && !slices.ContainsFunc(other, func(o corev1.LoadBalancerIngress) bool { return o.IP == entry.IP }) {
			missing = append(missing, entry.IP)
		}
	}
	return missing
}

// patchService makes one write, and sets its resulting version.
func (l *Loop) patchService(ctx context.Context, w *serviceWrite) error {
	patch, err := makePatch(w.service.version, &w.service.Written, &w.desired)
	if err != nil {
		return err
	}
	object := &corev1.Service{}
	object.Namespace, object.Name = w.service.Key.Namespace, w.service.Key.Name
	l.announced.wrote(w, l.now())
	if w.urgency().ofAddress() {
		defer l.events.addressWritten()
	}
	if err := l.client.Status().Patch(ctx, object, client.RawPatch(types.StrategicMergePatchType, patch)); err != nil {
		return err
	}
	w.version = object.ResourceVersion
	for _, event := range status.Events(&w.service.Written, &w.desired, w.released) {
		l.events.enqueue(w.service.Service, l.now(), event)
	}
	return nil
}

// record puts the result of a write into the assume cache. A write that was refused did not happen. One whose answer got
// lost may have happened: its addresses are the Service's until the cache shows the result.
func (l *Loop) record(r result) {
	switch {
	case r.err == nil:
		l.contests.wrote(r.serviceWrite, l.now())
		l.assumed.assume(r.service.version, &cachedService{r.made(r.version), r.version})
	case !refused(r.err):
		l.contests.perhaps(r.serviceWrite)
		l.assumed.assume(r.service.version, r.perhapsMade())
		l.assumed[r.service.UID].untold = r.released
	}
}

// made is the Service as it is after the write that made a version of it.
func (w *serviceWrite) made(version string) status.Observed {
	service := w.desired.In(w.service.Service)
	service.Version = lb.ParseVersion(version)
	return status.Observed{Service: service, Written: w.desired}
}

// perhapsMade is the Service while nobody knows whether the write was made: it may have the addresses already.
func (w *serviceWrite) perhapsMade() *cachedService {
	perhaps := w.made("")
	perhaps.Written, perhaps.Uncertain = w.service.Written, true
	return &cachedService{perhaps, w.service.version}
}

// refused reports whether an error is the API server's answer that it did not make a write.
func refused(err error) bool {
	var answer apierrors.APIStatus
	return errors.As(err, &answer) && !apierrors.IsTimeout(err) && !apierrors.IsServerTimeout(err) &&
		!apierrors.IsInternalError(err) && !apierrors.IsUnexpectedServerError(err)
}
