package trace

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"time"

	"sigs.k8s.io/controller-runtime/pkg/manager"

	"github.com/daymark-lb/daymark/internal/traceapi"
)

const (
	// longest is how long a stream lasts: who listens must show from time to time that he still may.
	longest = time.Hour
	// quiet is how long nothing is written: an empty line finds out whether anybody is still there.
	quiet = 10 * time.Second
	// writeTimeout is how long who listens may keep a write waiting.
	writeTimeout = 10 * time.Second
	// shutdownTimeout is how long the streams have when the program ends.
	shutdownTimeout = 100 * time.Millisecond
	// retry is the time between two attempts to serve.
	retry = time.Minute
)

// Serve serves the streams at an address to those whom a filter lets through. That it cannot, because another has the port, stops nothing
// else: it is logged once, and tried again.
func (t *Tracer) Serve(bind string, filter func(http.Handler) http.Handler, log *slog.Logger) manager.Runnable {
	mux := http.NewServeMux()
	mux.Handle(traceapi.Path, filter(t))
	return manager.RunnableFunc(func(ctx context.Context) error {
		keepServing(ctx, bind, mux, retry, log)
		return nil
	})
}

// keepServing serves until ctx ends.
func keepServing(ctx context.Context, bind string, handler http.Handler, interval time.Duration, log *slog.Logger) {
	for said := false; ; said = true {
		err := serve(ctx, bind, handler)
		if err == nil || ctx.Err() != nil {
			return
		}
		if !said {
			log.Error("traces are not served, trying again", "error", err, "every", interval)
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(interval):
		}
	}
}

// serve until ctx ends (nil) or it fails.
func serve(ctx context.Context, bind string, handler http.Handler) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", bind)
	if err != nil {
		return fmt.Errorf("listen: %w", err)
	}
	timeout := shutdownTimeout
	server := &http.Server{Handler: handler, ReadHeaderTimeout: 5 * time.Second, IdleTimeout: time.Minute, MaxHeaderBytes: 32 << 10}
	if err := (&manager.Server{Name: "trace", ShutdownTimeout: &timeout, Server: server, Listener: listener}).Start(ctx); err != nil {
		return fmt.Errorf("serve: %w", err)
	}
	return nil
}

// ServeHTTP streams what is about an address for as long as the client wants it.
func (t *Tracer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	addr, err := netip.ParseAddr(r.URL.Query().Get(traceapi.AddressParameter))
	if err != nil || addr.Zone() != "" {
		http.Error(w, "an address is needed", http.StatusBadRequest)
		return
	}
	s := t.open(addr.Unmap())
	if s == nil {
		http.Error(w, fmt.Sprintf("%d others trace by this speaker already", maxStreams), http.StatusTooManyRequests)
		return
	}
	defer t.close(s)
	ctx, cancel := context.WithTimeout(r.Context(), longest)
	defer cancel()
	w.Header().Set("Content-Type", "application/x-ndjson")
	_ = s.copyTo(ctx, w) // Who listens has gone.
}

// copyTo writes events until ctx ends or the client does not take them.
func (s *stream) copyTo(ctx context.Context, w http.ResponseWriter) error {
	control, encoder := http.NewResponseController(w), json.NewEncoder(w)
	for {
		if err := control.SetWriteDeadline(time.Now().Add(writeTimeout)); err != nil {
			return fmt.Errorf("write: %w", err)
		}
		if _, err := io.WriteString(w, "\n"); err != nil {
			return fmt.Errorf("write: %w", err)
		}
		for _, e := range s.take() {
			if err := encoder.Encode(e); err != nil {
				return fmt.Errorf("write: %w", err)
			}
		}
		if err := control.Flush(); err != nil {
			return fmt.Errorf("write: %w", err)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-s.wake:
		case <-time.After(quiet):
		}
	}
}
