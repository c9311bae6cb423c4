package bfd

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"os"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/daymark-lb/daymark/internal/core/announce"
	"github.com/daymark-lb/daymark/internal/core/bfdsession"
	"github.com/daymark-lb/daymark/internal/core/lb"
	"github.com/daymark-lb/daymark/internal/netnstest"
)

const ms = time.Millisecond

func TestMain(m *testing.M) {
	flag.Parse()
	switch {
	case os.Getenv(peerProcess) != "":
		os.Exit(runPeer())
	case os.Getenv(tapProcess) != "":
		os.Exit(runTap())
	}
	os.Exit(netnstest.Main(m))
}

// cable is a link from the tests' own namespace to another, with link-local addresses too.
type cable struct{ *netnstest.Cable }

func newCable(t testing.TB) *cable {
	t.Helper()
	c := &cable{netnstest.NewCable(t)}
	c.AddLinkLocal(t)
	return c
}

// cut drops all packets at the other end of the cable. The interfaces stay up. It returns how to mend the cable.
func (c *cable) cut(t *testing.T) (mend func()) {
	t.Helper()
	c.Other.Run(t, "nft", "add table inet cut")
	c.Other.Run(t, "nft", "add chain inet cut in { type filter hook input priority -300; policy drop; }")
	c.Other.Run(t, "nft", "add chain inet cut out { type filter hook output priority -300; policy drop; }")
	return func() { c.Other.Run(t, "nft", "delete table inet cut") }
}

// profile has the same interval in both directions.
func profile(interval time.Duration, multiplier int) lb.BFDProfile {
	return lb.BFDProfile{ReceiveInterval: interval, TransmitInterval: interval, DetectMultiplier: multiplier}
}

// running is a Monitor that the test can end.
type running struct {
	*Monitor
	t        testing.TB
	by       func(func())
	registry *prometheus.Registry
	end      func()

	mu       sync.Mutex
	failures []string
	// ups are what OnUp was told.
	ups []string
}

// start runs a Monitor until end is called or the test ends.
func start(t testing.TB, desired ...announce.BFDSession) *running {
	t.Helper()
	return startBy(t, Config{}, func(f func()) { f() }, desired...)
}

// startIn runs a Monitor in another namespace.
func startIn(t testing.TB, n *netnstest.Namespace, desired ...announce.BFDSession) *running {
	t.Helper()
	return startBy(t, Config{}, func(f func()) { n.Do(t, f) }, desired...)
}

// startAgain runs a Monitor after one that may have ended without AdminDown.
func startAgain(t testing.TB, desired ...announce.BFDSession) *running {
	t.Helper()
	return startBy(t, Config{Resume: true}, func(f func()) { f() }, desired...)
}

// startBy runs a Monitor with a configuration. by runs a function in the Monitor's namespace.
func startBy(t testing.TB, cfg Config, by func(func()), desired ...announce.BFDSession) *running {
	t.Helper()
	out := io.Discard
	if testing.Verbose() {
		out = t.Output()
	}
	r := &running{t: t, by: by, registry: prometheus.NewRegistry()}
	cfg.Log, cfg.Registerer = slog.New(slog.NewTextHandler(out, nil)), r.registry
	cfg.OnDown = func(name, why string) {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.failures = append(r.failures, name+": "+why)
	}
	cfg.OnUp = func(name string) {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.ups = append(r.ups, name)
	}
	r.Monitor = New(cfg)
	r.set(desired...)
	ctx, cancel := context.WithCancel(context.Background())
	var ended sync.WaitGroup
	ended.Go(func() {
		by(func() {
			if err := r.Start(ctx); err != nil {
				t.Errorf("Start: %v", err)
			}
		})
	})
	r.end = func() {
		cancel()
		ended.Wait()
	}
	t.Cleanup(r.end)
	netnstest.Eventually(t, "the monitor runs", func() error {
		r.Monitor.mu.Lock()
		defer r.Monitor.mu.Unlock()
		if !r.running {
			return errors.New("it does not")
		}
		return nil
	})
	return r
}

func (r *running) set(desired ...announce.BFDSession) {
	r.t.Helper()
	r.by(func() {
		if err := r.Set(context.Background(), desired); err != nil {
			r.t.Errorf("Set: %v", err)
		}
	})
}

// status of a session; the zero value when there is none.
func (r *running) status(name string) Status {
	all := r.Status()
	at := slices.IndexFunc(all, func(s Status) bool { return s.Name == name })
	if at < 0 {
		return Status{}
	}
	return all[at]
}

// await waits until the status of a session satisfies is.
func (r *running) await(name, what string, is func(Status) bool) Status {
	r.t.Helper()
	var last Status
	netnstest.Eventually(r.t, "session "+name+" "+what, func() error {
		if last = r.status(name); is(last) {
			return nil
		}
		return fmt.Errorf("its status is %+v", last)
	})
	return last
}

// up waits until a session is up at both ends and its intervals are negotiated.
func (r *running) up(name string) Status {
	r.t.Helper()
	return r.await(name, "is up", func(s Status) bool {
		return s.State == bfdsession.Up && s.PeerState == bfdsession.Up && !s.Polling && s.Problem == ""
	})
}

func (r *running) down(name string) Status {
	r.t.Helper()
	return r.await(name, "is down", func(s Status) bool { return s.State == bfdsession.Down })
}

// onDownCalls are the calls of OnDown.
func (r *running) onDownCalls() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.failures)
}
