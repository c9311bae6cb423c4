package priority

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"golang.org/x/sys/unix"

	"github.com/daymark-lb/daymark/speaker/processors"
)

// Priority keeps this process in real time as long as it takes little.
type Priority struct{ log *slog.Logger }

// New returns a Priority that has changed nothing yet.
func New(log *slog.Logger) *Priority { return &Priority{log} }

// Start chooses the policy until ctx ends, and returns nil. It returns at once when the kernel refuses, after a line in the log.
func (p *Priority) Start(ctx context.Context) error {
	if err := p.run(ctx); err != nil {
		p.log.Info("the speaker runs with ordinary priority, so heartbeats may be late while all processors are busy", "because", reason(err))
	}
	return nil
}

// run returns nil when ctx ends. The threads have the ordinary policy then.
func (p *Priority) run(ctx context.Context) error {
	if err := setThreads(realTime); err != nil {
		return errors.Join(err, setThreads(ordinary))
	}
	// The kernel does not refuse. What a start takes is still to come.
	if err := setThreads(ordinary); err != nil {
		return err
	}
	clock, err := newUseClock()
	if err != nil {
		return errors.Join(err, setThreads(ordinary))
	}
	defer clock.stop()
	began, is, b := time.Now(), false, starting(used())
	for {
		may, after := b.update(time.Since(began), used())
		if may != is {
			if err := setThreads(policy(may)); err != nil {
				return errors.Join(err, setThreads(ordinary))
			}
			is = may
			if !may {
				processors.Need()
			}
			p.log.Debug("priority chosen by the processor time used", "realTime", may)
		}
		if may {
			clock.set(b.left())
		}
		if !p.await(ctx, clock, after) {
			return setThreads(ordinary)
		}
	}
}

// await waits for the next time to look at the budget: when more has been used or, if after is not 0, that time has passed. It
// reports false when ctx ends.
func (*Priority) await(ctx context.Context, clock *useClock, after time.Duration) bool {
	var paid <-chan time.Time
	if after > 0 {
		paid = time.After(after)
	}
	select {
	case <-ctx.Done():
		return false
	case <-clock.signals:
	case <-paid:
	}
	return true
}

func policy(inRealTime bool) uint32 {
	if inRealTime {
		return realTime
	}
	return ordinary
}

// reason says what to do about an error of the kernel, if there is something.
func reason(err error) string {
	if errors.Is(err, unix.EPERM) {
		return "the kernel refuses: give the speaker the capability SYS_NICE; one with CONFIG_RT_GROUP_SCHED refuses all the same"
	}
	return err.Error()
}
