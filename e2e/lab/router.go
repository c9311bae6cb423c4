package lab

import (
	"net/netip"
	"path/filepath"

	"github.com/daymark-lb/daymark/e2e/lab/probe"
	"github.com/daymark-lb/daymark/e2e/lab/router"
	"github.com/daymark-lb/daymark/internal/testnet"
)

// Router is the lab's router with methods for tests.
type Router struct {
	*router.Router
	c *Cluster
}

// Router is the lab's router.
func (c *Cluster) Router() *Router { return &Router{c.router, c} }

// FarRouter runs BIRD on the far client's host, until the test ends: a router that the nodes reach only by way of the lab's.
// What it learns it cannot use.
func (c *Cluster) FarRouter(s RouterSettings) *Router {
	c.t.Helper()
	far, err := router.New(c.farClient, filepath.Join(c.dir, "far"), c.nodeAddresses())
	c.must("make the far router", err)
	c.t.Cleanup(func() { c.must("stop the far router", far.Stop()) })
	c.must("start the far router", far.Replace(BIRD, s))
	return &Router{far, c}
}

// Configure runs this program with these settings in place of what ran; the test's end goes back to that program, with no
// settings.
func (r *Router) Configure(kind RouterKind, s RouterSettings) {
	r.c.t.Helper()
	before := r.Kind
	r.c.t.Cleanup(func() { r.c.must("restore the router", r.Replace(before, RouterSettings{})) })
	r.c.must("configure the router", r.Replace(kind, s))
}

// Stop ends the routing program; what it learned is gone.
func (r *Router) Stop() {
	r.c.t.Helper()
	r.c.must("stop the router", r.Router.Stop())
}

// Start starts it again.
func (r *Router) Start() {
	r.c.t.Helper()
	r.c.must("start the router", r.Router.Start())
}

// Cable connects the router and a node by a cable of their own, with nobody else and no address on it. The test's end
// takes it away.
func (r *Router) Cable(routerEnd string, n Node, nodeEnd string) {
	r.c.t.Helper()
	r.c.must("lay a cable", testnet.Wire(r.Namespace, routerEnd, n.Namespace, nodeEnd, nil))
	r.c.t.Cleanup(func() { r.c.must("take the cable away", r.RemoveLink(routerEnd)) })
}

// NextHops are the next hops for exactly this prefix in the router's kernel, sorted; an address stands for itself alone.
func (r *Router) NextHops(prefix string) []netip.Addr {
	r.c.t.Helper()
	want, err := router.ParsePrefix(prefix)
	r.c.must("read the prefix", err)
	hops, err := r.Router.NextHops(want)
	r.c.must("read the router's routes", err)
	return hops
}

// NextHopNodes are NextHops by the names of the nodes.
func (r *Router) NextHopNodes(prefix string) []string {
	r.c.t.Helper()
	return r.c.names(r.NextHops(prefix))
}

// Weights are the weights of the next hops for exactly this prefix in the router's kernel, by the names of the nodes.
func (r *Router) Weights(prefix string) map[string]int {
	r.c.t.Helper()
	want, err := router.ParsePrefix(prefix)
	r.c.must("read the prefix", err)
	weights, err := r.Router.Weights(want)
	r.c.must("read the router's routes", err)
	named := map[string]int{}
	for hop, weight := range weights {
		named[r.c.NodeAt(hop)] = weight
	}
	return named
}

// Watch looks at the next hops for exactly this prefix again and again, and remembers their changes; an address stands for
// itself alone. The test's end stops it.
func (r *Router) Watch(prefix string) *probe.RouteWatcher {
	r.c.t.Helper()
	want, err := router.ParsePrefix(prefix)
	r.c.must("read the prefix", err)
	return probe.WatchRoutes(r.c.t, func() ([]string, error) {
		hops, err := r.Router.NextHops(want)
		return r.c.names(hops), err
	})
}

// Sessions is the state of the session with every node by the node's name, "Established" when it is up.
func (r *Router) Sessions() map[string]string {
	r.c.t.Helper()
	states, err := r.Router.Sessions()
	r.c.must("ask the router for its sessions", err)
	named := map[string]string{}
	for a, state := range states {
		named[r.c.NodeAt(a)] = state
	}
	return named
}

// BFDUp are the names of the nodes whose BFD session is up at the router's end.
func (r *Router) BFDUp() []string {
	r.c.t.Helper()
	up, err := r.Router.BFDUp()
	r.c.must("ask the router for its BFD sessions", err)
	return r.c.names(up)
}

// View is what an operator would look at on this router.
func (r *Router) View() string {
	r.c.t.Helper()
	view, err := r.Router.View()
	r.c.must("look at the router", err)
	return view
}
