package reconcile

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/util/uuid"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/leaderelection"
	"k8s.io/client-go/tools/leaderelection/resourcelock"
)

// The Lease of the leader election. A leader that stops on purpose releases it, so that the next one starts at once. One that
// dies is replaced after leaseDuration, which is shorter than usual, since new Services wait for it.
const (
	leaseName     = "daymark-controller"
	leaseDuration = 6 * time.Second
	renewDeadline = 4 * time.Second
	retryPeriod   = time.Second
)

// Leader makes sure that only one controller at a time works on the cluster. A controller that cannot renew its Lease, for
// example because the API server is down, stops working and becomes a candidate again; it does not exit.
type Leader struct {
	lock    resourcelock.Interface
	log     *slog.Logger
	changes chan struct{}
	// passing is held during a pass: the Lease is not released in the middle of one.
	passing sync.Mutex

	mu sync.Mutex
	// leading ends when this process is not the leader any more; nil while it is not.
	leading context.Context //nolint:containedctx // callers wait for its end
	// term counts how often this process became the leader.
	term int
}

// NewLeader makes a candidate, which takes part in the election once it is started.
func NewLeader(config *rest.Config, namespace string, log *slog.Logger) (*Leader, error) {
	host, err := os.Hostname()
	if err != nil {
		return nil, fmt.Errorf("make an identity for the leader election: %w", err)
	}
	identity := resourcelock.ResourceLockConfig{Identity: host + "_" + string(uuid.NewUUID())}
	lock, err := resourcelock.NewFromKubeconfig(resourcelock.LeasesResourceLock, namespace, leaseName, identity, config, renewDeadline)
	if err != nil {
		return nil, fmt.Errorf("prepare the leader election: %w", err)
	}
	return &Leader{lock: lock, log: log, changes: make(chan struct{}, 1)}, nil
}

// Start takes part in the election until ctx ends.
func (l *Leader) Start(ctx context.Context) error {
	running, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	defer context.AfterFunc(ctx, func() {
		l.passing.Lock() // and never unlocked: no pass begins after this
		cancel()
	})()
	for running.Err() == nil {
		elector, err := leaderelection.NewLeaderElector(leaderelection.LeaderElectionConfig{
			Name: leaseName, Lock: l.lock, ReleaseOnCancel: true,
			LeaseDuration: leaseDuration, RenewDeadline: renewDeadline, RetryPeriod: retryPeriod,
			Callbacks: leaderelection.LeaderCallbacks{OnStartedLeading: l.startedLeading, OnStoppedLeading: l.stoppedLeading},
		})
		if err != nil {
			return fmt.Errorf("take part in the leader election: %w", err)
		}
		elector.Run(running)
	}
	return nil
}

func (l *Leader) startedLeading(leading context.Context) {
	l.log.Info("this controller leads")
	l.mu.Lock()
	l.leading = leading
	l.term++
	l.mu.Unlock()
	select {
	case l.changes <- struct{}{}:
	default:
	}
}

func (l *Leader) stoppedLeading() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.leading != nil {
		l.log.Info("this controller does not lead any more")
	}
	l.leading = nil
}

// Changes receives a value when this process has become the leader. It has one receiver.
func (l *Leader) Changes() <-chan struct{} { return l.changes }

// Work calls pass if this process leads. It passes a context that ends when the process does not lead any more, and the number
// of its term.
func (l *Leader) Work(pass func(ctx context.Context, term int) error) error {
	if !l.passing.TryLock() {
		return nil // the process exits
	}
	defer l.passing.Unlock()
	l.mu.Lock()
	leading, term := l.leading, l.term
	l.mu.Unlock()
	if leading == nil || leading.Err() != nil {
		return nil
	}
	return pass(leading, term)
}
