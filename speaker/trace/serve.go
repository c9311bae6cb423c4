package trace

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
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
)

// Serve serves the streams at an address to those whom a filter lets through.
func (t *Tracer) Serve(bind string, filter func(http.Handler) http.Handler) manager.Runnable {
	timeout := shutdownTimeout
	mux := http.NewServeMux()
	mux.Handle(traceapi.Path, filter(t))
	server := &http.Server{
		Addr: bind, Handler: mux, ReadHeaderTimeout: 5 * time.Second, IdleTimeout: time.Minute, MaxHeaderBytes: 32 << 10,
	}
	return &manager.Server{Name: "trace", ShutdownTimeout: &timeout, Server: server}
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
