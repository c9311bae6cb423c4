package web

import (
	"context"
	"slices"
	"sync"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/daymark-lb/daymark/cli/env"
	"github.com/daymark-lb/daymark/cli/source"
	"github.com/daymark-lb/daymark/cli/view"
)

const (
	// pace is how many times as long as the last look took no other is begun: a fifth of one processor is the most that looks take.
	pace = 4
	// refresh is the time after which all is computed again though nothing has changed: whether a leader renews its Lease is a
	// matter of time.
	refresh = 10 * time.Second
	// mostHistory is how many changes are remembered.
	mostHistory = 1000
)

// snapshot is a cluster as it was at one time. It does not change.
type snapshot struct {
	*computed
	// silent is since when the API server does not answer; zero: it does.
	silent time.Time
}

// computed is what the pages show of the objects of one look.
type computed struct {
	// mu protects cluster, which computes when it is asked.
	mu       sync.Mutex
	cluster  *view.Cluster
	objects  *source.Objects
	status   view.Status
	network  view.Network
	services []view.ServiceLine
	// history has the changes seen, the newest first, and before them Events.
	history []view.Change
	// still: the objects are a file's.
	still bool
}

// keeper has the newest snapshot, and tells of it.
type keeper struct {
	env *env.Env
	// began is when the first objects were so: what happened before is told by Events.
	began time.Time

	mu      sync.Mutex
	newest  snapshot
	changes []view.Change
	// replaced is closed when newest is not the newest any more.
	replaced chan struct{}
}

func newKeeper(e *env.Env, first *source.Objects) *keeper {
	k := &keeper{env: e, began: first.Time, replaced: make(chan struct{})}
	k.newest.computed = k.compute(first)
	return k
}

// look returns the newest snapshot, and a channel that is closed when there is another.
func (k *keeper) look() (snapshot, <-chan struct{}) {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.newest, k.replaced
}

// follow makes snapshots of objects until ctx ends.
func (k *keeper) follow(ctx context.Context, all <-chan *source.Objects) {
	now, _ := k.look()
	latest := now.objects
	refreshes := time.NewTicker(refresh) // one for all turns: Leases are renewed more often
	defer refreshes.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case next, more := <-all:
			if !more {
				all = nil // a file's, which were all
				continue
			}
			before := latest
			latest = next
			if onlyLeases(before.Items, next.Items) {
				continue
			}
		case <-refreshes.C:
			if now.still {
				continue
			}
			again := *latest
			again.Time = k.env.Now()
			latest = &again
		}
		began := time.Now()
		c := k.compute(latest)
		k.replace(func(s *snapshot) { s.computed = c })
		if !sleep(ctx, pace*time.Since(began)) {
			return
		}
	}
}

// onlyLeases reports whether nothing has changed but Leases, which are renewed all the time.
func onlyLeases(before, after []runtime.Object) bool {
	return slices.EqualFunc(before, after, func(a, b runtime.Object) bool {
		_, was := a.(*coordinationv1.Lease)
		_, is := b.(*coordinationv1.Lease)
		return a == b || was && is
	})
}

// sleep for a time; false: ctx has ended.
func sleep(ctx context.Context, d time.Duration) bool {
	select {
	case <-ctx.Done():
		return false
	case <-time.After(d):
		return true
	}
}

// tell whether the API server answers.
func (k *keeper) tell(failure error) {
	k.replace(func(s *snapshot) {
		s.silent = time.Time{}
		if failure != nil {
			s.silent = k.env.Now()
		}
	})
}

// replace the newest snapshot by one that differs from it.
func (k *keeper) replace(change func(*snapshot)) {
	k.mu.Lock()
	defer k.mu.Unlock()
	change(&k.newest)
	close(k.replaced)
	k.replaced = make(chan struct{})
}

// compute what the pages show. It is called by one goroutine alone.
func (k *keeper) compute(objects *source.Objects) *computed {
	c := &computed{cluster: k.env.View(objects), objects: objects, still: k.env.From != ""}
	if now, _ := k.look(); now.computed != nil {
		before := now.computed
		before.mu.Lock()
		changes := c.cluster.Changes(before.cluster)
		before.mu.Unlock()
		slices.Reverse(changes)
		k.changes = slices.Concat(changes, k.changes)
		k.changes = k.changes[:min(len(k.changes), mostHistory)]
	}
	c.status, c.network, c.services = c.cluster.Glance(), c.cluster.Network(), c.cluster.Services().Items
	c.history = slices.Concat(k.changes, c.cluster.EventsBefore(k.began))
	return c
}
