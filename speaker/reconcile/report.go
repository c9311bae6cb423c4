package reconcile

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/daymark-lb/daymark/api/v1beta1"
	"github.com/daymark-lb/daymark/internal/core/lb"
	"github.com/daymark-lb/daymark/internal/progress"
)

const (
	// reportInterval is the shortest time between two writes of the Speaker object.
	reportInterval = time.Second
	// reportTimeout of one write. A speaker goes on without the API server.
	reportTimeout = 10 * time.Second
	// reportRetryInterval is the wait after a write that failed.
	reportRetryInterval = 3 * time.Second
	// prunedInterval is the time between writes of what the API server leaves out, since its definition of the kind is older than we are.
	prunedInterval = time.Minute
)

// Report is what the Speaker object should say.
type Report struct {
	Status     v1beta1.SpeakerStatus
	conditions []metav1.Condition
	// owner of the object; nil: there is no Node of this name.
	owner *lb.Node
	// reread: the object is not as it was written: it is gone, or somebody else has written to it.
	reread bool
	// speakers is how many there are in the cluster.
	speakers int
}

// Reporter writes the Speaker object of one node, at most once a second, and how soon depends on what has changed (see pace).
type Reporter struct {
	node   string
	client client.Client
	log    *slog.Logger

	mu     sync.Mutex
	newest *Report
	wake   chan struct{}
	steps  progress.Steps

	// due is when the next write is, if it waits; prunedUntil is when what was left out of the last one is tried again, zero: nothing was.
	// Only Start uses them.
	due         time.Time
	waiting     bool
	prunedUntil time.Time
}

// NewReporter makes a Reporter that writes with a client; nothing is written before Start.
func NewReporter(node string, c client.Client, log *slog.Logger) *Reporter {
	return &Reporter{node: node, client: c, log: log, wake: make(chan struct{}, 1)}
}

// Set says what to write. It does not wait until it is written.
func (r *Reporter) Set(report Report) {
	r.mu.Lock()
	r.newest = &report
	r.mu.Unlock()
	notify(r.wake)
}

// Start writes until ctx ends.
func (r *Reporter) Start(ctx context.Context) error {
	written := &v1beta1.Speaker{}
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-r.wake:
		case <-timer.C:
		}
		if r.await(written) {
			if r.waiting {
				timer.Reset(time.Until(r.due))
			}
			continue
		}
		wait := reportInterval
		if err := r.write(ctx, written); err != nil && ctx.Err() == nil {
			r.log.Warn("Speaker object not written, trying again", "error", err)
			wait = reportRetryInterval
			written = &v1beta1.Speaker{} // read the object again
			notify(r.wake)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(wait):
		}
	}
}

// await reports whether there is nothing to write yet, or what there is has to wait, until due; written is the object as it was last read
// or written.
func (r *Reporter) await(written *v1beta1.Speaker) bool {
	r.mu.Lock()
	report := r.newest
	r.mu.Unlock()
	if report == nil {
		return true
	}
	if written.UID == "" || report.reread {
		return false
	}
	desired := report.desired(written.Status.Conditions)
	due := time.Now().Add(paceOf(&desired, &written.Status).wait(report.speakers))
	// What has waited for some time keeps its turn; what is more urgent goes before.
	if r.waiting && r.due.Before(due) {
		due = r.due
	}
	r.due, r.waiting = due, time.Now().Before(due)
	return r.waiting
}

// write brings the object up to date; written is the object as it was last read or written, empty if never.
func (r *Reporter) write(ctx context.Context, written *v1beta1.Speaker) error {
	defer r.steps.Begin("writes the Speaker object")()
	ctx, cancel := context.WithTimeout(ctx, reportTimeout)
	defer cancel()
	r.mu.Lock()
	report := *r.newest
	r.mu.Unlock()
	if written.UID == "" || report.reread {
		if err := r.getOrCreate(ctx, written, report.owner); err != nil {
			return err
		}
	}
	desired := report.desired(written.Status.Conditions)
	again := !r.prunedUntil.IsZero() && time.Now().After(r.prunedUntil)
	if equality.Semantic.DeepEqual(desired, written.Status) && !again {
		return nil
	}
	next := written.DeepCopy()
	next.Status = desired
	if err := r.client.Status().Update(ctx, next); err != nil {
		return fmt.Errorf("update the status of Speaker %s: %w", r.node, err)
	}
	if r.prunedUntil = (time.Time{}); pruned(&desired, &next.Status) {
		r.prunedUntil = time.Now().Add(prunedInterval)
	}
	*written = *next
	written.Status = desired
	return nil
}

// desired is the whole status, given the conditions before.
func (r *Report) desired(before []metav1.Condition) v1beta1.SpeakerStatus {
	desired := r.Status
	desired.Conditions = append([]metav1.Condition(nil), before...)
	for _, condition := range r.conditions {
		condition.Message = cmp.Or(condition.Message, condition.Reason)
		meta.SetStatusCondition(&desired.Conditions, condition)
	}
	return desired
}

// getOrCreate reads the object, and creates it if there is none. The Node owns it, so that it is deleted with the Node.
func (r *Reporter) getOrCreate(ctx context.Context, speaker *v1beta1.Speaker, owner *lb.Node) error {
	err := r.client.Get(ctx, client.ObjectKey{Name: r.node}, speaker)
	if err == nil {
		return nil
	}
	if !apierrors.IsNotFound(err) {
		return fmt.Errorf("get Speaker %s: %w", r.node, err)
	}
	if owner == nil {
		return fmt.Errorf("create Speaker %s: there is no Node of this name", r.node)
	}
	*speaker = v1beta1.Speaker{ObjectMeta: metav1.ObjectMeta{
		Name:            r.node,
		OwnerReferences: []metav1.OwnerReference{owner.Owner()},
	}}
	if err := r.client.Create(ctx, speaker); err != nil {
		return fmt.Errorf("create Speaker %s: %w", r.node, err)
	}
	return nil
}
