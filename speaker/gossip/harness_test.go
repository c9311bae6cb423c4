package gossip

import (
	"bytes"
	"context"
	"log/slog"
	"net/netip"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hashicorp/memberlist"

	"github.com/daymark-lb/daymark/internal/core/detector"
	"github.com/daymark-lb/daymark/internal/netnstest"
)

func TestMain(m *testing.M) { os.Exit(netnstest.Main(m)) }

// speaker is one of several that gossip over the loopback of the tests' namespace, each on its own address.
type speaker struct {
	*Membership
	at   netip.AddrPort
	end  context.CancelFunc
	over chan error
	// crashed: it ends without telling the others.
	crashed atomic.Bool
	// switches stop it and wake it, if it is on a network of the test.
	switches *switches
}

// patient is the timing of tests whose subject is not how soon a death is found. A machine that is busy for half a second causes none.
func patient() Timing {
	timing, _ := Preset(Fast, true)
	timing.SetHeartbeatInterval(4 * timing.HeartbeatInterval)
	timing.RetryInterval = timing.HeartbeatInterval / 2
	return timing
}

// withoutExchanges is the timing of tests in which nothing may come by memberlist's own exchanges.
func withoutExchanges() Timing {
	timing, _ := Preset(Fast, true)
	timing.PushPullInterval = time.Hour
	return timing
}

// withSlowProbes is the timing of tests in which memberlist must not be the first to find a death.
func withSlowProbes() Timing {
	timing := withoutExchanges()
	timing.ProbeInterval, timing.ProbeTimeout = time.Second, 500*time.Millisecond
	return timing
}

// begin starts a speaker, which leaves at the end of the test.
func begin(t testing.TB, node, addr string, keys ...string) *speaker {
	t.Helper()
	return beginWith(t, Config{Node: node, Bind: gossipAt(addr), Keys: secrets(keys...)}, nil)
}

func gossipAt(addr string) netip.AddrPort { return netip.AddrPortFrom(netip.MustParseAddr(addr), 7946) }

// beginWith starts a speaker on a network; nil: with nothing in between.
func beginWith(t testing.TB, cfg Config, on *network) *speaker {
	t.Helper()
	return beginSpeaker(t, cfg, on, func(*Membership) {})
}

// beginChanged starts a speaker that a test has changed before.
func beginChanged(t testing.TB, cfg Config, change func(*Membership)) *speaker {
	t.Helper()
	return beginSpeaker(t, cfg, nil, change)
}

func beginSpeaker(t testing.TB, cfg Config, on *network, change func(*Membership)) *speaker {
	t.Helper()
	cfg.Log = slog.New(slog.NewTextHandler(testWriter{t}, &slog.HandlerOptions{Level: slog.LevelWarn}))
	ctx, cancel := context.WithCancel(t.Context())
	s := &speaker{Membership: New(cfg), at: cfg.Bind, end: cancel, over: make(chan error, 1)}
	if on != nil {
		on.join(s)
	}
	change(s.Membership)
	go func() {
		s.over <- s.run(ctx, func(list *memberlist.Memberlist) {
			if !s.crashed.Load() {
				s.Membership.leave(list)
			} else if err := list.Shutdown(); err != nil {
				t.Error(err)
			}
		})
	}()
	t.Cleanup(func() { s.leave(t) })
	return s
}

func secrets(keys ...string) [][]byte {
	all := make([][]byte, 0, len(keys))
	for _, key := range keys {
		all = append(all, []byte(key))
	}
	return all
}

type testWriter struct{ t testing.TB }

func (w testWriter) Write(line []byte) (int, error) {
	if w.t.Context().Err() == nil {
		w.t.Log(string(bytes.TrimSpace(line)))
	}
	return len(line), nil
}

// leave ends a speaker, which tells the others that it leaves.
func (s *speaker) leave(t testing.TB) {
	t.Helper()
	if s.switches != nil {
		s.switches.set(false)
	}
	s.end()
	if s.over == nil {
		return
	}
	if err := <-s.over; err != nil {
		t.Errorf("Start ended with %v", err)
	}
	s.over = nil
}

// crash ends a speaker without telling the others.
func (s *speaker) crash(t testing.TB) {
	t.Helper()
	s.crashed.Store(true)
	s.leave(t)
}

// meet tells each speaker which others there are.
func meet(t testing.TB, all ...*speaker) {
	t.Helper()
	expected := map[string]ExpectedPeer{}
	for _, s := range all {
		expected[s.cfg.Node] = ExpectedPeer{Address: s.at}
	}
	for _, s := range all {
		s.Set(expected)
	}
}

// heartbeats waits until each of the speakers has heard an answer of each other one.
func heartbeats(t testing.TB, all ...*speaker) {
	t.Helper()
	for _, s := range all {
		for _, other := range all {
			if s != other {
				eventually(t, s.cfg.Node+" hears "+other.cfg.Node, func() bool {
					status := s.status(other.cfg.Node)
					return status.Incarnation == other.Incarnation() && status.Observed && status.Alive
				})
			}
		}
	}
}

// awaits waits, on the speaker's own notifications, until its View is as wanted, and returns how long that took.
func (s *speaker) awaits(t testing.TB, what string, want func(View) bool) time.Duration {
	t.Helper()
	begin := time.Now()
	timeout := time.After(20 * time.Second)
	for !want(s.View()) {
		select {
		case <-s.Changes():
		case <-timeout:
			t.Fatalf("%s: no notification brought it; the view is %+v", what, s.View())
		}
	}
	return time.Since(begin)
}

func alive(nodes ...string) func(View) bool {
	return func(v View) bool { return v.Known && slices.Equal(v.Alive, nodes) }
}

func ip(t *testing.T, line string) {
	t.Helper()
	if output, err := exec.Command("ip", strings.Fields(line)...).CombinedOutput(); err != nil {
		t.Fatalf("ip %s: %v: %s", line, err, output)
	}
}

// heardSince reports whether a speaker has heard another one since a time.
func (s *speaker) heardSince(other *speaker, since time.Time) bool {
	return s.status(other.cfg.Node).LastHeard.After(since)
}

// status returns what the detector of a speaker knows of a node.
func (s *speaker) status(node string) (status detector.Status) {
	s.peers.withDetector(func(d *detector.Detector) { status, _ = d.Peer(node) })
	return status
}
