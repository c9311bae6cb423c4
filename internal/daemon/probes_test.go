package daemon

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
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

var fine = Probes{func() error { return nil }, func() error { return nil }, nil}

func TestProbes_EndWithTheContext(t *testing.T) {
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- fine.Serve("127.0.0.1:0").Start(ctx) }()
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

func TestProbes_SayThatTheirPortIsTaken(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	err = fine.Serve(taken.Addr().String()).Start(t.Context())
	if err == nil || !strings.Contains(err.Error(), "serve health probes: listen tcp") {
		t.Errorf("error %v", err)
	}
}
