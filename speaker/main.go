// Command speaker runs on every node and announces the addresses of Services to the network: by ARP and NDP, by BGP, and
// by health checks. This package only wires the parts together, in the order in which they start; it decides nothing.
package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"sync/atomic"
	"time"

	"k8s.io/apimachinery/pkg/runtime"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	"sigs.k8s.io/controller-runtime/pkg/metrics"
	metricsserver "sigs.k8s.io/controller-runtime/pkg/metrics/server"

	"github.com/daymark-lb/daymark/api/v1beta1"
	"github.com/daymark-lb/daymark/internal/core/departure"
	"github.com/daymark-lb/daymark/internal/daemon"
	"github.com/daymark-lb/daymark/internal/informer"
	"github.com/daymark-lb/daymark/internal/traceapi"
	"github.com/daymark-lb/daymark/speaker/bfd"
	"github.com/daymark-lb/daymark/speaker/bgp"
	"github.com/daymark-lb/daymark/speaker/connections"
	"github.com/daymark-lb/daymark/speaker/gossip"
	"github.com/daymark-lb/daymark/speaker/health"
	"github.com/daymark-lb/daymark/speaker/layer2"
	"github.com/daymark-lb/daymark/speaker/link"
	"github.com/daymark-lb/daymark/speaker/nodestate"
	"github.com/daymark-lb/daymark/speaker/priority"
	"github.com/daymark-lb/daymark/speaker/processors"
	"github.com/daymark-lb/daymark/speaker/proxycheck"
	"github.com/daymark-lb/daymark/speaker/rawconn"
	"github.com/daymark-lb/daymark/speaker/reconcile"
	"github.com/daymark-lb/daymark/speaker/trace"
	"github.com/daymark-lb/daymark/speaker/unnumbered"
)

// dialTimeout is how long it may take to connect to the API server, and the time between two looks whether it is still there.
const dialTimeout = 30 * time.Second

func main() {
	own := &flags{}
	daemon.Main(daemon.Program{
		Name:    "speaker",
		Short:   "Announces the addresses of LoadBalancer Services to the network, from one node",
		Metrics: ":7472", Health: ":7473",
		Flags:    own.add,
		Validate: own.validate,
		Run: func(ctx context.Context, f *daemon.Flags, log *slog.Logger) error {
			return run(ctx, f, own, log)
		},
	})
}

// run starts every part and blocks until ctx ends.
func run(ctx context.Context, f *daemon.Flags, own *flags, log *slog.Logger) error {
	log.Info("speaker starts", "node", own.node)
	m, direct, err := connect(f, own.node)
	if err != nil {
		return err
	}

	tracer := trace.New(own.node)
	links := link.New(log.With("part", "link"))
	members := gossip.NewRunner(own.node, own.gossip, log.With("part", "gossip"), metrics.Registry, tracer)
	segment := layer2.New(own.layer2(log.With("part", "layer2"), members.Stale, tracer))
	neighbors := unnumbered.New(log.With("part", "unnumbered"))
	routers := bgp.New(bgp.Config{Log: log.With("part", "bgp"), Registerer: metrics.Registry, Tracer: tracer})
	var loop *reconcile.Loop // made below; nothing runs before
	watcher := bfd.New(bfd.Config{
		Resume: true, Log: log.With("part", "bfd"), Registerer: metrics.Registry, Tracer: tracer,
		OnDown: func(name, why string) { loop.BFDDown(name, why) }, OnUp: func(name string) { loop.BFDUp(name) },
	})
	watcher.Restarts(true) // also after an error that ends it
	checks := health.New(health.Config{Mode: own.healthPorts, Log: log.With("part", "health"), Registerer: metrics.Registry})
	proxy := proxycheck.New(own.proxy, log.With("part", "proxy"), metrics.Registry)
	relay := connections.New(connections.Config{Log: log.With("part", "connections"), Registerer: metrics.Registry})
	writers := reconcile.NewWriters(own.node, f.Namespace, direct, log.With("part", "report"))
	loop, err = reconcile.Add(m, reconcile.Config{
		Node: own.node, BootID: proxycheck.BootID(), Namespace: f.Namespace, RebalanceAfter: own.rebalanceAfter,
		Classes: f.Classes, Options: f.Options, Log: log, Registerer: metrics.Registry,
	}, reconcile.Executors{
		Links: links, Gossip: members, Layer2: segment, Unnumbered: neighbors, BGP: routers, BFD: watcher, Health: checks, Proxy: proxy, Tracer: tracer,
		Connections: relay,
	}, writers)
	if err != nil {
		return err
	}

	parts := []manager.Runnable{priority.New(log.With("part", "priority")), processors.Processors{}, links, members, segment, neighbors, endInOrder(routers, watcher), checks, proxy, relay, writers}
	probes := daemon.Probes{Alive: alive(loop, links, members, watcher, checks, proxy, relay, writers), Ready: loop.Ready, Services: checks.Handler()}
	if err := errors.Join(add(m, parts), serve(m, f.Health, probes, log), f.Serve(m, log), serveTraces(m, own.trace, tracer, log.With("part", "trace"))); err != nil {
		return err
	}
	forGood, err := runUntilTold(ctx, m, func(ctx context.Context) departure.Decision {
		decision := decide(ctx, &nodestate.Reader{Node: own.node, Namespace: f.Namespace, Pod: own.pod, Direct: direct, Cached: m.GetCache()}, log)
		watcher.Restarts(!decision.Leave)
		loop.Leave(ctx, decision)
		return decision
	})
	return errors.Join(err, clearRules(relay, forGood))
}

// runUntilTold runs all parts until ctx ends, and then has leave decide what becomes of the node's addresses and do it, before the parts
// end. It reports whether the speaker leaves for good.
func runUntilTold(ctx context.Context, m manager.Manager, leave func(context.Context) departure.Decision) (forGood bool, err error) {
	var left atomic.Bool
	err = m.Start(handOver(ctx, func(ctx context.Context) { left.Store(leave(ctx).ForGood) }))
	return left.Load(), err
}

// living is a part that knows whether its loops are stuck.
type living interface{ Alive() error }

// alive asks all parts, and returns what the first has to say that is stuck. BGP is not among them: its sessions wait for routers, with
// the deadlines of the protocol, and what they share with the loop is behind locks that each pass takes.
func alive(parts ...living) func() error {
	return func() error {
		for _, p := range parts {
			if err := p.Alive(); err != nil {
				return err
			}
		}
		return nil
	}
}

// connect returns a manager with caches of the cluster, and a client without.
func connect(f *daemon.Flags, node string) (manager.Manager, client.Client, error) {
	config, err := f.RESTConfig()
	if err != nil {
		return nil, nil, err
	}
	config.UserAgent = "daymark-speaker"
	config.Dial = rawconn.Dial(&net.Dialer{Timeout: dialTimeout, KeepAlive: dialTimeout}) // as client-go has it
	m, err := newManager(config, f, node)
	if err != nil {
		return nil, nil, err
	}
	direct, err := newClient(config, m)
	return m, direct, err
}

// serve has a manager serve the probes on an address; "0": nowhere.
func serve(m manager.Manager, address string, probes daemon.Probes, log *slog.Logger) error {
	if address == "0" {
		return nil
	}
	return m.Add(probes.Serve(address, log))
}

// add has a manager run all parts.
func add(m manager.Manager, parts []manager.Runnable) error {
	for _, part := range parts {
		if err := m.Add(part); err != nil {
			return fmt.Errorf("add to the manager: %w", err)
		}
	}
	return nil
}

// serveTraces has a manager serve traces at an address, unless that is 0.
func serveTraces(m manager.Manager, bind string, tracer *trace.Tracer, log *slog.Logger) error {
	if bind == "0" {
		return nil
	}
	filter, err := daemon.Filter(m.GetConfig(), m.GetHTTPClient(), traceapi.Audience, log)
	if err != nil {
		return err
	}
	return add(m, []manager.Runnable{tracer.Serve(bind, filter, log)})
}

// decide decides whether this speaker restarts or its node leaves, and says so.
func decide(ctx context.Context, facts *nodestate.Reader, log *slog.Logger) departure.Decision {
	decision := departure.Decide(facts.Read(ctx))
	what := "the speaker restarts"
	switch {
	case decision.ForGood:
		what = "the speaker leaves for good"
	case decision.Leave:
		what = "the node leaves"
	}
	log.Info("told to end", "decision", what, "because", decision.Why)
	return decision
}

// newClient makes a client that reads from the API server and not from the manager's cache.
func newClient(config *rest.Config, m manager.Manager) (client.Client, error) {
	direct, err := client.New(config, client.Options{
		Scheme: m.GetScheme(), HTTPClient: m.GetHTTPClient(), Mapper: m.GetRESTMapper(), FieldOwner: "daymark-speaker",
	})
	if err != nil {
		return nil, fmt.Errorf("make a client: %w", err)
	}
	return direct, nil
}

func newManager(config *rest.Config, f *daemon.Flags, node string) (manager.Manager, error) {
	scheme := runtime.NewScheme()
	if err := errors.Join(clientgoscheme.AddToScheme(scheme), v1beta1.AddToScheme(scheme)); err != nil {
		return nil, err
	}
	grace := endTimeout // the manager wants a pointer
	m, err := ctrl.NewManager(config, ctrl.Options{
		Scheme:                  scheme,
		Cache:                   informer.SpeakerOptions(scheme, f.Namespace, f.Classes, node),
		MapperProvider:          informer.Mapper,
		Metrics:                 metricsserver.Options{BindAddress: "0"}, // daemon.Flags serves them, when the address is there
		HealthProbeBindAddress:  "0",                                     // daemon.Probes serves them, with the Services' health beside
		GracefulShutdownTimeout: &grace,
	})
	if err != nil {
		return nil, fmt.Errorf("make the manager: %w", err)
	}
	return m, nil
}
