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

// The lease. A leader that stops on purpose gives it back, so that the next one starts at once; one that dies is followed
// after leaseDuration. That is shorter than usual, because nothing but new Services waits for it, and those do wait.
const (
	leaseName     = "daymark-controller"
	leaseDuration = 6 * time.Second
	renewDeadline = 4 * time.Second
	retryPeriod   = time.Second
)

// Leader sees to it that one controller at a time works on the cluster. A controller that cannot renew its lease, as when
// the API server is away, stops working and stands for election again; it does not end.
type Leader struct {
	lock    resourcelock.Interface
	log     *slog.Logger
	changes chan struct{}
	// working is held during a pass: the lease is not given back in the middle of one.
	working sync.Mutex

	mu sync.Mutex
	// leading ends when this process is not the leader any more; nil while it is not.
	leading context.Context //nolint:containedctx // its end is what is told
	term    int
}

// NewLeader makes a candidate. It stands for election when it is started.
func NewLeader(config *rest.Config, namespace string, log *slog.Logger) (*Leader, error) {
	host, err := os.Hostname()
	if err != nil {
		return nil, fmt.Errorf("make a name to stand for election with: %w", err)
	}
	name := resourcelock.ResourceLockConfig{Identity: host + "_" + string(uuid.NewUUID())}
	lock, err := resourcelock.NewFromKubeconfig(resourcelock.LeasesResourceLock, namespace, leaseName, name, config, renewDeadline)
	if err != nil {
		return nil, fmt.Errorf("prepare the leader election: %w", err)
	}
	return &Leader{lock: lock, log: log, changes: make(chan struct{}, 1)}, nil
}

// Start stands for election until ctx ends, again and again.
func (l *Leader) Start(ctx context.Context) error {
	running, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	defer context.AfterFunc(ctx, func() {
		l.working.Lock() // until the end: no pass begins after the last one
		cancel()
	})()
	for running.Err() == nil {
		elector, err := leaderelection.NewLeaderElector(leaderelection.LeaderElectionConfig{
			Name: leaseName, Lock: l.lock, ReleaseOnCancel: true,
			LeaseDuration: leaseDuration, RenewDeadline: renewDeadline, RetryPeriod: retryPeriod,
			Callbacks: leaderelection.LeaderCallbacks{OnStartedLeading: l.begin, OnStoppedLeading: l.end},
		})
		if err != nil {
			return fmt.Errorf("stand for election: %w", err)
		}
		elector.Run(running)
	}
	return nil
}

func (l *Leader) begin(leading context.Context) {
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

func (l *Leader) end() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.leading != nil {
		l.log.Info("this controller does not lead any more")
	}
	l.leading = nil
}

// Changes wakes its one receiver when this process has become the leader.
func (l *Leader) Changes() <-chan struct{} { return l.changes }

// Work calls pass if this process leads, with a context that ends when it does not any more, and with the number of its
// term.
func (l *Leader) Work(pass func(ctx context.Context, term int) error) error {
	if !l.working.TryLock() {
		return nil // the process ends
	}
	defer l.working.Unlock()
	l.mu.Lock()
	leading, term := l.leading, l.term
	l.mu.Unlock()
	if leading == nil || leading.Err() != nil {
		return nil
	}
	return pass(leading, term)
}
