package reconcile

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"sync"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
)

// maxLookups is how many Services are read at a time to find competing writers: another provider competes for all at once.
const maxLookups = 4

// lookups makes a bounded number of calls at a time, in order. The zero value is ready for use.
type lookups struct {
	mu      sync.Mutex
	waiting []func()
	running int
}

// start has a call made, and does not wait for it.
func (q *lookups) start(call func()) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.waiting = append(q.waiting, call)
	if q.running < maxLookups {
		q.running++
		go q.work()
	}
}

// work makes calls until none waits.
func (q *lookups) work() {
	for call := q.next(); call != nil; call = q.next() {
		call()
	}
}

// next returns the call to make; nil when there is none, and the caller has to end.
func (q *lookups) next() (call func()) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if len(q.waiting) == 0 {
		q.running--
		return nil
	}
	call, q.waiting = q.waiting[0], q.waiting[1:]
	return call
}

// competitorOf returns the competing writer of a Service; empty as long as it is not known. It is read from the API server
// once, since the caches have no managedFields, and not by the loop.
func (l *Loop) competitorOf(k *contest, s *cachedService) string {
	k.mu.Lock()
	defer k.mu.Unlock()
	if !k.asked {
		k.asked = true
		parts := addressFields
		if k.conditions {
			parts = conditionFields
		}
		l.lookups.start(func() {
			other := l.findCompetitor(s, parts)
			k.mu.Lock()
			k.other = other
			k.mu.Unlock()
			notify(l.writer.wakes)
		})
	}
	return k.other
}

// findCompetitor asks the API server who else writes some fields of a Service.
func (l *Loop) findCompetitor(s *cachedService, parts []string) string {
	service := &corev1.Service{}
	_, err := l.work(func(ctx context.Context, _ int) error {
		ctx, cancel := context.WithTimeout(ctx, writeTimeout)
		defer cancel()
		return l.direct.Get(ctx, types.NamespacedName{Namespace: s.Key.Namespace, Name: s.Key.Name}, service)
	})
	if err != nil {
		l.log.Warn("who else writes the status of a Service could not be read", "service", s.Key, "error", err)
	}
	return cmp.Or(competitorIn(service.ManagedFields, parts), "another program")
}

// What managedFields call the parts of a status, from the most telling to the least.
var (
	addressFields   = []string{`"f:ingress"`, `"f:loadBalancer"`, `"f:status"`}
	conditionFields = []string{`"f:conditions"`, `"f:status"`}
)

// competitorIn returns the manager that wrote the first of some fields last, and is not this program.
func competitorIn(fields []metav1.ManagedFieldsEntry, parts []string) string {
	newest := slices.Clone(fields)
	slices.SortStableFunc(newest, func(a, b metav1.ManagedFieldsEntry) int {
		if a.Time == nil || b.Time == nil {
			return 0
		}
		return b.Time.Compare(a.Time.Time)
	})
	for _, part := range parts {
		for _, f := range newest {
			if f.Manager != fieldOwner && f.FieldsV1 != nil && strings.Contains(f.FieldsV1.GetRawString(), part) {
				return strings.TrimSpace(f.Manager)
			}
		}
	}
	return ""
}
