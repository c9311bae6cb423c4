package members

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net/netip"
	"slices"
	"sync"
	"time"

	"github.com/hashicorp/memberlist"
)

const (
	// joinEvery is the time between attempts to reach a speaker that is expected and not alive.
	joinEvery = time.Second
	// atOnce bounds how many are tried side by side; one success brings all the others that it knows.
	atOnce = 8
	// farewell is how long the news of our leaving may take to get out before we go all the same.
	farewell = 500 * time.Millisecond
)

// Config of Members.
type Config struct {
	// Node is the Kubernetes name of this node, by which the other speakers know it.
	Node string
	// Bind is the address and port to gossip on, by UDP and TCP, which the others are told, too. It may be IPv6.
	Bind netip.AddrPort
	// Keys are the secrets shared by all speakers, of whatever length; the first encrypts, all decrypt. When there is
	// none, Start waits for SetKeys: there is no unencrypted gossip.
	Keys [][]byte
	// Log; nil: slog's default.
	Log *slog.Logger
}

// Other is a speaker that there should be.
type Other struct {
	// At is where it gossips; invalid while it has not said so.
	At netip.AddrPort
	// Down: the control plane takes its node to be down. It is tried, and not waited for.
	Down bool
}

// View is what is known of the speakers now.
type View struct {
	// Alive are the nodes whose speakers answer, sorted, this one included.
	Alive []string
	// Known: the others have been met, or it is settled that there are none within reach. Until then nothing may be
	// concluded from Alive. Once true it stays true.
	Known bool
	// Why Known is false, or what is in doubt though it is true, in words for a person; empty: all is well.
	Why string
}

// Members keeps this speaker among the others. Its methods may be called by several goroutines.
type Members struct {
	cfg     Config
	changes chan struct{}
	// set wakes the joiner: there may be somebody new to reach.
	set chan struct{}
	// keyed is closed when there is a key.
	keyed chan struct{}
	// left is closed when the others have been told that we leave.
	left chan struct{}

	mu           sync.Mutex
	list         *memberlist.Memberlist
	keyring      *memberlist.Keyring
	acquaintance acquaintance
	expected     map[string]Other
	// failures of the last attempts to reach those that are expected.
	failures map[string]attempt
}

// New returns Members that know nobody. It opens nothing and starts nothing: Start does.
func New(cfg Config) *Members {
	if cfg.Log == nil {
		cfg.Log = slog.Default()
	}
	m := &Members{
		cfg: cfg, changes: make(chan struct{}, 1), set: make(chan struct{}, 1), keyed: make(chan struct{}),
		left:     make(chan struct{}),
		failures: map[string]attempt{},
	}
	if len(cfg.Keys) > 0 {
		// Nothing but an empty list can be wrong with keys, since they are hashed.
		_ = m.SetKeys(cfg.Keys)
	}
	return m
}

// Start gossips until ctx ends, then tells the others that we leave, and returns nil. It fails when the address cannot
// be listened on. It may be called once.
func (m *Members) Start(ctx context.Context) error { return m.run(ctx, m.leave) }

// run is Start with its last act given: a test has one that leaves without a word, as a crash does.
func (m *Members) run(ctx context.Context, depart func(*memberlist.Memberlist)) error {
	select {
	case <-ctx.Done():
		return nil
	case <-m.keyed:
	}
	list, err := memberlist.Create(m.gossip())
	if err != nil {
		return fmt.Errorf("listen for gossip on %v: %w", m.cfg.Bind, err)
	}
	m.mu.Lock()
	m.list = list
	m.mu.Unlock()
	m.wake()

	var joining sync.WaitGroup
	joining.Go(func() { m.join(ctx) })
	joining.Go(func() { m.watchClock(ctx) })
	<-ctx.Done()
	depart(list)
	close(m.left)
	joining.Wait() // After leaving: an attempt that hangs must not keep the others from the news.
	return nil
}

// leave takes leave of the others, so that they need not find out. Where that fails, they do find out.
func (m *Members) leave(list *memberlist.Memberlist) {
	if err := errors.Join(list.Leave(farewell), list.Shutdown()); err != nil {
		m.cfg.Log.Warn("left the gossip without a farewell", "error", err)
	}
}

// Set says which other speakers there should be, by node: the whole of what the API server knows. An entry for this node
// is ignored; one without an address is waited for. Those that are not alive are tried at once and then every second
// until they are or are not expected any more; who cannot be reached is told by View. A speaker that is alive is not
// forgotten for not being expected.
func (m *Members) Set(expected map[string]Other) {
	m.mu.Lock()
	m.expected = maps.Clone(expected)
	delete(m.expected, m.cfg.Node)
	maps.DeleteFunc(m.failures, func(node string, _ attempt) bool {
		_, still := m.expected[node]
		return !still
	})
	m.reckon()
	m.mu.Unlock()
	poke(m.set)
	m.wake()
}

// reckon counts who is waited for. The caller holds mu.
func (m *Members) reckon() {
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
func (m *Members) SetKeys(keys [][]byte) error {
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
func (m *Members) Left() <-chan struct{} { return m.left }

// View tells who is alive, and whether that may be relied on.
func (m *Members) View() View {
	m.mu.Lock()
	defer m.mu.Unlock()
	alive := m.alive()
	m.acquaintance.observe(time.Now(), len(alive) > 1)
	view := View{Alive: alive, Known: m.acquaintance.known}
	switch {
	case m.keyring == nil:
		view.Why = "there is no gossip key yet"
	case m.list == nil:
		view.Why = "gossip has not begun"
	default:
		view.Why = m.acquaintance.why(missing(m.expected, alive, m.failures))
	}
	return view
}

// Changes wakes its one receiver when View may have changed. A wake carries nothing; several changes may share one.
func (m *Members) Changes() <-chan struct{} { return m.changes }

// alive are the nodes that memberlist counts as alive, sorted, this one included. The caller holds mu.
func (m *Members) alive() []string {
	nodes := []string{m.cfg.Node}
	if m.list != nil {
		for _, node := range m.list.Members() {
			if node.Name != m.cfg.Node {
				nodes = append(nodes, node.Name)
			}
		}
	}
	slices.Sort(nodes)
	return nodes
}

// missing are those expected that are not alive, in order of name.
func missing(expected map[string]Other, alive []string, failures map[string]attempt) []unreached {
	var absent []unreached
	for _, node := range slices.Sorted(maps.Keys(expected)) {
		if _, found := slices.BinarySearch(alive, node); !found {
			absent = append(absent, unreached{node, expected[node].At, failures[node]})
		}
	}
	return absent
}

// wake wakes the receiver of Changes.
func (m *Members) wake() { poke(m.changes) }

// poke leaves a wake unless one waits already. It never blocks.
func poke(channel chan<- struct{}) {
	select {
	case channel <- struct{}{}:
	default:
	}
}
