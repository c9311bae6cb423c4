package lab

import (
	"context"
	"errors"
	"strings"
	"sync"
	"time"

	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// Cluster is a lab that is up, in the hands of one test. What it is asked to do and cannot fails that test.
type Cluster struct {
	*world
	t T
}

type settings struct {
	nodes  int
	router RouterKind
	proxy  ProxyKind
}

// Option says what the lab should have.
type Option func(*settings)

// Nodes is the number of nodes, n1, n2 and so on; 3 unless told, 7 at most.
func Nodes(n int) Option { return func(s *settings) { s.nodes = n } }

// WithRouter says which program routes; AnyRouter unless told.
func WithRouter(kind RouterKind) Option { return func(s *settings) { s.router = kind } }

// There is one lab at a time in a process, because the process stands on the API server's host.
var current struct {
	sync.Mutex
	*world
	settings settings
	owned    bool // by one test, which takes it down
}

// New brings up a lab for one test, and takes it down when that ends. A shared one is taken down first.
func New(t T, options ...Option) *Cluster {
	t.Helper()
	return hand(t, true, options)
}

// Shared is a lab for all tests of the process that want the same: brought up for the first, it stays until one wants another.
// A test that changes it must change it back; the helpers that do so by themselves say it.
func Shared(t T, options ...Option) *Cluster {
	t.Helper()
	return hand(t, false, options)
}

func hand(t T, owned bool, options []Option) *Cluster {
	t.Helper()
	needLab(t)
	current.Lock()
	defer current.Unlock()
	wanted := settings{nodes: 3}
	for _, o := range options {
		o(&wanted)
	}
	wanted.proxy, wanted.router = wanted.proxy.orBest(), wanted.router.orBest()
	if current.world != nil && current.owned {
		t.Fatalf("bring up a lab: another test has one of its own")
	}
	if current.world != nil && (owned || current.settings != wanted) {
		dropCurrent(t)
	}
	if current.world == nil {
		w, err := bringUp(wanted)
		current.world, current.settings, current.owned = w, wanted, owned
		if err != nil {
			if w != nil {
				dropCurrent(t)
			}
			t.Fatalf("bring up a lab: %v", err)
		}
	}
	if owned {
		t.Cleanup(func() {
			current.Lock()
			defer current.Unlock()
			dropCurrent(t)
		})
	}
	c := &Cluster{world: current.world, t: t}
	t.Cleanup(c.watchDaymark())
	return c
}

func dropCurrent(t T) {
	t.Helper()
	if err := current.takeDown(); err != nil {
		t.Logf("take the lab down: %v", err)
	}
	current.world = nil
}

// API is an administrator's client.
func (c *Cluster) API() client.Client { return c.api }

// Config is an administrator's way to the API server.
func (c *Cluster) Config() *rest.Config { return rest.CopyConfig(c.plane.config) }

// Kubeconfig is the administrator's kubeconfig file.
func (c *Cluster) Kubeconfig() string { return c.plane.kubeconfig }

// Steps are the parts of bringing the lab up, with the time each took.
func (c *Cluster) Steps() []Step { return c.steps }

// Logs is the folder of the logs of all programs.
func (c *Cluster) Logs() string { return c.dir }

// StopAPIServer stops the API server, as a control plane does that is lost; etcd keeps what there is.
func (c *Cluster) StopAPIServer() {
	c.t.Helper()
	c.must("stop the API server", c.plane.apiserver.Kill())
}

// StartAPIServer starts it again, unless it runs, and waits until it serves. kube-controller-manager and kube-proxy are
// started anew: left alone they would look for it only after up to a minute, and what is tested is Daymark.
func (c *Cluster) StartAPIServer() {
	c.t.Helper()
	if c.plane.apiserver.Running() {
		return
	}
	c.must("start the API server", c.plane.apiserver.Start())
	c.must("start the API server", c.plane.ready())
	for _, n := range c.nodes {
		if n.proxy.Running() {
			c.must("start again", errors.Join(n.proxy.Stop(), n.proxy.Start()))
		}
	}
	c.must("start again", errors.Join(c.plane.managers.Kill(), c.plane.managers.Start()))
}

// Partition puts the named nodes on an island of their own, with nobody else on it. The test's end heals it.
func (c *Cluster) Partition(nodes ...string) {
	c.t.Helper()
	c.t.Cleanup(c.Heal)
	c.must("partition", c.fabric.split(nodes...))
}

// Heal ends a partition.
func (c *Cluster) Heal() {
	c.t.Helper()
	c.must("heal the partition", c.fabric.split())
}

func (c *Cluster) must(what string, err error) {
	c.t.Helper()
	if err != nil {
		c.t.Fatalf("%s: %v", what, err)
	}
}

func background() (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.Background(), 30*time.Second)
}

// watchDaymark gives what to do at the test's end: Daymark's programs must not have had a race or a panic meanwhile, and when
// the test failed the ends of their logs are shown.
func (c *Cluster) watchDaymark() (atEnd func()) {
	before := map[*Program]int{}
	for _, p := range c.daymark() {
		before[p] = len(p.Output())
	}
	return func() {
		c.t.Helper()
		for _, p := range c.daymark() {
			said := p.Output()[before[p]:]
			for _, fault := range faults {
				if at := strings.Index(said, fault); at >= 0 {
					c.t.Fatalf("%s: %.8000s", p.Name, said[at:])
				}
			}
			if c.t.Failed() {
				c.t.Logf("the end of %s:\n%s", p.Name, p.LastWords())
			}
		}
	}
}
