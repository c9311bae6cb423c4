package main

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

// probes serves /healthz, /readyz and the health of Services at an address.
func probes(bind string, ready func() error, services http.Handler) manager.Runnable {
	return manager.RunnableFunc(func(ctx context.Context) error {
		var config net.ListenConfig
		listener, err := config.Listen(ctx, "tcp", bind)
		if err != nil {
			return fmt.Errorf("serve health probes: %w", err)
		}
		server := &http.Server{Handler: probeHandler(ready, services), ReadHeaderTimeout: 5 * time.Second, IdleTimeout: time.Minute}
		stop := context.AfterFunc(ctx, func() { _ = server.Close() })
		defer stop()
		if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
			return fmt.Errorf("serve health probes: %w", err)
		}
		return nil
	})
}

// probeHandler answers /readyz with status 503 and the reason as long as ready returns an error.
func probeHandler(ready func() error, services http.Handler) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("/healthz", func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "ok\n") })
	mux.HandleFunc("/readyz", func(w http.ResponseWriter, _ *http.Request) {
		if err := ready(); err != nil {
			http.Error(w, err.Error(), http.StatusServiceUnavailable)
			return
		}
		_, _ = io.WriteString(w, "ok\n")
	})
	mux.Handle("/healthz/services/", services)
	return mux
}
