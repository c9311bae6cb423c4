package simulation

import (
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"github.com/go-logr/logr"
	"github.com/prometheus/client_golang/prometheus"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/rest"
	toolscache "k8s.io/client-go/tools/cache"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/config"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	metricsserver "sigs.k8s.io/controller-runtime/pkg/metrics/server"

	"github.com/daymark-lb/daymark/controller/reconcile"
	"github.com/daymark-lb/daymark/internal/informer"
)

// moment of a call at which a process crashes.
type moment uint8

const (
	never moment = iota
	// before the call is made, and afterwards: when it is done and not answered.
	before
	afterwards
)

// process is a program from its start to its end. When it is killed it makes no call any more, and those under way get no answer.
type process struct {
	id     string
	seed   uint64
	server *server
	link   *link
	log    *slog.Logger

	mu    sync.Mutex
	calls map[string]int
	// cancel ends the program in order; ended is closed when it was killed.
	cancel context.CancelFunc
	ended  chan struct{}
	dead   bool
	// A process that is to crash does so in the course of the write after countdown others.
	crash     moment
	countdown int
	// born is when it started.
	born time.Time
	// node of a speaker, and what it has been told; empty: it is none.
	node  string
	sight *sight
	// leaving: a speaker has been told to end. left is closed when a speaker has ended in order.
	leaving atomic.Bool
	left    chan struct{}
}

// alive: it has not been killed.
func (p *process) alive() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return !p.dead
}

// lotOf returns the numbers by chance of the next call for a purpose; false when the process is dead.
func (p *process) lotOf(what string) (*rand.Rand, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.calls[what]++
	return lot(p.seed, fmt.Sprint(p.id, what, p.calls[what])), !p.dead
}

// crashes reports whether the process crashes at this moment of a write.
func (p *process) crashes(m moment) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.crash != m {
		return false
	}
	if p.countdown--; p.countdown > 0 {
		return false
	}
	p.killLocked()
	return true
}

// crashAt has the process crash in one of its next writes.
func (p *process) crashAt(m moment, writes int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.crash, p.countdown = m, writes
}

func (p *process) kill() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.killLocked()
}

func (p *process) killLocked() {
	if !p.dead {
		p.dead = true
		close(p.ended)
		p.cancel()
	}
}

// directly is a manager whose readers all ask the API server of the simulation.
type directly struct {
	manager.Manager
	reader client.Reader
}

// GetAPIReader reads without the cache.
func (d *directly) GetAPIReader() client.Reader { return d.reader }

// Add adds a runnable. One that can be warmed up waits for a mutex meanwhile, and time does not go on then: it starts cold, which is
// the same but for those that wait for an election of the manager's.
func (d *directly) Add(r manager.Runnable) error {
	if _, warm := r.(interface{ Warmup(context.Context) error }); warm {
		r = manager.RunnableFunc(r.Start)
	}
	return d.Manager.Add(r)
}

// manager makes a manager as the main programs do, with caches by some options. What it reads and writes is of the simulation.
func (p *process) manager(options cache.Options) (manager.Manager, *api, error) {
	api := &api{p: p}
	newInformer := options.NewInformer
	options.NewInformer = func(_ toolscache.ListerWatcher, object runtime.Object, resync time.Duration, indexers toolscache.Indexers) toolscache.SharedIndexInformer {
		return newInformer(p.listerWatcher(object), object, resync, indexers)
	}
	m, err := ctrl.NewManager(&rest.Config{Host: "192.0.2.254"}, ctrl.Options{
		Scheme: scheme, Cache: options, MapperProvider: informer.Mapper, Logger: logr.Discard(),
		NewClient:              func(*rest.Config, client.Options) (client.Client, error) { return api, nil },
		Metrics:                metricsserver.Options{BindAddress: "0"},
		HealthProbeBindAddress: "0",
		Controller:             config.Controller{SkipNameValidation: new(true)},
	})
	return &directly{m, api}, api, err
}

// controller runs a controller until it ends, as its main program does, but for what listens and the flags.
func (s *slot) controller(ctx context.Context, p *process) error {
	m, _, err := p.manager(reconcile.CacheOptions(scheme, namespace, classes))
	if err != nil {
		return err
	}
	leader := reconcile.NewLeaderByLock(p.lock(), p.log)
	if err := m.Add(leader); err != nil {
		return err
	}
	_, err = reconcile.Add(m, reconcile.Config{
		Namespace: namespace, Classes: classes, PoolGrace: s.poolGrace, CleanupFinalizer: s.finalizer,
		Leader: leader, Log: p.log, Registerer: prometheus.NewRegistry(),
	})
	if err != nil {
		return err
	}
	return m.Start(ctx)
}
