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
)

const (
	// reportInterval is the shortest time between two writes of the Speaker object.
	reportInterval = time.Second
	// reportTimeout of one write. A speaker goes on without the API server.
	reportTimeout = 10 * time.Second
	// reportRetryInterval is the wait after a write that failed.
	reportRetryInterval = 3 * time.Second
)

// Report is what the Speaker object should say.
type Report struct {
	Status     v1beta1.SpeakerStatus
	conditions []metav1.Condition
	// owner of the object; nil: there is no Node of this name.
	owner *lb.Node
	// missing: the object did not exist when the cluster was looked at.
	missing bool
}

// Reporter writes the Speaker object of one node: when it changed, and at most once a second.
type Reporter struct {
	node   string
	client client.Client
	log    *slog.Logger

	mu     sync.Mutex
	newest *Report
	wake   chan struct{}
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
	r.notify()
}

// Start writes until ctx ends.
func (r *Reporter) Start(ctx context.Context) error {
	written := &v1beta1.Speaker{}
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-r.wake:
		}
		wait := reportInterval
		if err := r.write(ctx, written); err != nil && ctx.Err() == nil {
			r.log.Warn("Speaker object not written, trying again", "error", err)
			wait = reportRetryInterval
			written = &v1beta1.Speaker{} // read the object again
			r.notify()
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(wait):
		}
	}
}

// NeedLeaderElection is false: every speaker writes its own object.
func (r *Reporter) NeedLeaderElection() bool { return false }

// notify wakes Start, unless it has been notified already.
func (r *Reporter) notify() {
	select {
	case r.wake <- struct{}{}:
	default:
	}
}

// write brings the object up to date; written is the object as it was last read or written, empty if never.
func (r *Reporter) write(ctx context.Context, written *v1beta1.Speaker) error {
	ctx, cancel := context.WithTimeout(ctx, reportTimeout)
	defer cancel()
	r.mu.Lock()
	report := *r.newest
	r.mu.Unlock()
	if written.UID == "" || report.missing {
		if err := r.getOrCreate(ctx, written, report.owner); err != nil {
			return err
		}
	}
	desired := report.Status
	desired.Conditions = append([]metav1.Condition(nil), written.Status.Conditions...)
	for _, condition := range report.conditions {
		condition.Message = cmp.Or(condition.Message, condition.Reason)
		meta.SetStatusCondition(&desired.Conditions, condition)
	}
	if equality.Semantic.DeepEqual(desired, written.Status) {
		return nil
	}
	next := written.DeepCopy()
	next.Status = desired
	if err := r.client.Status().Update(ctx, next); err != nil {
		return fmt.Errorf("update the status of Speaker %s: %w", r.node, err)
	}
	*written = *next
	return nil
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
		OwnerReferences: []metav1.OwnerReference{{APIVersion: "v1", Kind: "Node", Name: owner.Name, UID: owner.UID}},
	}}
	if err := r.client.Create(ctx, speaker); err != nil {
		return fmt.Errorf("create Speaker %s: %w", r.node, err)
	}
	return nil
}
