package reconcile

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"strings"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/daymark-lb/daymark/internal/lb"
	"github.com/daymark-lb/daymark/internal/view"
	"github.com/daymark-lb/daymark/speaker/announce"
	"github.com/daymark-lb/daymark/speaker/bgp"
	"github.com/daymark-lb/daymark/speaker/layer2"
	"github.com/daymark-lb/daymark/speaker/members"
)

// retryAfter is when a pass looks again after not all could be done, if nothing wakes it sooner.
const retryAfter = 5 * time.Second

// Config of a Loop.
type Config struct {
	// Node that this speaker runs on.
	Node    string
	Classes lb.Classes
	Options announce.Options
	Log     *slog.Logger
	// Registerer of the metrics.
	Registerer prometheus.Registerer
}

// Links tells the node's network interfaces; false as long as they are not known.
type Links interface {
	Links() ([]lb.Link, bool)
	Changes() <-chan struct{}
}

// Gossip is the membership of speakers.
type Gossip interface {
	// Set says where this speaker listens and which others there should be.
	Set(desired Membership) error
	View() members.View
	Address() netip.AddrPort
	Changes() <-chan struct{}
}

// Layer2 answers ARP and NDP.
type Layer2 interface {
	Set(ctx context.Context, desired []announce.Layer2Address) error
	Held() []layer2.Held
}

// BGP holds the sessions with routers.
type BGP interface {
	Set(ctx context.Context, desired []announce.Session) error
	Status() []bgp.Status
	Changes() <-chan struct{}
}

// Health serves health checks.
type Health interface {
	Set(ctx context.Context, ports []announce.HealthPort, paths map[lb.Key]announce.Health) error
}

// Executors are the parts that act.
type Executors struct {
	Links  Links
	Gossip Gossip
	Layer2 Layer2
	BGP    BGP
	Health Health
}

// Loop is the speaker's reconcile loop.
type Loop struct {
	cfg    Config
	tables *tables
	exec   Executors
	report *Reporter
	ready  atomic.Bool
	// cost of looking and deciding in the last pass, in nanoseconds.
	cost atomic.Int64
	// published: this node's Speaker object has been seen to say where this speaker gossips.
	published bool
	// failure that was logged last.
	failure string

	passes prometheus.Histogram
}

// Add builds the loop into a manager, which starts it.
func Add(m manager.Manager, cfg Config, exec Executors, report *Reporter) (*Loop, error) {
	loop := &Loop{
		cfg: cfg, tables: newTables(m.GetCache()), exec: exec, report: report,
		passes: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "daymark_speaker_pass_seconds", Help: "Time one pass of the loop took.",
			Buckets: prometheus.ExponentialBuckets(0.0005, 4, 8),
		}),
	}
	if err := cfg.Registerer.Register(loop.passes); err != nil {
		return nil, fmt.Errorf("register metrics: %w", err)
	}
	wiring := view.Wiring{
		Name:  "speaker",
		Kinds: kinds,
		Cost:  func() time.Duration { return time.Duration(loop.cost.Load()) },
		Wakes: []<-chan struct{}{exec.Links.Changes(), exec.Gossip.Changes(), exec.BGP.Changes()},
	}
	return loop, wiring.Add(m, loop)
}

// Ready reports whether a pass has come to its end.
func (l *Loop) Ready() bool { return l.ready.Load() }

// Reconcile is one pass: look, compute, set, report.
func (l *Loop) Reconcile(ctx context.Context, _ view.Wake) (reconcile.Result, error) {
	began := time.Now()
	defer func() { l.passes.Observe(time.Since(began).Seconds()) }()
	now, err := l.look(ctx)
	if err != nil {
		return reconcile.Result{}, fmt.Errorf("look at the cluster: %w", err)
	}
	plan := announce.Compute(&now.world)
	l.cost.Store(int64(time.Since(began)))

	// One protocol that fails must not silence the others.
	err = errors.Join(
		l.exec.BGP.Set(ctx, plan.Sessions),
		l.exec.Layer2.Set(ctx, plan.Layer2),
		l.exec.Health.Set(ctx, plan.HealthPorts, plan.HealthPaths),
	)
	if len(plan.Unheld) > 0 {
		err = errors.Join(err, errors.New(strings.Join(plan.Unheld, "; ")))
	}
	l.report.Set(l.status(now, err))
	l.ready.Store(true)
	return l.again(err), nil
}

// again says when to look again after not all could be done, and logs why when that has changed.
func (l *Loop) again(err error) reconcile.Result {
	if err == nil {
		l.failure = ""
		return reconcile.Result{}
	}
	if text := err.Error(); text != l.failure {
		l.failure = text
		l.cfg.Log.Error("not everything can be announced", "error", err)
	}
	return reconcile.Result{RequeueAfter: retryAfter}
}

// look reads everything once, and tells the gossip what it should know before it is asked what it knows.
func (l *Loop) look(ctx context.Context) (*cluster, error) {
	now, err := l.tables.read(ctx, l.cfg.Classes)
	if err != nil {
		return nil, err
	}
	links, known := l.exec.Links.Links()
	if !known {
		return nil, errors.New("the network interfaces are not known yet")
	}
	if err := l.exec.Gossip.Set(l.membership(now)); err != nil {
		// Without gossip there is no layer 2; BGP and health checks need none.
		l.cfg.Log.Error("gossip cannot be changed", "error", err)
	}
	now.world.Members = l.membersOf(now)
	now.world.Node = l.cfg.Node
	now.world.Links = links
	now.world.Options = l.cfg.Options
	return now, nil
}

// membersOf are the speakers to reckon with. That there are no others counts only once the others can know of this one:
// of two speakers that first write their own object and then look for others, at least one sees the other.
func (l *Loop) membersOf(now *cluster) announce.Members {
	view, address := l.exec.Gossip.View(), l.exec.Gossip.Address()
	l.published = l.published || address.IsValid() && now.speakers[l.cfg.Node] == address
	return announce.Members{Known: view.Known && (l.published || len(view.Alive) > 1), Alive: view.Alive}
}

// membership is what the gossip should know. A speaker whose node is gone or down is not waited for.
func (l *Loop) membership(now *cluster) Membership {
	desired := Membership{Keys: now.keys, Others: make(map[string]members.Other, len(now.speakers))}
	for name, address := range now.speakers {
		node := now.node(name)
		desired.Others[name] = members.Other{At: address, Down: node == nil || node.Down}
	}
	delete(desired.Others, l.cfg.Node)
	if node := now.node(l.cfg.Node); node != nil {
		desired.Addresses = node.Addresses
	}
	return desired
}
