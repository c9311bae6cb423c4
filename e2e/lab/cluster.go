package lab

import (
	"fmt"
	"sync"
	"time"

	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/daymark-lb/daymark/e2e/lab/check"
	"github.com/daymark-lb/daymark/e2e/lab/probe"
	"github.com/daymark-lb/daymark/e2e/lab/sandbox"
	"github.com/daymark-lb/daymark/e2e/lab/segment"
	"github.com/daymark-lb/daymark/internal/testnet"
)

// Cluster is a lab that is up, in the hands of one test. What it is asked to do and cannot fails that test.
type Cluster struct {
	*parts
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

// WithProxy says which service proxy the nodes run; AnyProxy unless told.
func WithProxy(kind ProxyKind) Option { return func(s *settings) { s.proxy = kind } }

// WithRouter says which program routes; AnyRouter unless told.
func WithRouter(kind RouterKind) Option { return func(s *settings) { s.router = kind } }

// There is one lab at a time in a process, because the process is on the API server's host.
var current struct {
	sync.Mutex
	*parts
	settings settings
	owned    bool // by one test, which takes it down
}

// New brings up a lab for one test, and takes it down when that ends. A shared one is taken down first.
func New(t T, options ...Option) *Cluster {
	t.Helper()
	return cluster(t, true, options)
}

// Shared is a lab for all tests of the process that want the same: brought up for the first, it stays until one wants another.
// A test that changes it must change it back; the helpers that do so by themselves say it.
func Shared(t T, options ...Option) *Cluster {
	t.Helper()
	return cluster(t, false, options)
}

func cluster(t T, owned bool, options []Option) *Cluster {
	t.Helper()
	sandbox.Need(t)
	current.Lock()
	defer current.Unlock()
	wanted := settings{nodes: 3}
	for _, o := range options {
		o(&wanted)
	}
	wanted.proxy, wanted.router = wanted.proxy.OrBest(), wanted.router.OrBest()
	if current.parts != nil && current.owned {
		t.Fatalf("bring up a lab: another test has one of its own")
	}
	if current.parts != nil && (owned || current.settings != wanted) {
		dropCurrent(t)
	}
	if current.parts == nil {
		w, err := bringUp(wanted)
		current.parts, current.settings, current.owned = w, wanted, owned
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
	c := &Cluster{parts: current.parts, t: t}
	t.Cleanup(c.checkDaymark())
	return c
}

func dropCurrent(t T) {
	t.Helper()
	if err := current.takeDown(); err != nil {
		t.Logf("take the lab down: %v", err)
	}
	current.parts = nil
}

// API is an administrator's client.
func (c *Cluster) API() client.Client { return c.plane.API }

// Config is an administrator's way to the API server.
func (c *Cluster) Config() *rest.Config { return rest.CopyConfig(c.plane.Config) }

// Kubeconfig is the administrator's kubeconfig file.
func (c *Cluster) Kubeconfig() string { return c.plane.Kubeconfig }

// Steps are the parts of bringing the lab up, with the time each took.
func (c *Cluster) Steps() []Step { return c.steps }

// Step is a part of bringing the lab up and the time it took.
type Step struct {
	What string
	Took time.Duration
}

func (s Step) String() string { return fmt.Sprintf("%s %d ms", s.What, s.Took.Milliseconds()) }

// Logs is the folder of the logs of all programs.
func (c *Cluster) Logs() string { return c.dir }

// ServiceProxy is the kind of service proxy that runs.
func (c *Cluster) ServiceProxy() ProxyKind { return c.proxy }

// Client is the client on the segment.
func (c *Cluster) Client() Client { return c.asClient(c.client) }

// FarClient is the client behind the router.
func (c *Cluster) FarClient() Client { return c.asClient(c.farClient) }

// Crowd is many clients on the segment. They are there from the first time on that they are asked for.
func (c *Cluster) Crowd() *Crowd {
	c.t.Helper()
	if c.crowd == nil {
		host, members, err := c.network.JoinCrowd("crowd")
		c.must("make a crowd of clients", err)
		c.crowd, c.members = host, members
	}
	return probe.NewCrowd(c.t, c.crowd, c.members, c.network)
}

func (c *Cluster) asClient(h *segment.Host) Client {
	return probe.NewClient(c.t, h, c.network, c.nodeHosts())
}

// Service is the Service of that name, whether it is there or not.
func (c *Cluster) Service(name string) Service { return c.plane.Service(c.t, name) }

// T is what the cluster tells what it cannot do.
func (c *Cluster) T() T { return c.t }

// AtEnd has something done at the test's end, before what was asked for earlier is undone.
func (c *Cluster) AtEnd(do func()) { c.t.Cleanup(do) }

func (c *Cluster) must(what string, err error) {
	c.t.Helper()
	check.Must(c.t, what, err)
}

// checkDaymark returns what to do at the test's end: Daymark's programs must not have had a race or a panic meanwhile, and
// when the test failed the ends of their logs are shown.
func (c *Cluster) checkDaymark() (atEnd func()) {
	before := map[*testnet.Process]int{}
	for _, p := range c.daymark() {
		before[p] = len(p.Output())
	}
	return func() {
		c.t.Helper()
		for _, p := range c.daymark() {
			if fault := testnet.Fault(p.Output()[before[p]:]); fault != "" {
				c.t.Fatalf("%s: %.8000s", p.Name, fault)
			}
			if c.t.Failed() {
				c.t.Logf("the end of %s:\n%s", p.Name, p.Excerpt())
			}
		}
	}
}
