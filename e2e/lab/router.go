package lab

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"text/template"
	"time"

	"github.com/vishvananda/netlink"
)

// RouterKind names the program that routes.
type RouterKind string

// The routers the lab knows.
const (
	AnyRouter RouterKind = ""      // FRR where it is installed, else GoBGP
	FRR       RouterKind = "frr"   // zebra, bfdd and bgpd
	BIRD      RouterKind = "bird"  // BIRD 2
	GoBGP     RouterKind = "gobgp" // the lab's own, which needs nothing on the machine and does no BFD
)

// The AS numbers of the lab.
const (
	NodesASN  = 64512
	RouterASN = 64513
)

// RouterSettings say how the router speaks to the nodes. It never calls them: they call it.
type RouterSettings struct {
	Password string        // of every node's TCP MD5 signature
	Hold     time.Duration // 9 s unless set; keepalives come at a third of it
	BFD      time.Duration // interval of BFD packets, 3 lost are a failure; none unless set
	V6       bool          // IPv6 unicast as well
	Extra    string        // more lines for its BGP configuration, in the router's own language
	PeerASN  uint32        // the nodes' AS number that it expects, NodesASN unless set

	Announced int // IPv4 routes that it tells the nodes, of hosts in 100.64.0.0/10; BIRD only
}

// Routes are what the router tells the nodes.
func (s RouterSettings) Routes() (all []netip.Prefix) {
	for i := range s.Announced {
		all = append(all, single(netip.AddrFrom4([4]byte{100, byte(64 + i>>16), byte(i >> 8), byte(i)})))
	}
	return all
}

// Router is the host between the segment and the far client, and the program that routes on it.
type Router struct {
	*Host
	Kind     RouterKind
	dir      string
	daemon   routingDaemon
	programs []*Program
	nodes    []netip.Addr
	c        *Cluster
}

// routingDaemon is what differs from one routing program to the next.
type routingDaemon interface {
	// programs prepares their files and gives them in the order of their starts.
	programs(r *Router) ([]*Program, error)
	// ready waits until the started programs take orders, and gives those that their files could not.
	ready(ctx context.Context, r *Router) error
	// neighbors gives the state of the session with every node, in the router's words: "Established" when it is up.
	neighbors(ctx context.Context, r *Router) (map[netip.Addr]string, error)
	// watched are the nodes whose BFD session is up at the router's end.
	watched(ctx context.Context, r *Router) ([]netip.Addr, error)
	// view is what an operator would look at: the routes learned by BGP.
	view(ctx context.Context, r *Router) (string, error)
}

// Installed tells whether the program is on this machine.
func (k RouterKind) Installed() bool {
	switch k {
	case FRR:
		_, err := os.Stat(frrProgram("bgpd"))
		return err == nil
	case BIRD:
		_, err := systemProgram("bird")
		return err == nil
	default:
		return true
	}
}

func (k RouterKind) orBest() RouterKind {
	switch {
	case k != AnyRouter:
		return k
	case FRR.Installed():
		return FRR
	default:
		return GoBGP
	}
}

func (w *world) startRouter(kind RouterKind) error {
	r := w.router
	for _, n := range w.nodes {
		r.nodes = append(r.nodes, n.V4)
	}
	return r.run(kind, RouterSettings{})
}

// run replaces the program that routes.
func (r *Router) run(kind RouterKind, s RouterSettings) error {
	if err := r.stop(); err != nil {
		return err
	}
	if s.Hold == 0 {
		s.Hold = 9 * time.Second
	}
	if s.PeerASN == 0 {
		s.PeerASN = NodesASN
	}
	r.Kind = kind
	r.daemon = map[RouterKind]routingDaemon{FRR: frr{s}, BIRD: bird{s}, GoBGP: gobgp{s}}[kind]
	return r.start()
}

func (r *Router) start() (err error) {
	if r.programs, err = r.daemon.programs(r); err != nil {
		return err
	}
	for _, p := range r.programs {
		if err := p.Start(); err != nil {
			return err
		}
	}
	ctx, cancel := background()
	defer cancel()
	if err := r.daemon.ready(ctx, r); err != nil {
		return fmt.Errorf("wait for %s: %w", r.Kind, err)
	}
	return nil
}

func (r *Router) stop() error {
	var errs []error
	for _, p := range slices.Backward(r.programs) {
		errs = append(errs, p.Stop())
	}
	return errors.Join(errs...)
}

// Router is the lab's router.
func (c *Cluster) Router() *Router {
	r := *c.router
	r.c = c
	return &r
}

// FarRouter runs BIRD on the far client's host, until the test ends: a router that the nodes reach only by way of the lab's.
// What it learns it cannot use.
func (c *Cluster) FarRouter(s RouterSettings) *Router {
	c.t.Helper()
	r := &Router{Host: c.farClient, dir: filepath.Join(c.dir, "far"), nodes: c.router.nodes, c: c}
	c.must("make a folder for the far router", os.MkdirAll(r.dir, 0o700))
	c.t.Cleanup(func() { c.must("stop the far router", r.stop()) })
	c.must("start the far router", r.run(BIRD, s))
	return r
}

// Configure runs this program with these settings in place of what ran; the test's end goes back to that program, with no
// settings.
func (r *Router) Configure(kind RouterKind, s RouterSettings) {
	r.c.t.Helper()
	r.c.t.Cleanup(func() { r.c.must("restore the router", r.c.router.run(r.Kind, RouterSettings{})) })
	r.c.must("configure the router", r.c.router.run(kind, s))
}

// Stop ends the routing program; what it learned is gone.
func (r *Router) Stop() {
	r.c.t.Helper()
	r.c.must("stop the router", r.c.router.stop())
}

// Start starts it again.
func (r *Router) Start() {
	r.c.t.Helper()
	r.c.must("start the router", r.c.router.start())
}

// Cable connects the router and a node by a cable of their own, with nobody else and no address on it. The test's end
// takes it away.
func (r *Router) Cable(routerEnd string, n Node, nodeEnd string) {
	r.c.t.Helper()
	r.c.must("lay a cable", wire(r.Host, routerEnd, n.Host, nodeEnd, nil))
	r.c.t.Cleanup(func() {
		link, err := r.net.LinkByName(routerEnd)
		if err == nil {
			err = r.net.LinkDel(link)
		}
		r.c.must("take the cable away", err)
	})
}

// NextHops are the next hops for exactly this prefix in the router's kernel, sorted; an address stands for itself alone.
func (r *Router) NextHops(prefix string) []netip.Addr {
	r.c.t.Helper()
	want, err := parsePrefix(prefix)
	r.c.must("read the prefix", err)
	hops, err := r.nextHops(want)
	r.c.must("read the router's routes", err)
	return hops
}

func parsePrefix(s string) (netip.Prefix, error) {
	if strings.Contains(s, "/") {
		return netip.ParsePrefix(s)
	}
	a, err := netip.ParseAddr(s)
	return single(a), err
}

func (r *Router) nextHops(prefix netip.Prefix) (hops []netip.Addr, err error) {
	family := netlink.FAMILY_V4
	if prefix.Addr().Is6() {
		family = netlink.FAMILY_V6
	}
	routes, err := r.net.RouteListFiltered(family, &netlink.Route{Dst: ipNet(prefix)}, netlink.RT_FILTER_DST)
	if err != nil {
		return nil, fmt.Errorf("list routes: %w", err)
	}
	for _, route := range routes {
		gateways := []*netlink.NexthopInfo{{Gw: route.Gw}}
		if len(route.MultiPath) > 0 {
			gateways = route.MultiPath
		}
		for _, g := range gateways {
			if a, ok := netip.AddrFromSlice(g.Gw); ok {
				hops = append(hops, a.Unmap())
			}
		}
	}
	slices.SortFunc(hops, netip.Addr.Compare)
	return slices.Compact(hops), nil
}

// NextHopNodes are NextHops by the names of the nodes.
func (r *Router) NextHopNodes(prefix string) (names []string) {
	r.c.t.Helper()
	for _, a := range r.NextHops(prefix) {
		names = append(names, r.c.NodeAt(a))
	}
	return names
}

// Sessions is the state of the session with every node by the node's name, "Established" when it is up.
func (r *Router) Sessions() map[string]string {
	r.c.t.Helper()
	ctx, cancel := background()
	defer cancel()
	states, err := r.daemon.neighbors(ctx, r)
	r.c.must("ask the router for its neighbors", err)
	named := map[string]string{}
	for a, state := range states {
		named[r.c.NodeAt(a)] = state
	}
	return named
}

// Watched are the names of the nodes whose BFD session is up at the router's end.
func (r *Router) Watched() (names []string) {
	r.c.t.Helper()
	ctx, cancel := background()
	defer cancel()
	up, err := r.daemon.watched(ctx, r)
	r.c.must("ask the router whom it watches", err)
	for _, a := range up {
		names = append(names, r.c.NodeAt(a))
	}
	return names
}

// View is what an operator would look at on this router.
func (r *Router) View() string {
	r.c.t.Helper()
	ctx, cancel := background()
	defer cancel()
	view, err := r.daemon.view(ctx, r)
	r.c.must("look at the router", err)
	return view
}

// render writes a configuration file of the routing program.
func (r *Router) render(name, text string, s RouterSettings) (path string, err error) {
	t, err := template.New(name).Funcs(template.FuncMap{
		"seconds": func(d time.Duration) int { return int(d.Seconds()) },
		"third":   func(d time.Duration) time.Duration { return d / 3 },
		"ms":      time.Duration.Milliseconds,
	}).Parse(text)
	if err != nil {
		return "", fmt.Errorf("parse %s: %w", name, err)
	}
	var b strings.Builder
	data := struct {
		RouterSettings
		Router netip.Addr
		Nodes  []netip.Addr
		ASN    uint32
	}{s, r.V4, r.nodes, RouterASN}
	if err := t.Execute(&b, data); err != nil {
		return "", fmt.Errorf("write %s: %w", name, err)
	}
	path = filepath.Join(r.dir, name)
	if err := os.WriteFile(path, []byte(b.String()), 0o600); err != nil {
		return "", fmt.Errorf("write %s: %w", name, err)
	}
	return path, nil
}
