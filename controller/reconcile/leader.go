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

	mu sync.Mutex
	// working are the passes and writes that are under way: the Lease is not released in the middle of one. None begins once leading has
	// ended, so none is added while somebody waits. A test on a clock of its own goes on while one waits for these, as for no mutex.
	working sync.WaitGroup
	// leading ends when this process is not the leader any more; nil while it is not.
	leading context.Context //nolint:containedctx // callers wait for its end
	// cancel ends leading.
	cancel context.CancelFunc
	// since is when this process became the leader.
	since time.Time
	// exiting: the process ends, and does not lead again.
	exiting bool
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
	return NewLeaderByLock(lock, log), nil
}

// NewLeaderByLock is NewLeader with a lock of another kind than a Lease of an API server.
func NewLeaderByLock(lock resourcelock.Interface, log *slog.Logger) *Leader {
	return &Leader{lock: lock, log: log, changes: make(chan struct{}, 1)}
}

// Start takes part in the election until ctx ends.
func (l *Leader) Start(ctx context.Context) error {
	running, cancel := context.WithCancel(context.WithValue(context.WithoutCancel(ctx), candidacy{}, true))
	defer cancel()
	defer context.AfterFunc(ctx, func() {
		l.retire() // what is under way may end
		cancel()
	})()
	for running.Err() == nil {
		elector, err := leaderelection.NewLeaderElector(leaderelection.LeaderElectionConfig{
			Name: leaseName, Lock: &releaseLast{l.lock, l}, ReleaseOnCancel: true,
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

func (l *Leader) startedLeading(elected context.Context) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.exiting {
		return
	}
	l.log.Info("this controller leads")
	l.leading, l.cancel = context.WithCancel(elected)
	l.term++
	l.since = time.Now()
	notify(l.changes)
}

func (l *Leader) stoppedLeading() {
	l.stop()
	notify(l.changes)
}

// retire stops all work for good, and waits until what is under way has ended.
func (l *Leader) retire() {
	l.mu.Lock()
	l.exiting, l.leading = true, nil
	l.mu.Unlock()
	l.working.Wait()
}

// stop cancels all work, and waits until it has ended.
func (l *Leader) stop() {
	l.mu.Lock()
	if l.leading != nil {
		l.log.Info("this controller does not lead any more")
	}
	if l.cancel != nil {
		l.cancel()
	}
	l.leading, l.cancel = nil, nil
	l.mu.Unlock()
	l.working.Wait()
}

// Changes receives a value when this process has become the leader, and when it is not any more. It has one receiver.
func (l *Leader) Changes() <-chan struct{} { return l.changes }

// Leads reports whether this process leads, and since when.
func (l *Leader) Leads() (leads bool, since time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.leading != nil && l.leading.Err() == nil, l.since
}

// Work calls a function if this process leads, and reports whether it does. It passes a context that ends when the process
// does not lead any more, and the number of its term. Several calls may run at the same time; the Lease is not given back
// before all have returned.
func (l *Leader) Work(work func(ctx context.Context, term int) error) (led bool, err error) {
	leading, term := l.begin()
	if leading == nil {
		return false, nil
	}
	defer l.working.Done()
	return true, work(leading, term)
}

// begin counts work in if this process leads, and returns its context and its term; nil: it does not.
func (l *Leader) begin() (leading context.Context, term int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.leading == nil || l.leading.Err() != nil {
		return nil, 0
	}
	l.working.Add(1)
	return l.leading, l.term
}

// releaseLast is a lock that stops all work before it gives the Lease back. Client-go gives it back first when it could not
// be renewed in time, and only then says that this process does not lead any more.
type releaseLast struct {
	resourcelock.Interface
	leader *Leader
}

// candidacy marks the contexts of calls by which a process becomes the leader or remains it. Those that give the Lease back have one without.
type candidacy struct{}

// Get reads the Lease. Before client-go gives it back it reads it, and the API server may not answer that until the Lease has run out and another
// process leads.
func (r *releaseLast) Get(ctx context.Context) (*resourcelock.LeaderElectionRecord, []byte, error) {
	if ctx.Value(candidacy{}) == nil {
		r.leader.stop()
	}
	return r.Interface.Get(ctx)
}

// Update writes the Lease. A record without a holder gives it back.
func (r *releaseLast) Update(ctx context.Context, record resourcelock.LeaderElectionRecord) error {
	if record.HolderIdentity == "" {
		r.leader.stop()
	}
	return r.Interface.Update(ctx, record)
}
