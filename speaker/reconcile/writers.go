package reconcile

import (
	"cmp"
	"context"
	"log/slog"
	"sync"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/daymark-lb/daymark/internal/progress"
)

// Writers write the objects of one node's speaker, each at its own pace: the Speaker object is what people and the controller read,
// the EndpointSlice what the other speakers read, and the Lease what tells the controller that the reports are not old.
type Writers struct {
	reporter  *Reporter
	publisher *Publisher
	renewer   *Renewer
}

// NewWriters makes Writers that write with a client; nothing is written before Start.
func NewWriters(node, namespace string, c client.Client, log *slog.Logger) *Writers {
	return &Writers{NewReporter(node, c, log), NewPublisher(node, namespace, c, log), NewRenewer(node, namespace, c, log)}
}

// Alive returns an error when a write does not come to its end, though each has a limit of its own.
func (w *Writers) Alive() error {
	return cmp.Or(w.reporter.steps.Stuck(progress.StuckAfter), w.publisher.steps.Stuck(progress.StuckAfter), w.renewer.steps.Stuck(progress.StuckAfter))
}

// Start writes until ctx ends.
func (w *Writers) Start(ctx context.Context) error {
	var running sync.WaitGroup
	for _, start := range []func(context.Context) error{w.reporter.Start, w.publisher.Start, w.renewer.Start} {
		running.Go(func() { _ = start(ctx) }) // they return nil
	}
	running.Wait()
	return nil
}

// NeedLeaderElection is false: every speaker writes its own objects.
func (w *Writers) NeedLeaderElection() bool { return false }
