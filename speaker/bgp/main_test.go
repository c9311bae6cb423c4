package bgp

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net/netip"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/daymark-lb/daymark/api/v1beta1"
	"github.com/daymark-lb/daymark/internal/core/announce"
	"github.com/daymark-lb/daymark/internal/core/lb"
	"github.com/daymark-lb/daymark/internal/netnstest"
)

func TestMain(m *testing.M) {
	flag.Parse()
	// The tests wait for timers and other programs most of the time.
	if err := flag.Set("test.parallel", "8"); err != nil {
		panic(err)
	}
	os.Exit(netnstest.Main(m))
}

// cable is a link to a router in a namespace of its own.
type cable struct{ *netnstest.Cable }

func newCable(t *testing.T) *cable {
	t.Helper()
	return &cable{netnstest.NewCable(t)}
}

// session is a desired session with defaults: AS 64512 here, 64513 at the router.
func (c *cable) session(change func(*announce.Session), paths ...announce.Path) announce.Session {
	s := announce.Session{
		Name: "tor", Peer: "tor", MyASN: 64512, PeerASN: 64513, Address: c.Theirs, Port: 179, RouterID: c.Ours,
		NextHop4: c.Ours, NextHop6: c.Ours6,
		HoldTime: 9 * time.Second, ConnectTime: 2 * time.Second, RestartTime: 60 * time.Second,
		Families: []lb.Family{lb.IPv4, lb.IPv6}, Paths: paths,
	}
	if change != nil {
		change(&s)
	}
	return s
}

// path makes a path. Without attributes, it has the default ones.
func path(prefix string, attributes ...*announce.Attributes) announce.Path {
	return announce.Path{
		Prefix:     netip.MustParsePrefix(prefix),
		Attributes: append(attributes, &announce.Attributes{})[0],
	}
}

// running is a Speaker that the test can end.
type running struct {
	*Speaker
	t   testing.TB
	end func()
}

// start runs a Speaker until end is called or the test ends.
func start(t testing.TB, desired ...announce.Session) *running {
	t.Helper()
	return startBy(t, dialRouter, desired...)
}

// startBy runs a Speaker that connects by dial.
func startBy(t testing.TB, dial dialer, desired ...announce.Session) *running {
	t.Helper()
	out := io.Discard
	if testing.Verbose() {
		out = t.Output()
	}
	speaker := New(Config{Log: slog.New(slog.NewTextHandler(out, nil))})
	speaker.dial = dial
	r := &running{Speaker: speaker, t: t}
	r.set(desired...)
	ctx, cancel := context.WithCancel(context.Background())
	var ended sync.WaitGroup
	ended.Go(func() {
		if err := speaker.Start(ctx); err != nil {
			t.Errorf("Start: %v", err)
		}
	})
	r.end = func() {
		cancel()
		ended.Wait()
	}
	t.Cleanup(r.end)
	netnstest.Eventually(t, "the speaker runs", func() error {
		speaker.mu.Lock()
		defer speaker.mu.Unlock()
		if !speaker.running {
			return errors.New("it does not")
		}
		return nil
	})
	return r
}

func (r *running) set(desired ...announce.Session) {
	r.t.Helper()
	if err := r.Set(r.t.Context(), desired); err != nil {
		r.t.Errorf("Set: %v", err)
	}
}

// await waits until the status of a session satisfies is.
func (r *running) await(name, what string, is func(Status) bool) Status {
	r.t.Helper()
	var last Status
	netnstest.Eventually(r.t, "session "+name+" "+what, func() error {
		all := r.Status()
		at := slices.IndexFunc(all, func(s Status) bool { return s.Name == name })
		if at < 0 {
			return fmt.Errorf("there is no session %s", name)
		}
		if last = all[at]; is(last) {
			return nil
		}
		return fmt.Errorf("its status is %+v", last)
	})
	return last
}

func (r *running) up(name string) Status {
	r.t.Helper()
	return r.await(name, "is up", func(s Status) bool { return s.State == v1beta1.BGPEstablished })
}

func (r *running) says(name, words string) {
	r.t.Helper()
	r.await(name, "says "+words, func(s Status) bool { return strings.Contains(s.LastError, words) })
}

func ptr[T any](value T) *T { return &value }
