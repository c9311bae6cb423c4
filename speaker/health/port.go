package health

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strconv"
	"syscall"
	"time"

	"github.com/daymark-lb/daymark/internal/core/lb"
)

// port is a desired health-check port.
type port struct {
	number  uint16
	service lb.Key
	// nextTry is the earliest time of the next attempt to listen.
	nextTry time.Time
	// lent: another process had the port at the last attempt.
	lent bool
	// foreign: another process has had the port since it is desired.
	foreign bool
	// err of the last attempt.
	err    error
	server *httpServer // nil: not open.
}

func (p *port) open() bool { return p.server != nil }

// listen opens the port on all addresses of both families and serves it.
func (p *port) listen(ctx context.Context, s *Server) error {
	listener, err := listen(ctx, ":"+strconv.Itoa(int(p.number)))
	if err != nil {
		return fmt.Errorf("health-check port %d of Service %s: %w", p.number, p.service, err)
	}
	number := p.number
	p.server = serve(listener, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { s.servePort(number, w) }))
	return nil
}

func (p *port) close() {
	p.server.close()
	p.server = nil
}

// listen opens a TCP port. On a node without IPv6, only the IPv4 addresses are bound.
func listen(ctx context.Context, address string) (net.Listener, error) {
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", address)
	if inUse(err) {
		return nil, fmt.Errorf("another process has the port: %w", err)
	}
	return listener, err //nolint:wrapcheck // The callers wrap it.
}

func inUse(err error) bool { return errors.Is(err, syscall.EADDRINUSE) }

// openFixed opens the fixed port; nil if none is configured.
func (s *Server) openFixed(ctx context.Context) (*httpServer, error) {
	if s.cfg.Bind == "" || s.cfg.Bind == "0" {
		return nil, nil //nolint:nilnil // nil is a closed server.
	}
	listener, err := listen(ctx, s.cfg.Bind)
	if err != nil {
		return nil, fmt.Errorf("open the health port %s: %w", s.cfg.Bind, err)
	}
	return serve(listener, s.Handler()), nil
}

// httpServer is a server with the goroutine it runs in. A nil one is closed.
type httpServer struct {
	server *http.Server
	ended  chan struct{}
}

// serve answers until close. The limits cut off slow clients and long requests: a health check is a line or two.
func serve(listener net.Listener, handler http.Handler) *httpServer {
	h := &httpServer{ended: make(chan struct{}), server: &http.Server{
		Handler: handler, MaxHeaderBytes: 4 << 10,
		ReadHeaderTimeout: 3 * time.Second, ReadTimeout: 5 * time.Second, WriteTimeout: 5 * time.Second, IdleTimeout: time.Minute,
	}}
	go func() {
		defer close(h.ended)
		_ = h.server.Serve(listener) // Always ErrServerClosed, after close.
	}()
	return h
}

// close closes the listener and all connections. A health check that fails is how a client learns of it.
func (h *httpServer) close() {
	if h == nil {
		return
	}
	_ = h.server.Close()
	<-h.ended
}
