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

// port is a health-check port that is wanted.
type port struct {
	number  uint16
	service lb.Key
	// due is when it may next be tried.
	due    time.Time
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
	p.server = serve(listener, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { s.answerPort(number, w) }))
	return nil
}

func (p *port) close() {
	p.server.close()
	p.server = nil
}

// listen opens a port. On a node without IPv6, all addresses are those of IPv4.
func listen(ctx context.Context, address string) (net.Listener, error) {
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", address)
	if inUse(err) {
		return nil, fmt.Errorf("another process has the port: %w", err)
	}
	return listener, err //nolint:wrapcheck // The callers say what for.
}

func inUse(err error) bool { return errors.Is(err, syscall.EADDRINUSE) }

// openFixed opens the fixed port, if there is one.
func (s *Server) openFixed(ctx context.Context) (*httpServer, error) {
	if s.cfg.Bind == "" || s.cfg.Bind == "0" {
		return nil, nil //nolint:nilnil // None is wanted, and none can be closed.
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

// serve answers until close. Whoever is slow to ask or to listen is cut off, and a question is a line or two.
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

// close cuts off whoever is being answered: a health check that fails is what closing says.
func (h *httpServer) close() {
	if h == nil {
		return
	}
	_ = h.server.Close()
	<-h.ended
}
