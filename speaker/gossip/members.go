package gossip

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hashicorp/memberlist"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/daymark-lb/daymark/internal/core/election"
)

const (
	// joinEvery is the time between attempts to reach a speaker that is expected and not alive.
	joinEvery = time.Second
	// atOnce bounds how many are tried side by side; one success brings all the others that it knows.
	atOnce = 8
	// farewell is how long the news of our leaving may take to get out before we go all the same.
	farewell = 500 * time.Millisecond
)

// Config of Membership.
type Config struct {
	// Node is the Kubernetes name of this node, by which the other speakers know it.
	Node string
	// Bind is the address and port to gossip on, by UDP and TCP, which the others are told, too. It may be IPv6.
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
}

// ExpectedPeer is a speaker that there should be.
type ExpectedPeer struct {
	// Address is where it gossips; invalid while it has not said so.
	Address netip.AddrPort
	// Down: the control plane takes its node to be down. It is tried, and not waited for.
	Down bool
}

// View is what is known of the speakers now.
type View struct {
	// Alive are the nodes whose speakers answer, sorted, this one included. It is shared, and must not be changed.
	Alive []string
	// Known: the others have been met, or it is settled that there are none within reach. Until then nothing may be
	// concluded from Alive. Once true it stays true.
	Known bool
	// Peers are those who are alive, this one included. It is shared, and must not be changed.
	Peers map[string]Peer
	// Claims are the strongest known, by whomever. They are shared, and must not be changed; they may be kept.
	Claims election.Claims
	// Returned counts how often a speaker of the same instance came back that had been taken for dead: a partition has
	// healed, or it was a false alarm, and others may have taken its place. Holders announce again when it rises.
	Returned uint64
	// Why Known is false, or what is in doubt though it is true, in words for a person; empty: all is well.
	Why string
}

// Membership keeps this speaker among the others. Its methods may be called by several goroutines.
type Membership struct {
	cfg     Config
	changes chan struct{}
	// set wakes the joiner: there may be somebody new to reach.
	set chan struct{}
	// keyed is closed when there is a key.
	keyed chan struct{}
	// left is closed when the others have been told that we leave.
	left chan struct{}
	// back wakes the joiner for those who are heard again; large wakes who tells states that are too long for a datagram.
	back  chan string
	large chan struct{}
	// made is the beginning of the fence's time; cast numbers our votes.
	made time.Time
	cast atomic.Uint64
	// leaving: we do not answer pings any more.
	leaving atomic.Bool

	list atomic.Pointer[memberlist.Memberlist]
	// at is where the others find us, as memberlist has it.
	at      netip.AddrPort
	roster  *roster
	table   *table
	fence   *fence
	metrics *metrics
	// repeats is what gossip repeats.
	repeats memberlist.TransmitLimitedQueue
	// listen and ticker are replaced by tests.
	listen func(netip.AddrPort, *slog.Logger) (memberlist.NodeAwareTransport, error)
	ticker func(time.Duration) (ticks <-chan time.Time, stop func())

	mu           sync.Mutex
	keyring      *memberlist.Keyring
	acquaintance acquaintance
	expected     map[string]ExpectedPeer
	// failures of the last attempts to reach those that are expected.
	failures map[string]attempt
}

// New returns Membership that know nobody. It opens nothing and starts nothing: Start does.
func New(cfg Config) *Membership {
	if cfg.Log == nil {
		cfg.Log = slog.Default()
	}
	if cfg.Timing == (Timing{}) {
		cfg.Timing, _ = Preset("fast")
	}
	now := time.Now()
	instance := uint64(max(1, now.UnixNano()))
	m := &Membership{
		cfg: cfg, changes: make(chan struct{}, 1), set: make(chan struct{}, 1), keyed: make(chan struct{}),
		left: make(chan struct{}), back: make(chan string, 64), large: make(chan struct{}, 1), made: now, listen: listen, ticker: newTicker,
		roster: newRoster(cfg.Node, instance, cfg.Timing), table: newTable(), fence: newFence(cfg.Timing.beat()),
		metrics: newMetrics(cfg.Registerer), failures: map[string]attempt{},
	}
	m.cast.Store(instance) // Votes of a later run must not be taken for old ones.
	m.repeats.NumNodes = func() int { return len(m.roster.reachable()) + 1 }
	m.repeats.RetransmitMult = 4 // As memberlist has it for its own news.
	m.measure(cfg.Registerer)
	if len(cfg.Keys) > 0 {
		// Nothing but an empty list can be wrong with keys, since they are hashed.
		_ = m.SetKeys(cfg.Keys)
	}
	return m
}

// Start gossips until ctx ends, then tells the others that we leave, and returns nil. It fails when the address cannot
// be listened on. It may be called once.
func (m *Membership) Start(ctx context.Context) error { return m.run(ctx, m.leave) }

// run is Start with its last act given: a test has one that leaves without a word, as a crash does.
func (m *Membership) run(ctx context.Context, depart func(*memberlist.Memberlist)) error {
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
	for _, work := range []func(context.Context){m.pulse, m.join, m.rejoin, m.tellLarge, m.watchClock, m.sweep} {
		working.Go(func() { work(ctx) })
	}
	<-ctx.Done()
	depart(list)
	close(m.left)
	working.Wait() // After leaving: an attempt that hangs must not keep the others from the news.
	return nil
}

// create has memberlist listen.
func (m *Membership) create() (*memberlist.Memberlist, error) {
	transport, err := m.listen(m.cfg.Bind, m.cfg.Log)
	if err != nil {
		return nil, err
	}
	config := m.gossip()
	config.Transport = transport
	list, err := memberlist.Create(config)
	if err != nil {
		_ = transport.Shutdown()
	}
	return list, err
}

// sweep forgets claims that nobody wants, until ctx ends.
func (m *Membership) sweep(ctx context.Context) {
	ticker := time.NewTicker(sweepEvery)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case now := <-ticker.C:
			m.table.sweep(now)
		}
	}
}

// leave takes leave of the others, so that they need not find out: directly, and by memberlist. Where that fails, they do
// find out.
func (m *Membership) leave(list *memberlist.Memberlist) {
	m.leaving.Store(true)
	for _, to := range m.roster.reachable() {
		m.send(to, m.heading(kindBye))
	}
	if err := errors.Join(list.Leave(farewell), list.Shutdown()); err != nil {
		m.cfg.Log.Warn("left the gossip without a farewell", "error", err)
	}
}

// Incarnation is the run of this speaker, as others know it: the time at which it was made in nanoseconds, or later than any
// run of it before that others remember. It may rise while nobody has been met yet, and claims carry the latest.
func (m *Membership) Incarnation() uint64 { return m.roster.instance() }

// Set says which other speakers there should be, by node: the whole of what the API server knows. An entry for this node
// is ignored; one without an address is waited for. Those that are not alive are tried at once and then every second
// until they are or are not expected any more; who cannot be reached is told by View. A speaker that is alive is not
// forgotten for not being expected.
func (m *Membership) Set(expected map[string]ExpectedPeer) {
	m.mu.Lock()
	m.expected = maps.Clone(expected)
	delete(m.expected, m.cfg.Node)
	maps.DeleteFunc(m.failures, func(node string, _ attempt) bool {
		_, still := m.expected[node]
		return !still
	})
	m.roster.expect(m.expected)
	m.reckon()
	m.mu.Unlock()
	notify(m.set)
	notify(m.changes)
}

// reckon counts who is waited for. The caller holds mu.
func (m *Membership) reckon() {
	others, gone := 0, 0
	for node, other := range m.expected {
		if other.Down || m.failures[node].refused {
			gone++
		} else {
			others++
		}
	}
	m.acquaintance.expect(time.Now(), others, gone)
}

// SetKeys replaces the secrets; the first encrypts from now on. To change a secret without a moment of silence, add the
// new one behind the old, then put it first, then take the old one away, and let every speaker see each step. An empty
// list is refused, and the keys stay as they are.
func (m *Membership) SetKeys(keys [][]byte) error {
	if len(keys) == 0 {
		return errors.New("change the gossip keys: there is none")
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.keyring != nil {
		return rotate(m.keyring, derive(keys))
	}
	keyring, err := newKeyring(derive(keys))
	if err != nil {
		return err
	}
	m.keyring = keyring
	close(m.keyed)
	return nil
}

// Left is closed when the others have been told that this speaker leaves, which may be before Start returns.
func (m *Membership) Left() <-chan struct{} { return m.left }

// View tells who is alive, what they say, and whether that may be relied on. It is cheap: what has not changed is not
// made again.
func (m *Membership) View() View {
	now := m.roster.read()
	m.mu.Lock()
	defer m.mu.Unlock()
	m.acquaintance.observe(time.Now(), len(now.alive) > 1)
	view := View{
		Alive: now.alive, Known: m.acquaintance.known, Peers: now.peers, Claims: m.table.snapshot(),
		Returned: now.returned,
	}
	switch {
	case m.keyring == nil:
		view.Why = "there is no gossip key yet"
	case m.list.Load() == nil && len(now.alive) == 1:
		view.Why = "gossip has not begun"
	default:
		view.Why = m.acquaintance.why(missing(m.expected, now.alive, m.failures))
	}
	return view
}

// Changes wakes its one receiver when View may have changed. A wake carries nothing; several changes may share one.
func (m *Membership) Changes() <-chan struct{} { return m.changes }

// missing are those expected that are not alive, in order of name.
func missing(expected map[string]ExpectedPeer, alive []string, failures map[string]attempt) []unreached {
	var absent []unreached
	for _, node := range slices.Sorted(maps.Keys(expected)) {
		if _, found := slices.BinarySearch(alive, node); !found {
			absent = append(absent, unreached{node, expected[node].Address, failures[node]})
		}
	}
	return absent
}

// notify puts a notification into a channel unless one waits there already. It never blocks.
func notify(channel chan<- struct{}) {
	select {
	case channel <- struct{}{}:
	default:
	}
}
