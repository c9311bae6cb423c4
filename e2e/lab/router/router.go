// Package router is the lab's router: FRR, BIRD or a small one on GoBGP, and what it knows: its BGP and BFD sessions, its
// routes and its kernel's next hops. It refuses to call the nodes: they call it.
package router

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"os"
	"slices"
	"strings"
	"text/template"
	"time"

	"github.com/vishvananda/netlink"

	"github.com/daymark-lb/daymark/e2e/lab/check"
	"github.com/daymark-lb/daymark/e2e/lab/segment"
	"github.com/daymark-lb/daymark/internal/testnet"
)

// Kind names the program that routes.
type Kind string

// The routers the lab knows.
const (
	Any   Kind = ""      // FRR where it is installed, else GoBGP
	FRR   Kind = "frr"   // zebra, bfdd and bgpd
	BIRD  Kind = "bird"  // BIRD 2
	GoBGP Kind = "gobgp" // the lab's own, which needs nothing on the machine and does no BFD
)

// The AS numbers of the lab.
const (
	NodesASN = 64512
	ASN      = 64513
)

// Settings say how the router speaks to the nodes. It never calls them: they call it.
type Settings struct {
	Password string        // of every node's TCP MD5 signature
	Hold     time.Duration // 9 s unless set; keepalives come at a third of it
	BFD      time.Duration // interval of BFD packets, 3 lost are a failure; none unless set
	V6       bool          // IPv6 unicast as well
	Extra    string        // more lines for its BGP configuration, in the router's own language
	PeerASN  uint32        // the nodes' AS number that it expects, NodesASN unless set

	Announced int // IPv4 routes that it tells the nodes, of hosts in 100.64.0.0/10; BIRD only
}

// Routes are what the router tells the nodes.
func (s Settings) Routes() (all []netip.Prefix) {
	for i := range s.Announced {
		all = append(all, segment.Single(netip.AddrFrom4([4]byte{100, byte(64 + i>>16), byte(i >> 8), byte(i)})))
	}
	return all
}

// Router is a host and the program that routes on it.
type Router struct {
	*segment.Host
	Kind Kind

	dir       string
	settings  Settings
	nodes     []netip.Addr
	daemon    daemon
	processes []*testnet.Process
}

// readyTimeout is how long a routing program may take until it answers.
const readyTimeout = 10 * time.Second

// daemon is what differs from one routing program to the next.
type daemon interface {
	// neighbors returns the state of the session with every node, in the router's words: "Established" when it is up.
	neighbors(ctx context.Context) (map[netip.Addr]string, error)
	// bfdUp returns the nodes whose BFD session is up at the router's end.
	bfdUp(ctx context.Context) ([]netip.Addr, error)
	// view is what an operator would look at: the routes learned by BGP.
	view(ctx context.Context) (string, error)
}

// Installed tells whether the program is on this machine.
func (k Kind) Installed() bool {
	switch k {
	case FRR:
		return testnet.RequireFRR(frrDaemons...) == nil
	case BIRD:
		return testnet.RequireBIRD() == nil
	default:
		return true
	}
}

// OrBest is the kind itself, or for Any the best that is installed.
func (k Kind) OrBest() Kind {
	switch {
	case k != Any:
		return k
	case FRR.Installed():
		return FRR
	default:
		return GoBGP
	}
}

// New is a router on this host, with its files in this folder, for these nodes. It starts nothing yet.
func New(host *segment.Host, dir string, nodes []netip.Addr) (*Router, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("make the folder of the router: %w", err)
	}
	return &Router{Host: host, dir: dir, nodes: nodes}, nil
}

// Replace stops the program that routes, if one does, and starts this one.
func (r *Router) Replace(kind Kind, s Settings) error {
	if err := r.Stop(); err != nil {
		return err
	}
	if s.Hold == 0 {
		s.Hold = 9 * time.Second
	}
	if s.PeerASN == 0 {
		s.PeerASN = NodesASN
	}
	r.Kind, r.settings = kind, s
	return r.Start()
}

// Start starts the program again after Stop.
func (r *Router) Start() (err error) {
	start := map[Kind]func(*Router, Settings) (daemon, []*testnet.Process, error){FRR: startFRR, BIRD: startBIRD, GoBGP: startGoBGP}[r.Kind]
	if r.daemon, r.processes, err = start(r, r.settings); err != nil {
		return fmt.Errorf("start %s: %w", r.Kind, err)
	}
	return nil
}

// Stop ends the program; what it learned is gone.
func (r *Router) Stop() error {
	var errs []error
	for _, p := range slices.Backward(r.processes) {
		errs = append(errs, p.Stop())
	}
	return errors.Join(errs...)
}

// Processes are those that run, in the order of their starts.
func (r *Router) Processes() []*testnet.Process { return r.processes }

// ParsePrefix reads a prefix; an address stands for itself alone.
func ParsePrefix(s string) (netip.Prefix, error) {
	if strings.Contains(s, "/") {
		return netip.ParsePrefix(s)
	}
	a, err := netip.ParseAddr(s)
	return segment.Single(a), err
}

// NextHops are the next hops for exactly this prefix in the router's kernel, sorted.
func (r *Router) NextHops(prefix netip.Prefix) ([]netip.Addr, error) {
	weights, err := r.Weights(prefix)
	return slices.SortedFunc(maps.Keys(weights), netip.Addr.Compare), err
}

// Weights are the weights of the next hops for exactly this prefix in the router's kernel.
func (r *Router) Weights(prefix netip.Prefix) (map[netip.Addr]int, error) {
	family := netlink.FAMILY_V4
	if prefix.Addr().Is6() {
		family = netlink.FAMILY_V6
	}
	routes, err := r.Netlink().RouteListFiltered(family, &netlink.Route{Dst: testnet.IPNet(prefix)}, netlink.RT_FILTER_DST)
	if err != nil {
		return nil, fmt.Errorf("list routes: %w", err)
	}
	weights := map[netip.Addr]int{}
	for _, route := range routes {
		gateways := []*netlink.NexthopInfo{{Gw: route.Gw}}
		if len(route.MultiPath) > 0 {
			gateways = route.MultiPath
		}
		for _, g := range gateways {
			if a, ok := netip.AddrFromSlice(g.Gw); ok {
				weights[a.Unmap()] = g.Hops + 1
			}
		}
	}
	return weights, nil
}

// Sessions returns the state of the session with every node, in the router's words: "Established" when it is up.
func (r *Router) Sessions() (map[netip.Addr]string, error) {
	ctx, cancel := check.Context()
	defer cancel()
	return r.daemon.neighbors(ctx)
}

// BFDUp returns the nodes whose BFD session is up at the router's end.
func (r *Router) BFDUp() ([]netip.Addr, error) {
	ctx, cancel := check.Context()
	defer cancel()
	return r.daemon.bfdUp(ctx)
}

// View is what an operator would look at on this router.
func (r *Router) View() (string, error) {
	ctx, cancel := check.Context()
	defer cancel()
	return r.daemon.view(ctx)
}

// Vtysh gives commands to FRR, which must be the program that routes, and returns its answer.
func (r *Router) Vtysh(commands ...string) (string, error) {
	f, err := r.frr()
	if err != nil {
		return "", err
	}
	ctx, cancel := check.Context()
	defer cancel()
	return f.Ask(ctx, "", commands...)
}

// Shell is the command of FRR's shell on the router's host, empty where another program routes.
func (r *Router) Shell() string {
	f, err := r.frr()
	if err != nil {
		return ""
	}
	return f.Shell()
}

// Show has FRR, which must be the program that routes, answer a command: its answer to "show bgp summary" is that to
// Show("bgp summary", &into), read as JSON.
func (r *Router) Show(command string, into any) error {
	f, err := r.frr()
	if err != nil {
		return err
	}
	ctx, cancel := check.Context()
	defer cancel()
	return f.show(ctx, command, into)
}

func (r *Router) frr() (frr, error) {
	f, ok := r.daemon.(frr)
	if !ok {
		return f, fmt.Errorf("ask FRR: the router is %s", r.Kind)
	}
	return f, nil
}

// render is a configuration of the routing program.
func (r *Router) render(text string, s Settings) (string, error) {
	t, err := template.New("configuration").Funcs(template.FuncMap{
		"seconds": func(d time.Duration) int { return int(d.Seconds()) },
		"third":   func(d time.Duration) time.Duration { return d / 3 },
		"ms":      time.Duration.Milliseconds,
	}).Parse(text)
	if err != nil {
		return "", fmt.Errorf("parse the configuration: %w", err)
	}
	var b strings.Builder
	data := struct {
		Settings
		Router netip.Addr
		Nodes  []netip.Addr
		ASN    uint32
	}{s, r.V4, r.nodes, ASN}
	if err := t.Execute(&b, data); err != nil {
		return "", fmt.Errorf("write the configuration: %w", err)
	}
	return b.String(), nil
}
