package reconcile

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/daymark-lb/daymark/internal/core/announce"
	"github.com/daymark-lb/daymark/internal/core/status"
)

const (
	// maxUndone is how often others may undo a write of addresses before they count as a competing writer.
	maxUndone = 3
	// A Service with a competing writer is written again after minContestWait, then at growing intervals up to maxContestWait.
	minContestWait = time.Second
	maxContestWait = 5 * time.Minute
	// contestMemory is how long a write that nobody undid is remembered.
	contestMemory = 10 * time.Minute
	// contestCalm is how long a write must stand before a contest is over, or twice the last wait if that is longer.
	contestCalm = time.Minute
)

// contests finds out which Services have another writer of their addresses: one that undoes what the controller wrote, again
// and again. Such a Service is written at growing intervals, and its condition names the other.
type contests struct {
	known  map[types.UID]*contest
	pruned time.Time
}

// contest is the writes of the addresses of one Service.
type contest struct {
	// ingress that was last written, and when.
	ingress []corev1.LoadBalancerIngress
	wrote   time.Time
	// undone is how often another undid it; noticed: the last write is among them.
	undone  int
	noticed bool
	// wait between two writes.
	wait backoff

	// asked: the other is being looked for.
	asked bool
	mu    sync.Mutex
	rival string // the other, once it is known; empty before
}

// wrote records that the addresses of a Service were written.
func (c *contests) wrote(uid types.UID, ingress []corev1.LoadBalancerIngress, now time.Time) {
	known := c.known[uid]
	if known == nil {
		if c.known == nil {
			c.known = map[types.UID]*contest{}
		}
		known = &contest{}
		c.known[uid] = known
	}
	known.ingress, known.wrote, known.noticed = ingress, now, false
}

// prune forgets writes that stand.
func (c *contests) prune(now time.Time) {
	if now.Sub(c.pruned) < contestCalm {
		return
	}
	c.pruned = now
	// order does not matter: each is looked at alone.
	for uid, known := range c.known {
		if now.Sub(known.wrote) > max(contestMemory, 2*maxContestWait) {
			delete(c.known, uid)
		}
	}
}

// look notices that a Service does not show what was last written.
func (k *contest) look(s *cachedService, now time.Time) {
	if k.noticed || s.Uncertain || len(missingFrom(k.ingress, s.Written.Ingress)) == 0 && len(missingFrom(s.Written.Ingress, k.ingress)) == 0 {
		return
	}
	k.noticed = true
	if k.undone++; k.undone >= maxUndone {
		k.wait.fail(now, minContestWait, maxContestWait)
	}
}

// over reports whether the last write has stood for long enough, and if not, when it will have.
func (k *contest) over(now time.Time) (bool, time.Time) {
	calm := k.wrote.Add(max(contestCalm, 2*k.wait.wait))
	return !k.noticed && now.After(calm), calm
}

// contested changes what a Service should have if another program writes its addresses, too: as long as that is to be waited
// for, the addresses stay as they are.
func (l *Loop) contested(s *cachedService, desired status.Service, explainer *announce.Explainer) status.Service {
	k, now := l.contests.known[s.UID], l.now()
	if k == nil {
		return desired
	}
	k.look(s, now)
	if k.undone < maxUndone {
		return desired
	}
	rival := l.rivalOf(k, s)
	if rival == "" {
		return s.Written // the other is not known yet: nothing is written before
	}
	message := fmt.Sprintf("%s writes the addresses of this Service, too, and undoes what Daymark writes; Daymark tries again at intervals of up to %s: "+
		"stop one of the two, or leave the Service to the other with the annotation daymark.io/provider", rival, maxContestWait)
	if desired.SameAddresses(&s.Written) {
		over, at := k.over(now)
		if over {
			delete(l.contests.known, s.UID)
			return desired
		}
		l.runAgain(at.Sub(now))
		return desired.Contested(message, now)
	}
	if wait := k.wait.until.Sub(now); wait > 0 {
		l.runAgain(wait)
		stays := s.Stays(explainer, now)
		return stays.Contested(message, now)
	}
	return desired.Contested(message, now)
}

// rivalOf returns the other writer of a Service; empty as long as it is not known. It is read from the API server once, since
// the caches have no managedFields, and not by the loop.
func (l *Loop) rivalOf(k *contest, s *cachedService) string {
	k.mu.Lock()
	defer k.mu.Unlock()
	if !k.asked {
		k.asked = true
		go func() {
			rival := l.findRival(s)
			k.mu.Lock()
			k.rival = rival
			k.mu.Unlock()
			notify(l.writer.wakes)
		}()
	}
	return k.rival
}

// findRival asks the API server who else writes the addresses of a Service.
func (l *Loop) findRival(s *cachedService) string {
	service := &corev1.Service{}
	_, err := l.work(func(ctx context.Context, _ int) error {
		ctx, cancel := context.WithTimeout(ctx, writeTimeout)
		defer cancel()
		return l.direct.Get(ctx, types.NamespacedName{Namespace: s.Key.Namespace, Name: s.Key.Name}, service)
	})
	if err != nil {
		l.log.Warn("who else writes the addresses of a Service could not be read", "service", s.Key, "error", err)
	}
	return cmp.Or(rivalIn(service.ManagedFields), "another program")
}

// rivalIn returns the manager that wrote the addresses last, or at least the status, and is not this program.
func rivalIn(fields []metav1.ManagedFieldsEntry) string {
	newest := slices.Clone(fields)
	slices.SortStableFunc(newest, func(a, b metav1.ManagedFieldsEntry) int {
		if a.Time == nil || b.Time == nil {
			return 0
		}
		return b.Time.Compare(a.Time.Time)
	})
	for _, what := range []string{`"f:ingress"`, `"f:loadBalancer"`, `"f:status"`} {
		for _, f := range newest {
			if f.Manager != fieldOwner && f.FieldsV1 != nil && strings.Contains(f.FieldsV1.GetRawString(), what) {
				return strings.TrimSpace(f.Manager)
			}
		}
	}
	return ""
}
