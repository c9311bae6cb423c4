package health

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/daymark-lb/daymark/internal/core/announce"
	"github.com/daymark-lb/daymark/internal/core/lb"
)

// Mode says what to do about health-check ports.
type Mode string

// The modes.
const (
	// Auto leaves a port to a service proxy that has it, and takes it over when that goes.
	Auto Mode = "auto"
	// On serves every port and reports one that is not to be had.
	On Mode = "on"
	// Off serves none.
	Off Mode = "off"
)

// Config of a Server.
type Config struct {
	// Mode of health-check ports; empty: auto.
	Mode Mode
	// Delay before a port that is newly wanted is first tried under auto, so that a service proxy that starts or learns of
	// it at the same time gets it; 0: 5 s.
	Delay time.Duration
	// Retry is the time between two attempts at a port that somebody else has; 0: 3 s.
	Retry time.Duration
	// Bind is the address and port of a fixed port of our own, as net.Listen takes it; empty or "0": none, for a speaker
	// that mounts Handler on a server of its own.
	Bind string
	// Log receives what happens to ports; nil: nothing is logged.
	Log *slog.Logger
	// Registerer of the metrics; nil: they are not registered.
	Registerer prometheus.Registerer
}

// Status of a health-check port.
type Status struct {
	Port    uint16
	Service lb.Key
	// Ours: this speaker serves the port.
	Ours bool
	// LastError says in words why it does not, or is empty.
	LastError string
}

// Server answers health checks.
type Server struct {
	cfg  Config
	log  *slog.Logger
	wake chan struct{} // Wakes Start when wanted has changed.

	// answers guards what is answered.
	answers   sync.RWMutex
	byPort    map[uint16]announce.HealthPort
	byService map[lb.Key]announce.Health

	// mu guards which ports are wanted and held.
	mu      sync.Mutex
	running bool
	ports   map[uint16]*port
}

// New makes a Server. It opens no port; nothing runs before Start.
func New(cfg Config) *Server {
	cfg.Mode = cmp.Or(cfg.Mode, Auto)
	cfg.Delay, cfg.Retry = cmp.Or(cfg.Delay, 5*time.Second), cmp.Or(cfg.Retry, 3*time.Second)
	s := &Server{
		cfg: cfg, log: cmp.Or(cfg.Log, slog.New(slog.DiscardHandler)), wake: make(chan struct{}, 1),
		ports: map[uint16]*port{},
	}
	if cfg.Registerer != nil {
		cfg.Registerer.MustRegister(collector{s})
	}
	return s
}

// Start holds the ports until ctx ends, and returns nil then. An error means that the fixed port is not to be had.
func (s *Server) Start(ctx context.Context) error {
	fixed, err := s.openFixed(ctx)
	if err != nil {
		return err
	}
	s.mu.Lock()
	s.running = true
	s.mu.Unlock()
	defer func() { fixed.close(); s.closeAll() }()
	for {
		var again <-chan time.Time
		if wait, ok := s.attempt(ctx, time.Now()); ok {
			again = time.After(wait)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-again:
		case <-s.wake:
		}
	}
}

// Set makes ports the health-check ports wanted, and paths what is answered at the fixed port, each the whole of it. What
// is answered on a port changes at once, without closing it. Under On, the error names the ports that are not to be had; they
// are tried again. Before Start, the state is remembered. The caller must not change either argument afterwards.
func (s *Server) Set(ctx context.Context, ports []announce.HealthPort, paths map[lb.Key]announce.Health) error {
	if s.cfg.Mode == Off {
		ports = nil
	}
	byPort := make(map[uint16]announce.HealthPort, len(ports))
	for _, p := range ports {
		byPort[p.Port] = p
	}
	s.answers.Lock()
	s.byPort, s.byService = byPort, paths
	s.answers.Unlock()
	return s.want(ctx, byPort)
}

// want adds the ports that are new and closes those no longer wanted.
func (s *Server) want(ctx context.Context, wanted map[uint16]announce.HealthPort) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := time.Now()
	for number, p := range wanted {
		if s.ports[number] == nil {
			s.ports[number] = &port{number: number, due: now.Add(s.delay())}
		}
		s.ports[number].service = p.Service
	}
	var errs []error
	for _, number := range slices.Sorted(maps.Keys(s.ports)) {
		p := s.ports[number]
		if _, ok := wanted[number]; !ok {
			p.close()
			delete(s.ports, number)
			continue
		}
		if s.cfg.Mode == On && s.running {
			s.try(ctx, p, now)
			errs = append(errs, p.err)
		}
	}
	select {
	case s.wake <- struct{}{}:
	default:
	}
	return errors.Join(errs...)
}

func (s *Server) delay() time.Duration {
	if s.cfg.Mode == Auto {
		return s.cfg.Delay
	}
	return 0
}

// attempt tries the ports that are due, and tells how long it is until the next is.
func (s *Server) attempt(ctx context.Context, now time.Time) (wait time.Duration, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, p := range s.ports {
		s.try(ctx, p, now)
		if until := p.due.Sub(now); !p.open() && (!ok || until < wait) {
			wait, ok = until, true
		}
	}
	return wait, ok
}

// try opens a port that is due and not open.
func (s *Server) try(ctx context.Context, p *port, now time.Time) {
	if p.open() || now.Before(p.due) {
		return
	}
	p.due = now.Add(s.cfg.Retry)
	before := p.err
	p.err = p.listen(ctx, s)
	switch {
	case p.err == nil:
		s.log.Info("health-check port is served", "port", p.number, "service", p.service)
	case before == nil && s.cfg.Mode == Auto && inUse(p.err):
		s.log.Info("health-check port is left to the service proxy that has it", "port", p.number, "service", p.service)
	case before == nil:
		s.log.Warn("health-check port is not to be had", "port", p.number, "service", p.service, "error", p.err)
	}
}

func (s *Server) closeAll() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.running = false
	for _, p := range s.ports {
		p.close()
	}
}

// Status of the ports wanted, in order of port. Under Off there are none.
func (s *Server) Status() []Status {
	s.mu.Lock()
	defer s.mu.Unlock()
	list := make([]Status, 0, len(s.ports))
	for _, p := range s.ports {
		status := Status{Port: p.number, Service: p.service, Ours: p.open()}
		if p.err != nil {
			status.LastError = fmt.Sprint(p.err)
		}
		list = append(list, status)
	}
	slices.SortFunc(list, func(a, b Status) int { return cmp.Compare(a.Port, b.Port) })
	return list
}
