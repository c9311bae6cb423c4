package daemon

import (
	"io"
	"log/slog"
	"net/http"
	"syscall"
	"time"

	"sigs.k8s.io/controller-runtime/pkg/manager"
)

// Probes are what a program answers to the probes of the kubelet.
type Probes struct {
	// Alive returns an error when only a restart helps; the error is the answer.
	Alive func() error
	// Ready returns an error, which is the answer, as long as the program cannot do its part.
	Ready func() error
	// Services answers below /healthz/services/; nil: nobody does.
	Services http.Handler
}

// shutdownTimeout is how long an answer under way may take when the program ends.
const shutdownTimeout = 100 * time.Millisecond

// Serve serves /healthz, /readyz and the health of Services at an address. A manager starts it before it waits for its caches: a
// program that cannot reach the API server is alive, and a restart would not help it. An address that the node does not have yet is waited
// for. Where another program has the port the server fails: the kubelet would judge by that program's answers.
func (p Probes) Serve(bind string, log *slog.Logger) manager.Runnable {
	timeout, late := shutdownTimeout, newLateListener("probes", bind, log)
	late.only = syscall.EADDRNOTAVAIL
	return &manager.Server{
		Name: "health probes", ShutdownTimeout: &timeout, Listener: late,
		Server: &http.Server{Handler: p.handler(), ReadHeaderTimeout: 5 * time.Second, IdleTimeout: time.Minute},
	}
}

func (p Probes) handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("/healthz", answer(p.Alive))
	mux.HandleFunc("/readyz", answer(p.Ready))
	if p.Services != nil {
		mux.Handle("/healthz/services/", p.Services)
	}
	return mux
}

// answer is status 503 and the reason as long as a question returns an error.
func answer(question func() error) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		if err := question(); err != nil {
			http.Error(w, err.Error(), http.StatusServiceUnavailable)
			return
		}
		_, _ = io.WriteString(w, "ok\n")
	}
}
