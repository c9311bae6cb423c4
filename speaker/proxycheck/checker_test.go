package proxycheck

import (
	"context"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/daymark-lb/daymark/internal/core/proxyhealth"
	"github.com/daymark-lb/daymark/internal/netnstest"
)

func TestMain(m *testing.M) { os.Exit(netnstest.Main(m)) }

// start runs a Checker until the test ends.
func start(t *testing.T, target string) *Checker {
	t.Helper()
	parsed, err := ParseTarget(target)
	if err != nil {
		t.Fatal(err)
	}
	c := New(parsed, slog.New(slog.DiscardHandler), nil)
	ctx, cancel := context.WithCancel(context.Background())
	var ended sync.WaitGroup
	ended.Go(func() { _ = c.Start(ctx) })
	t.Cleanup(func() { cancel(); ended.Wait() })
	return c
}

func await(t *testing.T, c *Checker, check proxyhealth.Check, words string) {
	t.Helper()
	deadline := time.After(5 * time.Second)
	for {
		result, known := c.Result()
		if known && result.Check == check && strings.Contains(result.Text, words) {
			return
		}
		select {
		case <-c.Changes():
		case <-deadline:
			t.Fatalf("wanted %d %q, and it is %t %+v", check, words, known, result)
		}
	}
}

// proxy serves what a handler answers at an address until close.
func proxy(t *testing.T, address string, handler http.Handler) (stop func()) {
	t.Helper()
	listener, err := net.Listen("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	server := &http.Server{Handler: handler}
	go func() { _ = server.Serve(listener) }()
	stop = func() { _ = server.Close() }
	t.Cleanup(stop)
	return stop
}

// said is what a proxy answers: status and body by path.
type said map[string]string

func (s said) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	status, body, found := strings.Cut(s[r.URL.Path], " ")
	switch {
	case !found:
		http.NotFound(w, r)
		return
	case status == "503":
		w.WriteHeader(http.StatusServiceUnavailable)
	}
	_, _ = w.Write([]byte(body))
}

func TestAsk_ReadsWhatKubeProxySays(t *testing.T) {
	const synced = `"status":{"IPv4":{"lastUpdated":"2026-01-01T00:00:00Z","healthy":true}}`
	for name, test := range map[string]struct {
		said said
		want proxyhealth.Check
	}{
		"works":                      {said{"/healthz": `200 {"nodeEligible":true,"healthy":true,` + synced + `}`}, proxyhealth.Working},
		"works, of an early version": {said{"/healthz": `200 {"lastUpdated": "x","currentTime": "x"}`}, proxyhealth.Working},
		"has written no rules yet":   {said{"/healthz": `200 {"nodeEligible":true,"healthy":true}`}, proxyhealth.Starting},
		"does not work":              {said{"/healthz": `503 {"nodeEligible":true,"healthy":false}`}, proxyhealth.Failing},
		"node is about to be deleted": {
			said{"/healthz": `503 {"nodeEligible":false,"healthy":true,` + synced + `}`}, proxyhealth.Working,
		},
		"node is about to be deleted, of an early version": {
			said{"/healthz": `503 {"nodeEligible": false}`, "/livez": "200 {}"}, proxyhealth.Working,
		},
		"neither works":  {said{"/healthz": `503 {"nodeEligible": false}`, "/livez": "503 {}"}, proxyhealth.Failing},
		"something else": {said{}, proxyhealth.Absent},
		"no words":       {said{"/healthz": "503 what"}, proxyhealth.Failing},
	} {
		stop := proxy(t, "127.0.0.1:10256", test.said)
		if got, text := ask(t.Context(), newClient(), "http://127.0.0.1:10256/healthz"); got != test.want {
			t.Errorf("%s: %d, %s", name, got, text)
		}
		stop()
	}
}

func TestChecker_FindsTheProxyWhereverItListens(t *testing.T) {
	for _, address := range []string{":10256", "127.0.0.1:10256", "[::1]:10256", "127.0.0.2:10256"} {
		c := start(t, Auto)
		c.Set([]netip.Addr{netip.MustParseAddr("127.0.0.2")}) // the node's address
		await(t, c, proxyhealth.Absent, "nothing listens at http://127.0.0.1:10256/healthz; nothing listens at http://[::1]:10256/healthz")
		stop := proxy(t, address, said{"/healthz": "200 ok"})
		await(t, c, proxyhealth.Working, "works")
		stop()
		await(t, c, proxyhealth.Absent, "")
		if result, _ := c.Result(); result.URL == "" {
			t.Errorf("%s: it is forgotten where the proxy was", address)
		}
	}
}

func TestChecker_FirstAnswerIsBounded(t *testing.T) {
	hangs := make(chan struct{})
	proxy(t, "127.0.0.1:10256", http.HandlerFunc(func(http.ResponseWriter, *http.Request) { <-hangs }))
	defer close(hangs)
	c := start(t, Auto)
	c.Set(nil)
	await(t, c, proxyhealth.Failing, "Client.Timeout exceeded")
}

// While it is missed, it is looked for where it was, sooner than once a second, and elsewhere once a second.
func TestChecker_LooksForAProxyThatIsMissed(t *testing.T) {
	c := New(Target{auto: true}, slog.New(slog.DiscardHandler), nil)
	if wait := c.look(t.Context()); wait != interval {
		t.Errorf("one that never was is looked for again after %s", wait)
	}
	stop := proxy(t, "127.0.0.1:10256", said{"/healthz": "200 ok"})
	if wait := c.look(t.Context()); wait != interval || c.result.Check != proxyhealth.Working {
		t.Errorf("one that works is looked at again after %s: %+v", wait, c.result)
	}
	stop()
	for range 2 {
		if wait := c.look(t.Context()); wait != missedInterval || c.result.Check != proxyhealth.Absent {
			t.Errorf("one that is missed is looked for again after %s: %+v", wait, c.result)
		}
	}
	elsewhere := proxy(t, "[::1]:10256", said{"/healthz": "200 ok"})
	c.lookedAt = time.Now()
	if c.look(t.Context()); c.result.Check != proxyhealth.Absent {
		t.Error("it is looked for everywhere each time")
	}
	c.lookedAt = time.Now().Add(-interval)
	if c.look(t.Context()); c.result.Check != proxyhealth.Working {
		t.Errorf("it is not found elsewhere: %+v", c.result)
	}
	elsewhere()
	c.lookedAt = time.Now().Add(-interval)
	c.look(t.Context())
	proxy(t, "[::1]:10256", said{"/healthz": "200 ok"})
	c.lookedAt = time.Now()
	if c.look(t.Context()); c.result.Check != proxyhealth.Working {
		t.Errorf("its return is not seen at once: %+v", c.result)
	}
}

func TestChecker_DoesNotMissAProxyForEver(t *testing.T) {
	c := New(Target{auto: true}, slog.New(slog.DiscardHandler), nil)
	stop := proxy(t, "127.0.0.1:10256", said{"/healthz": "200 ok"})
	c.look(t.Context())
	stop()
	c.look(t.Context())
	c.thereAt = c.thereAt.Add(-missedTime)
	if wait := c.look(t.Context()); wait != interval {
		t.Errorf("one that has not been there for %s is looked for again after %s", missedTime, wait)
	}
	proxy(t, "127.0.0.1:10256", said{"/healthz": "200 ok"})
	if c.look(t.Context()); c.result.Check != proxyhealth.Working {
		t.Errorf("its return is not seen: %+v", c.result)
	}
}

func TestChecker_OffAsksNobody(t *testing.T) {
	var asked atomic.Bool
	proxy(t, "127.0.0.1:10256", http.HandlerFunc(func(http.ResponseWriter, *http.Request) { asked.Store(true) }))
	for _, text := range []string{"", "0", "none"} {
		c := start(t, text)
		c.Set(nil)
		await(t, c, proxyhealth.Off, "--proxy-health-url is none")
	}
	if asked.Load() {
		t.Error("the proxy was asked")
	}
}
