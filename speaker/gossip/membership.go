package gossip

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hashicorp/memberlist"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/daymark-lb/daymark/internal/core/detector"
	"github.com/daymark-lb/daymark/internal/progress"
	"github.com/daymark-lb/daymark/speaker/alarm"
	"github.com/daymark-lb/daymark/speaker/trace"
)

const (
	// leaveTimeout is how long it may take to tell the others that we leave.
	leaveTimeout = 500 * time.Millisecond
	// updateTimeout is how long memberlist may take to tell the others of a change.
	updateTimeout = time.Second
	// expireInterval is the time between searches for claims that have expired.
	expireInterval = time.Minute
)

// Config of a Membership.
type Config struct {
	// Node is the Kubernetes name of this node, by which the other speakers know it.
	Node string
	// Bind is the address and port to gossip on, by UDP and TCP, which is also advertised to the others. It may be IPv6.
	Bind netip.AddrPort
	// Keys are the secrets shared by all speakers, of whatever length; the first encrypts, all decrypt. When there is
	// none, Start waits for SetKeys: there is no unencrypted gossip.
	Keys [][]byte
	// Timing of the gossip and the heartbeats; zero: the preset "fast".
	Timing Timing
	// Registerer of metrics; nil: none are published.
	Registerer prometheus.Registerer
	// Log; nil: slog's default.
	Log *slog.Logger
	// Tracer is told of claims; nil: nobody is.
	Tracer *trace.Tracer
}

// Membership keeps this speaker among the others. Its methods may be called by several goroutines.
type Membership struct {
	steps   progress.Steps
	cfg     Config
	changes chan struct{}
	// urgent is like changes for what cannot wait.
	urgent chan struct{}
	// keyed is closed when there is a key.
	keyed chan struct{}
	// left is closed when the others have been told that we leave.
	left chan struct{}
	// joinNow wakes joinMissing; recovered has the speakers that are heard again, for rejoinRecovered; largeState wakes
	// sendLargeStates.
	joinNow    chan struct{}
	recovered  chan string
	largeState chan struct{}
	// repairs are for makeRepairs.
	repairs chan repair
	// metaChanged wakes updateMeta; told is the incarnation of ours that memberlist tells the others.
	metaChanged chan struct{}
	told        atomic.Uint64
	// voteSeq is the number of our last votes.
	voteSeq atomic.Uint64
	// summaryNumber is that of our last question whether another one knows the same; summaries are the answers.
	summaryNumber atomic.Uint64
	summaries     chan summary
	// leaving: we do not answer pings any more.
	leaving atomic.Bool

	list atomic.Pointer[memberlist.Memberlist]
	// at is where the others find us, as memberlist has it.
	at      netip.AddrPort
	peers   *peerStore
	claims  *claimStore
	pause   *pause
	metrics *metrics
	// broadcasts are the messages that gossip retransmits.
	broadcasts memberlist.TransmitLimitedQueue
	// transport is what list sends by, drain handles what has come to it, sealer is for what passes by memberlist.
	transport memberlist.NodeAwareTransport
	drain     func()
	sealer    sealer
	opened    [maxReceived]byte
	// fence is how long this process may be stopped without asking whether it was replaced; pingNumber is that of our last pings.
	fence      time.Duration
	pingNumber atomic.Uint64
	// alarm fires when a heartbeat or a verdict is due.
	alarm alarm.Alarm
	// listen is replaced by tests; awake is called before anything is sent or received, and only tests make it wait.
	listen func(netip.AddrPort, *slog.Logger, *guard, receiver) (memberlist.NodeAwareTransport, error)
	awake  func()

	guard *guard

	mu        sync.Mutex
	keyring   *memberlist.Keyring
	bootstrap detector.Bootstrap
	expected  map[string]ExpectedPeer
	// nodes are the addresses of all nodes.
	nodes []netip.Addr
	// failures of the last attempts to join those that are expected.
	failures map[string]joinFailure
}

// New returns a Membership that knows nobody. It opens nothing and starts nothing: Start does.
func New(cfg Config) *Membership {
	if cfg.Log == nil {
		cfg.Log = slog.Default()
	}
	if cfg.Timing == (Timing{}) {
		cfg.Timing, _ = Preset(Fast, true)
	}
	now := time.Now()
	incarnation := uint64(max(1, now.UnixNano()))
	m := &Membership{
		cfg: cfg, changes: make(chan struct{}, 1), urgent: make(chan struct{}, 1), keyed: make(chan struct{}), left: make(chan struct{}),
		joinNow: make(chan struct{}, 1), recovered: make(chan string, 64), largeState: make(chan struct{}, 1),
		metaChanged: make(chan struct{}, 1), repairs: make(chan repair, 256), summaries: make(chan summary, 1),
		fence: cfg.Timing.detection().FenceTime(), listen: listen, awake: func() {},
		peers: newPeerStore(cfg.Node, incarnation, cfg.Timing), claims: newClaimStore(),
		pause:   newPause(now, cfg.Timing.detection().TickInterval()),
		metrics: newMetrics(cfg.Registerer), failures: map[string]joinFailure{},
	}
	m.guard = newGuard(m.nodeAddresses, m.claims.expected, m.metrics.rejected.Inc)
	m.voteSeq.Store(incarnation) // Votes of a later incarnation must not be taken for old ones.
	m.summaryNumber.Store(incarnation)
	m.broadcasts.NumNodes = func() int { return len(m.peers.reachable()) + 1 }
	m.broadcasts.RetransmitMult = 4 // As memberlist has it for its own broadcasts.
	m.registerGauges(cfg.Registerer)
	if len(cfg.Keys) > 0 {
		_ = m.SetKeys(cfg.Keys) // Only an empty list is an error, because keys are hashed.
	}
	return m
}

// Start gossips until ctx ends, then tells the others that we leave, and returns nil. It fails when the address cannot
// be listened on. It may be called once.
func (m *Membership) Start(ctx context.Context) error { return m.run(ctx, m.leave) }

// run is Start with the way of leaving as a parameter: tests have one that tells nobody, as a crash does.
func (m *Membership) run(ctx context.Context, leave func(*memberlist.Memberlist)) error {
	select {
	case <-ctx.Done():
		return nil
	case <-m.keyed:
	}
	list, err := m.create()
	if err != nil {
		return fmt.Errorf("listen for gossip on %v: %w", m.cfg.Bind, err)
	}
	addr, _ := netip.AddrFromSlice(list.LocalNode().Addr)
	m.at = netip.AddrPortFrom(addr.Unmap(), list.LocalNode().Port)
	m.list.Store(list)
	notify(m.changes)

	var working sync.WaitGroup
	for _, work := range []func(context.Context){
		m.sendHeartbeats, m.joinMissing, m.rejoinRecovered, m.sendLargeStates, m.awaitBootstrap, m.expireClaims, m.updateMeta,
		m.makeRepairs, m.reconnect, m.exchangeByTurns,
	} {
		working.Go(func() { work(ctx) })
	}
	<-ctx.Done()
	leave(list)
	close(m.left)
	working.Wait() // After leaving: an attempt to join that hangs must not delay telling the others.
	return nil
}

// create has memberlist listen.
func (m *Membership) create() (*memberlist.Memberlist, error) {
	transport, err := m.listen(m.cfg.Bind, m.cfg.Log, m.guard, m.receiveSealed)
	if err != nil {
		return nil, err
	}
	if err := m.alarm.Open(); err != nil {
		return nil, errors.Join(err, transport.Shutdown())
	}
	m.transport = transport
	m.drain = transport.(interface{ drain() }).drain //nolint:forcetypeassert // It is ours.
	config := m.memberlistConfig()
	config.Transport = &dialer{transport, m}
	list, err := memberlist.Create(config)
	if err != nil {
		m.alarm.Close()
		_ = transport.Shutdown()
	}
	return list, err
}

// leave tells the others that we leave, directly and by memberlist, so that they need not detect it. Where that fails,
// they do detect it.
func (m *Membership) leave(list *memberlist.Memberlist) {
	m.leaving.Store(true)
	m.post(kindLeave, leave{}, m.peers.reachable()...)
	if err := errors.Join(list.Leave(leaveTimeout), list.Shutdown()); err != nil {
		m.cfg.Log.Warn("cannot tell all other speakers that this one leaves", "error", err)
	}
}

// Alive returns an error when a step of what keeps the others believing that this speaker lives does not come to its end. Whoever else
// sends waits for others, each time for a limited time.
func (m *Membership) Alive() error { return m.steps.Stuck(progress.StuckAfter) }

// Left is closed when the others have been told that this speaker leaves, which may be before Start returns.
func (m *Membership) Left() <-chan struct{} { return m.left }

// updateMeta has memberlist tell the others our incarnation when it has risen, until ctx ends.
func (m *Membership) updateMeta(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-m.metaChanged:
		}
		// memberlist drops the change when it denies at the same moment that we are dead.
		for m.told.Load() < m.Incarnation() && ctx.Err() == nil {
			if err := m.list.Load().UpdateNode(updateTimeout); err != nil {
				m.cfg.Log.Debug("tell the others our incarnation", "error", err)
			}
		}
	}
}

// expireClaims forgets claims that are not wanted any more, until ctx ends.
func (m *Membership) expireClaims(ctx context.Context) {
	ticker := time.NewTicker(expireInterval)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case now := <-ticker.C:
			m.forgetClaims(now)
		}
	}
}

func (m *Membership) forgetClaims(now time.Time) {
	defer m.steps.Begin("forgets claims")()
	m.claims.expire(now)
}

// Incarnation identifies this run of the speaker to others: the time at which it was made in nanoseconds, or more, if others
// remember a later run of this node. It may rise while nobody has been met yet, and claims must carry the latest.
func (m *Membership) Incarnation() uint64 { return m.peers.incarnation() }

// notify puts a notification into a channel unless one waits there already. It never blocks.
func notify(channel chan<- struct{}) {
	select {
	case channel <- struct{}{}:
	default:
	}
}
