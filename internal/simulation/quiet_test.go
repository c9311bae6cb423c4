package simulation

import (
	"fmt"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/daymark-lb/daymark/internal/core/cluster"
	"github.com/daymark-lb/daymark/internal/core/ipam"
)

const (
	// maxSettling is how long after the last change and the last failure all Services must have what they should have. A program that
	// undoes what the controller writes, as people did by hand, is given way to for up to five minutes, and a pool that is gone for
	// its grace time.
	maxSettling = 15 * time.Minute
	// eventsTrail is how long Events may follow.
	eventsTrail = 90 * time.Second
	// calm is for how long nothing must be written then.
	calm = time.Minute
)

// quiet checks what must hold when nothing happens any more. Settled says what is not yet as it should be, empty when all is.
func (w *world) quiet(settled func() string) {
	w.mend()
	var unsettled string
	for since := time.Now(); time.Since(since) < maxSettling; time.Sleep(5 * time.Second) {
		if unsettled = settled(); unsettled == "" {
			break
		}
	}
	time.Sleep(eventsTrail)
	if again := settled(); unsettled == "" {
		unsettled = again
	}
	w.server.mu.Lock()
	if unsettled != "" {
		w.judge.violate("after %s of quiet %s", maxSettling, unsettled)
	}
	w.judge.checkTold()
	writes := w.judge.writes
	w.server.mu.Unlock()
	time.Sleep(calm)
	w.server.mu.Lock()
	defer w.server.mu.Unlock()
	if more := w.judge.writes - writes; more > 0 {
		w.judge.violate("%d writes though nothing happens", more)
	}
}

// unsettled says what is not as a controller that starts now would have it; empty when all is.
func (w *world) unsettled() string {
	objects := w.all()
	plan := ipam.Compute(cluster.Parse(objects).AddressWorld(time.Now(), classes, w.poolGrace, ipam.Memory{}))
	if !plan.Next.IsZero() {
		return "the controller waits for a time"
	}
	for i := range plan.Assignments {
		a := &plan.Assignments[i]
		if len(a.Released) > 0 {
			return fmt.Sprintf("%s still has %v", a.Service.Key, a.Released)
		}
		for _, has := range a.Addresses {
			if !slices.Contains(a.Service.Ingress, has.Addr) {
				return fmt.Sprintf("%s does not have %s", a.Service.Key, has.Addr)
			}
		}
	}
	for i, object := range objects {
		a, ok := object.(*corev1.Service)
		if !ok {
			continue
		}
		for _, other := range objects[:i] {
			b, ok := other.(*corev1.Service)
			if !ok || !ours(a) || !ours(b) || mayShare(a, b) {
				continue
			}
			for _, addr := range shown(a) {
				if slices.Contains(shown(b), addr) && poolOf(a, addr) != "" && poolOf(b, addr) != "" {
					return fmt.Sprintf("%s and %s both have %s", keyOf(a), keyOf(b), addr)
				}
			}
		}
	}
	return ""
}
