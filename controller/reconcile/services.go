package reconcile

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/daymark-lb/daymark/internal/core/announce"
	"github.com/daymark-lb/daymark/internal/core/ipam"
	"github.com/daymark-lb/daymark/internal/core/lb"
	"github.com/daymark-lb/daymark/internal/core/status"
)

// maxConcurrentWrites is how many Services are written at a time.
const maxConcurrentWrites = 16

// serviceWrite is a write of one Service.
type serviceWrite struct {
	service *cachedService
	desired status.Service
	patch   []byte
	// released addresses, for Events.
	released []ipam.Release
}

// serviceWrites are the writes that a plan needs: none for a Service that is as it should be.
func (l *Loop) serviceWrites(s *snapshot, plan *ipam.Plan, explainer *announce.Explainer) ([]*serviceWrite, error) {
	cached := make(map[*lb.Service]*cachedService, len(s.services))
	for _, c := range s.services {
		cached[c.Service] = c
	}
	var writes []*serviceWrite
	var errs []error
	add := func(c *cachedService, desired status.Service, released []ipam.Release) {
		if desired.Identical(&c.Written) {
			return
		}
		patch, err := makePatch(c.version, &c.Written, &desired)
		if err != nil {
			errs = append(errs, err)
		} else if patch != nil {
			writes = append(writes, &serviceWrite{c, desired, patch, released})
		}
	}
	for i := range plan.Assignments {
		a := &plan.Assignments[i]
		c := cached[a.Service]
		add(c, c.Desired(a, explainer, l.now()), a.Released)
	}
	for _, c := range s.services {
		if !l.classes.Ours(c.Service) && c.Written.Marked() {
			add(c, c.CleanedUp(plan.Cleanups), nil)
		}
	}
	return writes, errors.Join(errs...)
}

// writeServices makes the writes, several at a time, and records the result of each.
func (l *Loop) writeServices(ctx context.Context, writes []*serviceWrite) error {
	var mu sync.Mutex
	var errs []error
	var wait sync.WaitGroup
	slots := make(chan struct{}, maxConcurrentWrites)
	for _, w := range writes {
		slots <- struct{}{}
		wait.Go(func() {
			defer func() { <-slots }()
			version, err := l.patchService(ctx, w)
			mu.Lock()
			defer mu.Unlock()
			l.metrics.countWrite("Service", err)
			l.record(w, version, err)
			if err != nil && !apierrors.IsNotFound(err) {
				errs = append(errs, fmt.Errorf("write the status of Service %s: %w", w.service.Key, err))
			}
		})
	}
	wait.Wait()
	return errors.Join(errs...)
}

// patchService makes one write, and returns the resourceVersion of the result.
func (l *Loop) patchService(ctx context.Context, w *serviceWrite) (version string, err error) {
	object := &corev1.Service{}
	object.Namespace, object.Name = w.service.Key.Namespace, w.service.Key.Name
	defer l.events.addressWritten()
	err = l.client.Status().Patch(ctx, object, client.RawPatch(types.StrategicMergePatchType, w.patch))
	return object.ResourceVersion, err
}

// record puts the result of a write into the assume cache, and tells the user of the Service what changed. A write that was
// refused did not happen. One whose answer got lost may have happened: its addresses are the Service's until the cache shows
// the result.
func (l *Loop) record(w *serviceWrite, version string, err error) {
	before := w.service
	result := status.Observed{Service: w.desired.In(before.Service), Written: w.desired}
	switch {
	case err == nil:
		l.assumed.assume(before.version, &cachedService{result, version})
		for _, event := range status.Events(&before.Written, &w.desired, w.released) {
			l.events.enqueue(before.Service, l.now(), event)
		}
	case !refused(err):
		result.Written, result.Uncertain = before.Written, true
		l.assumed.assume(before.version, &cachedService{result, before.version})
	}
}

// refused reports whether an error is the API server's answer that it did not make a write.
func refused(err error) bool {
	var answer apierrors.APIStatus
	return errors.As(err, &answer) && !apierrors.IsTimeout(err) && !apierrors.IsServerTimeout(err) &&
		!apierrors.IsInternalError(err) && !apierrors.IsUnexpectedServerError(err)
}

// isConflict reports whether all of an error is about objects that changed before a write.
func isConflict(err error) bool {
	if err == nil {
		return false
	}
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		return !slices.ContainsFunc(joined.Unwrap(), func(one error) bool { return !isConflict(one) })
	}
	return apierrors.IsConflict(err)
}
