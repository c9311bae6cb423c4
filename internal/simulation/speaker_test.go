package simulation

import (
	"context"
	"fmt"
	"net/netip"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/daymark-lb/daymark/internal/core/announce"
	"github.com/daymark-lb/daymark/internal/core/departure"
	"github.com/daymark-lb/daymark/internal/core/handover"
	"github.com/daymark-lb/daymark/internal/core/lb"
	"github.com/daymark-lb/daymark/internal/core/proxyhealth"
	"github.com/daymark-lb/daymark/internal/informer"
	"github.com/daymark-lb/daymark/speaker/bfd"
	"github.com/daymark-lb/daymark/speaker/proxycheck"
	"github.com/daymark-lb/daymark/speaker/reconcile"
)

// handOverTime is how long a speaker that is told to end may take to hand over what it holds.
const handOverTime = 3 * time.Second

// evenOutAfter is how long addresses may be spread unevenly: not so long that it is in the calm at the end.
const evenOutAfter = 10 * time.Second

// nodes that speakers run on.
var nodes = []string{"n0", "n1", "n2"}

// network is all that speakers do beside the API server.
type network struct {
	mesh    *mesh
	segment *segment
	routers *routers
}

func newNetwork(w *world) *network {
	return &network{
		mesh:    &mesh{world: w, members: map[string]*member{}, parted: map[[2]string]time.Time{}},
		segment: &segment{world: w, nodes: map[string]*simulatedLayer2{}},
		routers: &routers{world: w, tables: map[nodeRouter]*table{}},
	}
}

// speakerOf returns the program of a node's speaker, as its main program puts it together: what acts on the network is simulated.
func (n *network) speakerOf(s *slot, node string) func(context.Context, *process) error {
	return func(ctx context.Context, p *process) error {
		p.node, p.sight = node, newSight()
		m, direct, err := p.manager(informer.SpeakerOptions(scheme, namespace, classes, node))
		if err != nil {
			return err
		}
		members, sessions := n.mesh.start(p, node), n.routers.start(p, node)
		answers := n.segment.start(p, node, members)
		writers := reconcile.NewWriters(node, namespace, direct, p.log)
		loop, err := reconcile.Add(m, reconcile.Config{
			Node: node, BootID: "boot", Namespace: namespace, RebalanceAfter: evenOutAfter, Classes: classes, Log: p.log, Registerer: prometheus.NewRegistry(),
		}, reconcile.Executors{
			Links: simulatedLinks{node}, Gossip: members, Layer2: answers, Unnumbered: noUnnumbered{}, BGP: sessions, BFD: noBFD{}, Health: noHealth{},
			Proxy: noProxy{}, Connections: noConnections{},
		}, writers)
		if err != nil {
			return err
		}
		if err := m.Add(writers); err != nil {
			return err
		}
		s.mu.Lock()
		s.sessions = sessions
		s.mu.Unlock()
		gone := make(chan struct{})
		go func() { // One that is killed is gone at once.
			defer close(gone)
			select {
			case <-p.ended:
			case <-p.left:
			}
			answers.end()
			sessions.end()
			members.end(p.alive())
		}()
		err = m.Start(handedOver(ctx, p, loop))
		close(p.left)
		<-gone
		return err
	}
}

// handedOver is a context that ends when ctx has ended and the speaker has handed over what it holds, or the process is dead.
func handedOver(ctx context.Context, p *process, loop *reconcile.Loop) context.Context {
	running, end := context.WithCancel(context.WithoutCancel(ctx))
	context.AfterFunc(ctx, func() {
		defer end()
		p.leaving.Store(true)
		limited, cancel := context.WithTimeout(running, handOverTime)
		defer cancel()
		done := make(chan struct{})
		go func() {
			defer close(done)
			loop.Leave(limited, departure.Decision{Why: "it is told to end"})
		}()
		select {
		case <-p.ended:
			cancel()
			<-done
		case <-done:
		}
	})
	return running
}

// simulatedLinks are the interfaces of a node.
type simulatedLinks struct{ node string }

// addressOf a node in a family.
func addressOf(node string, family lb.Family) netip.Addr {
	if family == lb.IPv6 {
		return netip.MustParseAddr(fmt.Sprintf("fd00::1%s", node[1:]))
	}
	return netip.MustParseAddr(fmt.Sprintf("10.0.0.1%s", node[1:]))
}

// Links implements reconcile.Links.
func (l simulatedLinks) Links() ([]lb.Link, bool) {
	return []lb.Link{{
		Name: "eth0", Index: 2, Up: true, MAC: "02:00:00:00:00:1" + l.node[1:],
		Addresses: []netip.Prefix{
			netip.PrefixFrom(addressOf(l.node, lb.IPv4), 24), netip.PrefixFrom(addressOf(l.node, lb.IPv6), 64),
			netip.MustParsePrefix("fe80::1" + l.node[1:] + "/64"),
		},
	}}, true
}

// Gateways implements reconcile.Links.
func (simulatedLinks) Gateways() ([]lb.Gateway, bool) { return nil, true }

// StrictReversePath implements reconcile.Links.
func (simulatedLinks) StrictReversePath(string) bool { return false }

// Changes implements reconcile.Links.
func (simulatedLinks) Changes() <-chan struct{} { return nil }

type noUnnumbered struct{}

func (noUnnumbered) Set(context.Context, []string) error { return nil }
func (noUnnumbered) Routers() map[string]netip.Addr      { return nil }
func (noUnnumbered) Problems() map[string]error          { return nil }
func (noUnnumbered) Changes() <-chan struct{}            { return nil }

type noBFD struct{}

func (noBFD) Set(context.Context, []announce.BFDSession) error { return nil }
func (noBFD) Status() []bfd.Status                             { return nil }
func (noBFD) Changes() <-chan struct{}                         { return nil }

type noHealth struct{}

func (noHealth) Set(context.Context, []announce.HealthPort, announce.HealthPaths, proxyhealth.Ports) error {
	return nil
}

// noProxy: the service proxy is not asked.
type noProxy struct{}

func (noProxy) Set([]netip.Addr)                  {}
func (noProxy) Result() (proxycheck.Result, bool) { return proxycheck.Result{Text: "not asked"}, true }
func (noProxy) Changes() <-chan struct{}          { return nil }

// noConnections: there are none.
type noConnections struct{}

func (noConnections) Set(context.Context, handover.Plan) error { return nil }
func (noConnections) Kept() (handover.Plan, error)             { return handover.Plan{}, nil }
func (noConnections) Left() map[netip.Addr]int                 { return nil }
func (noConnections) Unreachable() []netip.Addr                { return nil }
func (noConnections) Answered() []netip.Addr                   { return nil }
func (noConnections) Unable() string                           { return "" }
func (noConnections) Only() lb.Family                          { return 0 }
func (noConnections) Sure() bool                               { return true }
func (noConnections) Refused() []string                        { return nil }
func (noConnections) Beside() string                           { return "" }
func (noConnections) Changes() <-chan struct{}                 { return nil }
