package reconcile

import (
	"context"
	"log/slog"
	"testing"
	"testing/synctest"
	"time"

	"k8s.io/client-go/tools/leaderelection/resourcelock"

	"github.com/daymark-lb/daymark/internal/bubble"
)

// hangingLock is a lock of an API server that does not answer any more from some time on.
type hangingLock struct {
	resourcelock.Interface
	hangs   time.Time
	renewed time.Time
}

func (l *hangingLock) hang(ctx context.Context) error {
	if time.Now().Before(l.hangs) {
		return nil
	}
	<-ctx.Done()
	return ctx.Err()
}

func (l *hangingLock) Get(ctx context.Context) (*resourcelock.LeaderElectionRecord, []byte, error) {
	return &resourcelock.LeaderElectionRecord{}, nil, l.hang(ctx)
}

func (l *hangingLock) Update(ctx context.Context, _ resourcelock.LeaderElectionRecord) error {
	err := l.hang(ctx)
	if err == nil {
		l.renewed = time.Now()
	}
	return err
}

func (l *hangingLock) RecordEvent(string) {}
func (l *hangingLock) Identity() string   { return "me" }
func (l *hangingLock) Describe() string   { return "lock" }

// Another one leads when the Lease has run out.
func TestLeader_StopsBeforeALeaseThatItCannotRenewRunsOut(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		lock := &hangingLock{hangs: time.Now().Add(time.Minute)}
		leader := NewLeaderByLock(lock, slog.New(slog.DiscardHandler))
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- leader.Start(ctx) }()
		time.Sleep(time.Minute)
		synctest.Wait()
		if leads, _ := leader.Leads(); !leads {
			t.Fatal("it does not lead")
		}
		time.Sleep(time.Until(lock.renewed.Add(leaseDuration)) - time.Millisecond)
		if leads, _ := leader.Leads(); leads {
			t.Error("it still leads")
		}
		cancel()
		<-ended
	})
}
