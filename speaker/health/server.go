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
	"github.com/daymark-lb/daymark/internal/core/proxyhealth"
	"github.com/daymark-lb/daymark/internal/progress"
)

// Mode says what to do about health-check ports.
type Mode string

// The modes.
const (
	// Auto leaves a port to a service proxy that has it, and serves it once that has been gone for some time.
	Auto Mode = "auto"
	// On serves every port and reports those that cannot be opened.
	On Mode = "on"
	// Off serves none.
	Off Mode = "off"
)

// Config of a Server.
type Config struct {
	// Mode of health-check ports; empty: auto.
	Mode Mode
	// Delay is the wait under auto before the first attempt at a new port, so that a service proxy that starts at the
	// same time opens it first; 0: 5 s.
	Delay time.Duration
	// UnwatchedDelay takes the place of Delay where it is not seen whether there is a service proxy: one that starts anew while a
	// Service is made, or this program is, must have the time to be back; 0: 1 min.
	UnwatchedDelay time.Duration
	// Retry is the time between two attempts at a port that cannot be opened; 0: 3 s.
	Retry time.Duration
	// Grace is how long under auto a port that another process had must be free before it is served: a service proxy that starts
	// anew wants it back; 0: 10 s.
	Grace time.Duration
	// Bind is the address and port of a fixed port of our own, as net.Listen takes it. Empty or "0": none; the speaker
	// then mounts Handler on a server of its own.
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
	// Served: this speaker serves the port.
	Served bool
	// LastError says why it does not; empty if it does or has not tried.
	LastError string
}

// Server answers health checks.
type Server struct {
	steps progress.Steps
	cfg   Config
	log   *slog.Logger
	wake  chan struct{} // Wakes Start when ports have changed.

	// healthMu guards what is answered.
	healthMu  sync.RWMutex
	byPort    map[uint16]announce.HealthPort
	byService announce.HealthPaths

	// portsMu guards running and ports.
	portsMu sync.Mutex
	running bool
	ports   map[uint16]*port
	// owner says whose the ports are under auto.
	owner proxyhealth.Ports
}

// New returns a Server. It opens no port; nothing runs before Start.
func New(cfg Config) *Server {
	cfg.Mode = cmp.Or(cfg.Mode, Auto)
	cfg.Delay, cfg.Retry = cmp.Or(cfg.Delay, 5*time.Second), cmp.Or(cfg.Retry, 3*time.Second)
	cfg.Grace, cfg.UnwatchedDelay = cmp.Or(cfg.Grace, 10*time.Second), cmp.Or(cfg.UnwatchedDelay, time.Minute)
	s := &Server{
		cfg: cfg, log: cmp.Or(cfg.Log, slog.New(slog.DiscardHandler)), wake: make(chan struct{}, 1),
		ports: map[uint16]*port{},
	}
	if cfg.Registerer != nil {
		cfg.Registerer.MustRegister(collector{s})
	}
	return s
}

// Alive returns an error when opening ports does not come to its end.
func (s *Server) Alive() error { return s.steps.Stuck(progress.StuckAfter) }

// Start holds the ports until ctx ends, then closes them and returns nil. It returns an error if the fixed port cannot
// be opened.
func (s *Server) Start(ctx context.Context) error {
	fixed, err := s.openFixed(ctx)
	if err != nil {
		return err
	}
	s.portsMu.Lock()
	s.running = true
	s.portsMu.Unlock()
	defer func() { fixed.close(); s.closeAll() }()
	for {
		var retry <-chan time.Time
		if wait, ok := s.tryDue(ctx, time.Now()); ok {
			retry = time.After(wait)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-retry:
		case <-s.wake:
		}
	}
}

// Set replaces the desired state: ports are the health-check ports to serve, paths is what is answered at the fixed
// port. The answers on a port change without closing it. owner counts under auto: of ports that are the service proxy's all are
// closed and none is opened, and where it is not seen whether there is one, none is opened that another process has had. Under On,
// the error names the ports that cannot be opened; they are tried again. Before Start, the state is only remembered. The caller
// must not change the arguments afterwards.
func (s *Server) Set(ctx context.Context, ports []announce.HealthPort, paths announce.HealthPaths, owner proxyhealth.Ports) error {
	if s.cfg.Mode == Off {
		ports = nil
	}
	byPort := make(map[uint16]announce.HealthPort, len(ports))
	for _, p := range ports {
		byPort[p.Port] = p
	}
	s.healthMu.Lock()
	s.byPort, s.byService = byPort, paths
	s.healthMu.Unlock()
	if s.cfg.Mode != Auto {
		owner = proxyhealth.Free
	}
	return s.setPorts(ctx, byPort, owner)
}

// setPorts adds the new ports and closes those no longer wanted.
func (s *Server) setPorts(ctx context.Context, wanted map[uint16]announce.HealthPort, owner proxyhealth.Ports) error {
	s.portsMu.Lock()
	defer s.portsMu.Unlock()
	now := time.Now()
	s.setOwner(now, owner)
	for number, p := range wanted {
		if s.ports[number] == nil {
			s.ports[number] = &port{number: number, nextTry: now.Add(s.delay())}
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
			s.tryListen(ctx, p, now)
			errs = append(errs, p.err)
		}
	}
	select {
	case s.wake <- struct{}{}:
	default:
	}
	return errors.Join(errs...)
}

// setOwner closes all ports when they are the service proxy's. Once they are not any more, nothing is known of them but which ones
// another process has had.
func (s *Server) setOwner(now time.Time, owner proxyhealth.Ports) {
	changed := owner != s.owner
	s.owner = owner
	for _, p := range s.ports {
		if owner == proxyhealth.ProxysOwn && p.open() {
			p.close()
			s.log.Info("health-check port is given to the service proxy", "port", p.number, "service", p.service)
		}
		if !changed {
			continue
		}
		p.nextTry, p.lent, p.err = now, false, nil
		if owner == proxyhealth.Unwatched {
			p.nextTry = now.Add(s.cfg.UnwatchedDelay)
		}
	}
}

// delay is how long a new port waits for the first attempt.
func (s *Server) delay() time.Duration {
	switch {
	case s.cfg.Mode != Auto:
		return 0
	case s.owner == proxyhealth.Unwatched:
		return s.cfg.UnwatchedDelay
	default:
		return s.cfg.Delay
	}
}

// mayTry reports whether a port may be opened, when it is due. To try is to have it for a moment, in which another process cannot.
func (s *Server) mayTry(p *port) bool {
	return !p.open() && s.owner != proxyhealth.ProxysOwn && !(s.owner == proxyhealth.Unwatched && p.foreign)
}

// tryDue tries to open the ports that are due. It returns the time until the next port is due, and false if all are
// open.
func (s *Server) tryDue(ctx context.Context, now time.Time) (wait time.Duration, ok bool) {
	defer s.steps.Begin("opens the ports of health checks")()
	s.portsMu.Lock()
	defer s.portsMu.Unlock()
	for _, p := range s.ports {
		s.tryListen(ctx, p, now)
		if until := p.nextTry.Sub(now); s.mayTry(p) && (!ok || until < wait) {
			wait, ok = until, true
		}
	}
	return wait, ok
}

// tryListen opens a port that is due and may be opened.
func (s *Server) tryListen(ctx context.Context, p *port, now time.Time) {
	if !s.mayTry(p) || now.Before(p.nextTry) {
		return
	}
	p.nextTry = now.Add(s.cfg.Retry)
	before, lent := p.err, p.lent
	p.err = p.listen(ctx, s)
	p.lent = inUse(p.err)
	p.foreign = p.foreign || p.lent
	switch {
	case p.err == nil && lent && s.cfg.Mode == Auto:
		// It has just become free.
		p.close()
		p.nextTry, p.err = now.Add(s.cfg.Grace), before
	case p.err == nil:
		s.log.Info("health-check port is served", "port", p.number, "service", p.service)
	case before == nil && s.cfg.Mode == Auto && inUse(p.err):
		s.log.Info("health-check port is left to the service proxy that has it", "port", p.number, "service", p.service)
	case before == nil:
		s.log.Warn("health-check port cannot be opened", "port", p.number, "service", p.service, "error", p.err)
	}
}

func (s *Server) closeAll() {
	s.portsMu.Lock()
	defer s.portsMu.Unlock()
	s.running = false
	for _, p := range s.ports {
		p.close()
	}
}

// Status returns the desired ports, in order of port. Under Off there are none.
func (s *Server) Status() []Status {
	s.portsMu.Lock()
	defer s.portsMu.Unlock()
	list := make([]Status, 0, len(s.ports))
	for _, p := range s.ports {
		status := Status{Port: p.number, Service: p.service, Served: p.open()}
		if p.err != nil {
			status.LastError = fmt.Sprint(p.err)
		}
		list = append(list, status)
	}
	slices.SortFunc(list, func(a, b Status) int { return cmp.Compare(a.Port, b.Port) })
	return list
}
