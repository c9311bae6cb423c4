package reconcile

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/daymark-lb/daymark/api/v1beta1"
	"github.com/daymark-lb/daymark/internal/core/announce"
	"github.com/daymark-lb/daymark/internal/core/election"
	"github.com/daymark-lb/daymark/internal/core/lb"
	"github.com/daymark-lb/daymark/internal/informer"
	"github.com/daymark-lb/daymark/internal/loop"
	"github.com/daymark-lb/daymark/speaker/bfd"
	"github.com/daymark-lb/daymark/speaker/bgp"
	"github.com/daymark-lb/daymark/speaker/gossip"
	"github.com/daymark-lb/daymark/speaker/layer2"
)

const (
	// retryAfter is when a pass looks again after not all could be done, if nothing wakes it sooner.
	retryAfter = 5 * time.Second
	// reunion is how long after a return the claims of both sides have been compared: who has lost an address by then does
	// not announce it again, and whoever has won speaks last.
	reunion = 100 * time.Millisecond
	// unmet is how long a speaker is not ready for not having met the others.
	unmet = 15 * time.Second
)

// Config of a Loop.
type Config struct {
	// Node that this speaker runs on.
	Node string
	// RebalanceAfter is how long layer-2 addresses may be spread unevenly; 0: for ever.
	RebalanceAfter time.Duration
	Classes        lb.Classes
	Options        announce.Options
	Log            *slog.Logger
	// Registerer of the metrics.
	Registerer prometheus.Registerer
}

// Links tells the node's network interfaces; false as long as they are not known.
type Links interface {
	Links() ([]lb.Link, bool)
	// Gateways are the node's default gateways; false as long as they are not known.
	Gateways() ([]netip.Addr, bool)
	Changes() <-chan struct{}
}

// Unnumbered finds the routers at the other end of interfaces.
type Unnumbered interface {
	Set(ctx context.Context, interfaces []string) error
	Routers() map[string]netip.Addr
	Changes() <-chan struct{}
}

// BFD watches the paths to routers.
type BFD interface {
	Set(ctx context.Context, desired []announce.BFDSession) error
	Status() []bfd.Status
	Changes() <-chan struct{}
}

// Gossip is the membership of speakers.
type Gossip interface {
	// Set says where this speaker listens and which others there should be.
	Set(desired gossip.Desired) error
	View() gossip.View
	Address() netip.AddrPort
	Changes() <-chan struct{}
	// Broadcast sends the local state to the other speakers.
	Broadcast(local gossip.LocalState)
	// Off: there is no gossip, and nothing to wait for.
	Off() bool
}

// Layer2 answers ARP and NDP.
type Layer2 interface {
	Set(ctx context.Context, desired []announce.Layer2Address) error
	// UpdateClusterMACs says which MAC addresses are those of the cluster's own nodes.
	UpdateClusterMACs(macs []string)
	// Announce once more where the addresses are.
	Announce()
	Held() []layer2.Held
	Conflicts() []layer2.Conflict
	Changes() <-chan struct{}
}

// BGP holds the sessions with routers.
type BGP interface {
	Set(ctx context.Context, desired []announce.Session) error
	// BFDDown closes a session because BFD says that its router cannot be reached (RFC 9384).
	BFDDown(session, reason string)
	Status() []bgp.Status
	Changes() <-chan struct{}
}

// Health serves health checks.
type Health interface {
	Set(ctx context.Context, ports []announce.HealthPort, paths map[lb.Key]announce.Health) error
}

// Executors are the parts that act.
type Executors struct {
	Links      Links
	Gossip     Gossip
	Layer2     Layer2
	Unnumbered Unnumbered
	BGP        BGP
	BFD        BFD
	Health     Health
}

// Loop is the speaker's reconcile loop.
type Loop struct {
	cfg    Config
	kinds  *kinds
	exec   Executors
	report *Reporter
	// done: a pass has come to its end.
	done atomic.Bool
	// unready is why this node cannot do its part yet; nil when it can, and from then on.
	unready atomic.Pointer[error]
	// cost of looking and deciding.
	cost loop.Cost
	// published: this node's Speaker object has been seen to say where this speaker gossips.
	published bool
	born      time.Time
	// failure that was logged last.
	failure string

	// elector of the instance of the gossip that runs now.
	elector    *election.Elector
	instance   uint64
	settlement settlement
	// want are the addresses whose claims are of interest.
	want map[netip.Addr]struct{}
	// returned is how many returns of others have been acted on; reunited is when the last was, until what is then still
	// held has been announced.
	returned uint64
	reunited time.Time
	// trying is since when each session is not established, by name.
	trying map[string]time.Time
	// sessions of the pass before.
	sessions []announce.Session
	// paths are those that BFD watches.
	paths paths
	// macs of each node's links, those included that it had before.
	macs macs

	// leaving: this speaker is about to end and hands over what it holds. free is closed when it holds nothing more.
	leaving atomic.Bool
	leave   chan struct{}
	free    chan struct{}
	freed   sync.Once

	passes prometheus.Histogram
}

// Add builds the loop into a manager, which starts it.
func Add(m manager.Manager, cfg Config, exec Executors, report *Reporter) (*Loop, error) {
	l := &Loop{
		cfg: cfg, kinds: newKinds(m.GetCache()), exec: exec, report: report,
		macs: macs{}, born: time.Now(), leave: make(chan struct{}, 1), free: make(chan struct{}),
		passes: newDurations(),
	}
	l.setUnready(errors.New("no pass has looked at the cluster yet"))
	if err := cfg.Registerer.Register(l.passes); err != nil {
		return nil, fmt.Errorf("register metrics: %w", err)
	}
	wiring := loop.Wiring{
		Name:  "speaker",
		Kinds: informer.Kinds(),
		Cost:  &l.cost,
		Wakes: []<-chan struct{}{
			exec.Links.Changes(), exec.Gossip.Changes(), exec.Layer2.Changes(), exec.Unnumbered.Changes(), exec.BGP.Changes(),
			exec.BFD.Changes(), l.leave,
		},
	}
	return l, wiring.Add(m, l)
}

// Ready returns nil when this node can do its part: a pass has come to its end, and the other speakers have been met, so
// that they may hand over to this one. Otherwise the error says what is still missing. A rolling update waits for that
// before it goes on to the next node; where gossip does not work at all it is not held up for long.
func (l *Loop) Ready() error {
	if err := l.unready.Load(); err != nil {
		return *err
	}
	return nil
}

func (l *Loop) setUnready(err error) { l.unready.Store(&err) }

// updateReady after a pass that began at a time.
func (l *Loop) updateReady(began time.Time, now *cluster) {
	switch known := now.world.Members.Known; {
	case l.Ready() == nil:
	case began.Sub(l.born) >= unmet || known && l.settlement.settled || l.exec.Gossip.Off():
		l.unready.Store(nil)
	case !known:
		l.setUnready(fmt.Errorf("the other speakers have not been met: %s", membership(known, now.view).Message))
	default:
		l.setUnready(errors.New("waiting for speakers that should be there"))
	}
}

// Reconcile is one pass: look, compute, set, report.
func (l *Loop) Reconcile(ctx context.Context, _ loop.Wake) (reconcile.Result, error) {
	began := time.Now()
	defer func() { l.passes.Observe(time.Since(began).Seconds()) }()
	now, err := l.look(ctx)
	if err != nil {
		err = fmt.Errorf("look at the cluster: %w", err)
		if l.Ready() != nil {
			l.setUnready(err)
		}
		return reconcile.Result{}, err
	}
	plan := announce.Compute(&now.world)
	l.sessions = remember(l.sessions, plan.Sessions)
	hold, claims, wait := l.hold(now, plan)
	l.cost.Observe(time.Since(began))

	// One protocol that fails must not silence the others. Answers come before claims: what is claimed must be answered by
	// the time the one who has it hears of the claim.
	err = l.answer(ctx, now, hold)
	l.exec.Gossip.Broadcast(gossip.LocalState{
		State:  gossip.State{Known: now.world.Members.Known, Leaving: l.leaving.Load(), Links: now.relevant},
		Claims: claims, Wanted: l.wanted(plan),
	})
	err = errors.Join(
		err,
		l.exec.Unnumbered.Set(ctx, plan.Unnumbered),
		l.exec.BGP.Set(ctx, l.sessions),
		l.exec.BFD.Set(ctx, l.paths.watch(l.sessions, l.paths.standing(now.sessions, l.exec.BFD.Status()))),
		l.exec.Health.Set(ctx, plan.HealthPorts, plan.HealthPaths),
	)
	if len(plan.Unheld) > 0 {
		err = errors.Join(err, unheld(plan.Unheld))
	}
	l.report.Set(l.status(now, err))
	l.done.Store(true)
	l.updateReady(began, now)
	if l.leaving.Load() && len(hold) == 0 {
		l.freed.Do(func() { close(l.free) })
	}
	if !l.reunited.IsZero() {
		wait = soonest(wait, max(reunion-time.Since(l.reunited), time.Millisecond))
	}
	return l.again(err, wait), nil
}

// unheld is in words what no node can hold, the first of it: a condition has room for so much, whatever the number of
// Services.
func unheld(texts []string) error {
	const most = 5
	if more := len(texts) - most; more > 0 {
		texts = append(slices.Clone(texts[:most]), fmt.Sprintf("and so are %d more", more))
	}
	return errors.New(strings.Join(texts, "; "))
}

// answer ARP and NDP for addresses, and say so once more when others have come back who may have done so meanwhile.
func (l *Loop) answer(ctx context.Context, now *cluster, hold []announce.Layer2Address) error {
	l.exec.Layer2.UpdateClusterMACs(l.macs.learn(now))
	err := l.exec.Layer2.Set(ctx, hold)
	if now.view.Returned != l.returned {
		l.returned, l.reunited = now.view.Returned, time.Now()
	}
	if !l.reunited.IsZero() && time.Since(l.reunited) >= reunion {
		l.reunited = time.Time{}
		l.exec.Layer2.Announce()
	}
	return err
}

// Down is told that BFD does not reach a router any more: all sessions with it are closed.
func (l *Loop) Down(name, why string) {
	for _, session := range l.paths.concerned(name) {
		l.exec.BGP.BFDDown(session, "BFD is down: "+why)
	}
}

// Leave hands over to the others what this node holds by layer 2, while it goes on answering, and returns when that is
// done or ctx ends.
func (l *Loop) Leave(ctx context.Context) {
	if !l.done.Load() {
		return // There has been no pass, and nothing is held.
	}
	l.leaving.Store(true)
	select {
	case l.leave <- struct{}{}:
	default: // The loop has been notified already.
	}
	select {
	case <-l.free:
	case <-ctx.Done():
	}
}

// again says when to look again, which may be sooner than asked when not all could be done, and logs why when that has
// changed.
func (l *Loop) again(err error, wait time.Duration) reconcile.Result {
	if l.Ready() != nil {
		wait = soonest(wait, time.Second)
	}
	if err == nil {
		l.failure = ""
		return reconcile.Result{RequeueAfter: wait}
	}
	if text := err.Error(); text != l.failure {
		l.failure = text
		l.cfg.Log.Error("not everything can be announced", "error", err)
	}
	return reconcile.Result{RequeueAfter: soonest(wait, retryAfter)}
}

// look reads everything once, and tells the gossip what it should know before it is asked what it knows.
func (l *Loop) look(ctx context.Context) (*cluster, error) {
	now, err := l.kinds.read(ctx, l.cfg.Classes, l.cfg.Options)
	if err != nil {
		return nil, err
	}
	links, known := l.exec.Links.Links()
	gateways, knownToo := l.exec.Links.Gateways()
	if !known || !knownToo {
		return nil, errors.New("the network interfaces are not known yet")
	}
	if err := l.exec.Gossip.Set(l.membership(now)); err != nil {
		// Without gossip there is no layer 2; BGP and health checks need none.
		l.cfg.Log.Error("gossip cannot be changed", "error", err)
	}
	now.view, now.links, now.relevant = l.exec.Gossip.View(), links, announce.RelevantLinks(links, now.world.L2Advertisements)
	now.gossip = l.exec.Gossip.Address().Addr()
	now.sessions, now.world.Running = l.exec.BGP.Status(), map[string]bool{}
	for _, session := range now.sessions {
		now.world.Running[session.Name] = session.State == v1beta1.BGPEstablished
	}
	now.world.Node = l.cfg.Node
	now.world.OwnLinks = links
	now.world.Gateways, now.world.Routers = gateways, l.exec.Unnumbered.Routers()
	now.world.Members.Known = l.known(now)
	now.world.Members.Alive, now.world.Links = l.holders(now.view, now.world.Members.Known, links)
	return now, nil
}

// known reports whether this speaker knows which others there are. That there are none counts only once the others can
// know of this one: of two speakers that first write their own object and then look for others, at least one sees the
// other.
func (l *Loop) known(now *cluster) bool {
	address := l.exec.Gossip.Address()
	l.published = l.published || address.IsValid() && now.speakers[l.cfg.Node] == address
	return now.view.Known && (l.published || len(now.view.Alive) > 1)
}

// membership is what the gossip should know. A speaker whose node is gone or down is not waited for.
func (l *Loop) membership(now *cluster) gossip.Desired {
	desired := gossip.Desired{Keys: now.keys, Expected: make(map[string]gossip.ExpectedPeer, len(now.speakers))}
	for name, address := range now.speakers {
		node := now.node(name)
		desired.Expected[name] = gossip.ExpectedPeer{Address: address, Down: node == nil || node.Down}
	}
	delete(desired.Expected, l.cfg.Node)
	if node := now.node(l.cfg.Node); node != nil {
		desired.Addresses = node.Addresses
	}
	return desired
}
