package daemon

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
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

// Serve serves /healthz, /readyz and the health of Services at an address.
func (p Probes) Serve(bind string) manager.Runnable {
	return manager.RunnableFunc(func(ctx context.Context) error {
		var config net.ListenConfig
		listener, err := config.Listen(ctx, "tcp", bind)
		if err != nil {
			return fmt.Errorf("serve health probes: %w", err)
		}
		server := &http.Server{Handler: p.handler(), ReadHeaderTimeout: 5 * time.Second, IdleTimeout: time.Minute}
		stop := context.AfterFunc(ctx, func() { _ = server.Close() })
		defer stop()
		if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
			return fmt.Errorf("serve health probes: %w", err)
		}
		return nil
	})
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
