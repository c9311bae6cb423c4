package daemon

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/client-go/rest"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	metricsserver "sigs.k8s.io/controller-runtime/pkg/metrics/server"

	"github.com/daymark-lb/daymark/internal/informer"
	"github.com/daymark-lb/daymark/internal/testnet"
)

func TestProbes_Answers(t *testing.T) {
	services := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { _, _ = io.WriteString(w, "service "+r.URL.Path) })
	unmet := errors.New("the other speakers have not been met: n2 does not answer")
	stuck := errors.New("a pass of the loop has been running for 3m0s")
	for _, test := range []struct {
		name, path string
		ready      error
		status     int
		say        string
	}{
		{"not alive, and why", "/healthz", stuck, http.StatusServiceUnavailable, stuck.Error()},
		{"alive though not ready", "/healthz", unmet, http.StatusOK, "ok"},
		{"not ready, and why", "/readyz", unmet, http.StatusServiceUnavailable, unmet.Error()},
		{"ready", "/readyz", nil, http.StatusOK, "ok"},
		{"the health of a Service", "/healthz/services/default/web", unmet, http.StatusOK, "service /healthz/services/default/web"},
		{"anything else", "/metrics", nil, http.StatusNotFound, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			w := httptest.NewRecorder()
			alive := func() error {
				if test.ready == stuck { //nolint:errorlint // the very one
					return stuck
				}
				return nil
			}
			Probes{alive, func() error { return test.ready }, services}.handler().ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, test.path, nil))
			if w.Code != test.status || !strings.Contains(w.Body.String(), test.say) {
				t.Errorf("status %d, body %q; want %d, %q", w.Code, w.Body, test.status, test.say)
			}
		})
	}
}

var quiet = slog.New(slog.DiscardHandler)

var fine = Probes{func() error { return nil }, func() error { return nil }, nil}

func TestProbes_EndWithTheContext(t *testing.T) {
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- fine.Serve("127.0.0.1:0", quiet).Start(ctx) }()
	stop()
	select {
	case err := <-ended:
		if err != nil && !errors.Is(err, context.Canceled) {
			t.Errorf("error %v", err)
		}
	case <-time.After(10 * time.Second):
		t.Error("the probes are still served")
	}
}

// TestProbes_AnswerBeforeTheCachesAreFilled has an API server that answers nothing: a liveness probe must not end who waits for it.
func TestProbes_AnswerBeforeTheCachesAreFilled(t *testing.T) {
	silent, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	bind := anotherFree(t)
	grace := time.Second
	m, err := ctrl.NewManager(&rest.Config{Host: "http://" + silent.Addr().String()}, ctrl.Options{
		Metrics: metricsserver.Options{BindAddress: "0"}, HealthProbeBindAddress: "0", GracefulShutdownTimeout: &grace,
		MapperProvider: informer.Mapper,
	})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := m.GetCache().GetInformer(t.Context(), &corev1.Node{}, cache.BlockUntilSynced(false)); err != nil {
		t.Fatal(err)
	}
	l := listeners{Metrics: anotherFree(t), Pprof: anotherFree(t)}
	if err := errors.Join(m.Add(fine.Serve(bind, quiet)), l.Serve(m, quiet)); err != nil {
		t.Fatal(err)
	}
	// It ends with the process: the manager does not return before its caches are filled.
	go func() { _ = m.Start(context.WithoutCancel(t.Context())) }()
	for _, url := range []string{bind + "/healthz", l.Metrics + "/metrics", l.Pprof + "/debug/pprof/cmdline"} {
		if _, err := testnet.Eventually(10*time.Second, func() error { return get("http://" + url) }); err != nil {
			t.Error(err)
		}
	}
}

// anotherFree is an address on which nothing listens.
func anotherFree(t *testing.T) string {
	t.Helper()
	free, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer free.Close()
	return free.Addr().String()
}

// get returns nil for an answer of status 200.
func get(url string) error {
	answer, err := http.Get(url)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		return errors.New(answer.Status)
	}
	return nil
}

func TestProbes_SayThatTheirPortIsTaken(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	err = fine.Serve(taken.Addr().String(), quiet).Start(t.Context())
	if err == nil || !strings.Contains(err.Error(), "listen tcp") {
		t.Errorf("error %v", err)
	}
}
