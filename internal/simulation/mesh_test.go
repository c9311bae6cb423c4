package simulation

import (
	"maps"
	"math/rand/v2"
	"net/netip"
	"reflect"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/daymark-lb/daymark/internal/core/detector"
	"github.com/daymark-lb/daymark/internal/core/election"
	"github.com/daymark-lb/daymark/speaker/gossip"
)

const (
	// A speaker is found out to be silent after a time between these, and met after up to meetAfter.
	silentAfter, maxSilentAfter = 700 * time.Millisecond, 1300 * time.Millisecond
	meetAfter                   = 300 * time.Millisecond
	// maxDatagram is how long a datagram is on its way; one in lostDatagrams is lost. What was lost comes by an exchange of all within
	// maxExchange.
	maxDatagram   = 20 * time.Millisecond
	lostDatagrams = 20
	maxExchange   = 3 * time.Second
	// bootstrapLook is how often a speaker that knows nobody looks whether it is alone.
	bootstrapLook = 200 * time.Millisecond
)

// mesh is the network by which speakers gossip.
type mesh struct {
	*world
	mu      sync.Mutex
	members map[string]*member
	// parted has until when two nodes do not reach each other.
	parted map[[2]string]time.Time
}

// member is the gossip of one process: who is alive, and what they say. It implements reconcile.Gossip.
type member struct {
	*mesh
	p               *process
	node            string
	incarnation     uint64
	changes, urgent chan struct{}

	// The lock of the mesh guards these.
	address       netip.AddrPort
	joined, left  bool
	state         gossip.State
	said          int
	bootstrap     detector.Bootstrap
	expected      map[string]gossip.ExpectedPeer
	claims        election.Claims
	claimsVersion uint64
	peers         map[string]*peer
}

// peer is another speaker, as one knows it.
type peer struct {
	incarnation uint64
	alive, left bool
	heard       time.Time
	// state is the one of a number; 0: none has come.
	state gossip.State
	said  int
}

func (m *mesh) start(p *process, node string) *member {
	return &member{
		mesh: m, p: p, node: node, incarnation: uint64(time.Now().UnixNano()), changes: make(chan struct{}, 1), urgent: make(chan struct{}, 1),
		claims: election.Claims{}, peers: map[string]*peer{},
	}
}

// wake the receiver of a channel.
func wake(changes chan<- struct{}) {
	select {
	case changes <- struct{}{}:
	default:
	}
}

// between is a time by chance.
func between(r *rand.Rand, from, to time.Duration) time.Duration {
	return from + time.Duration(r.Int64N(int64(to-from)))
}

// reach reports whether two members reach each other.
func (m *mesh) reach(a, b *member) bool {
	pair := pairOf(a.node, b.node)
	return a != b && m.members[a.node] == a && m.members[b.node] == b && !time.Now().Before(m.parted[pair])
}

func pairOf(a, b string) [2]string { return [2]string{min(a, b), max(a, b)} }

// part two nodes for a time.
func (m *mesh) part(a, b string, d time.Duration) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.parted[pairOf(a, b)] = time.Now().Add(d)
	m.changed()
	time.AfterFunc(d, func() {
		m.mu.Lock()
		defer m.mu.Unlock()
		m.changed()
	})
}

// heal ends all partitions.
func (m *mesh) heal() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.parted = map[[2]string]time.Time{}
	m.changed()
}

// changed has each find out whom it reaches now.
func (m *mesh) changed() {
	for _, a := range m.sorted() {
		nodes := map[string]bool{}
		for _, b := range m.members { // order does not matter: they are put into a set
			nodes[b.node] = true
		}
		for node := range a.peers { // order does not matter: they are put into a set
			nodes[node] = true
		}
		for _, node := range slices.Sorted(maps.Keys(nodes)) {
			b := m.members[node]
			if reached := b != nil && m.reach(a, b); reached != a.sees(node, b) {
				a.after("detects "+node, reached, node)
			}
		}
	}
}

func (m *mesh) sorted() (members []*member) {
	for _, node := range slices.Sorted(maps.Keys(m.members)) {
		members = append(members, m.members[node])
	}
	return members
}

// sees reports whether a member takes another one for alive.
func (a *member) sees(node string, b *member) bool {
	known := a.peers[node]
	return known != nil && known.alive && (b == nil || known.incarnation == b.incarnation)
}

// after a while the member looks again whether it reaches a node.
func (a *member) after(what string, reached bool, node string) {
	r, _ := a.p.lotOf(what)
	wait := between(r, silentAfter, maxSilentAfter)
	if known := a.peers[node]; reached {
		wait = between(r, 0, meetAfter)
	} else if known != nil && known.left {
		wait = between(r, 0, maxDatagram)
	}
	time.AfterFunc(wait, func() {
		a.mu.Lock()
		defer a.mu.Unlock()
		if a.members[a.node] == a {
			a.detect(node)
		}
	})
}

// detect finds out whether a node is alive.
func (a *member) detect(node string) {
	b, known := a.members[node], a.peers[node]
	if b == nil || !a.reach(a, b) {
		if known != nil && known.alive {
			known.alive, known.heard = false, time.Now()
			a.note("%s does not hear %s", a.p.id, node)
			a.expect()
			a.tellLoop(true)
		}
		return
	}
	if a.sees(node, b) {
		return
	}
	if known == nil || known.incarnation != b.incarnation {
		a.peers[node] = &peer{incarnation: b.incarnation}
	}
	a.peers[node].alive, a.peers[node].left = true, false
	a.note("%s hears %s", a.p.id, b.p.id)
	a.expect()
	a.tellLoop(true)
	exchange(a, b)
}

// exchange of all that two know.
func exchange(a, b *member) {
	if a.reach(a, b) {
		a.receive(b, b.state, b.said, slices.Collect(maps.Values(b.claims)))
		b.receive(a, a.state, a.said, slices.Collect(maps.Values(a.claims)))
	}
}

// receive what another one says.
func (a *member) receive(from *member, state gossip.State, said int, claims []election.Claim) {
	known := a.peers[from.node]
	if known == nil || !known.alive || known.incarnation != from.incarnation {
		return
	}
	news, urgent := false, false
	if said > known.said {
		known.state, known.said, news = state, said, true
		urgent = true
	}
	for _, claim := range claims {
		before := a.claims[claim.Addr]
		if a.learn(claim) {
			news, urgent = true, urgent || before.Node == a.node
		}
	}
	if news {
		a.tellLoop(urgent)
	}
}

// learn a claim. Those that were handed out do not change.
func (a *member) learn(claim election.Claim) bool {
	if known, found := a.claims[claim.Addr]; found && !claim.Beats(known) {
		return false
	}
	a.claims = maps.Clone(a.claims)
	a.claimsVersion++
	return a.claims.Learn(claim)
}

func (a *member) tellLoop(urgent bool) {
	wake(a.changes)
	if urgent {
		wake(a.urgent)
	}
}

// claimant is the node that claims an address, as far as this one knows; empty: none does.
func (a *member) claimant(addr netip.Addr) string {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.claims[addr].Node
}

// Set implements reconcile.Gossip.
func (a *member) Set(desired gossip.Desired) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.left {
		return nil
	}
	if !a.address.IsValid() && len(desired.Addresses) > 0 {
		a.address = netip.AddrPortFrom(desired.Addresses[0], 7946)
		wake(a.changes)
	}
	a.expected = desired.Expected
	a.expect()
	if !a.joined && a.address.IsValid() && len(desired.Keys) > 0 {
		a.joined = true
		a.members[a.node] = a
		a.changed()
		a.awaitBootstrap()
	}
	return nil
}

// expect says how many others are waited for.
func (a *member) expect() {
	waitedFor, gone := 0, 0
	for node, expected := range a.expected { // order does not matter: they are counted
		switch known := a.peers[node]; {
		case known != nil && known.alive:
		case expected.Down:
			gone++
		default:
			waitedFor++
		}
	}
	if a.expected != nil {
		a.bootstrap.Expect(time.Now(), waitedFor, gone)
	}
}

// awaitBootstrap wakes the loop when it is known who is there by the passing of time alone.
func (a *member) awaitBootstrap() {
	time.AfterFunc(bootstrapLook, func() {
		a.mu.Lock()
		defer a.mu.Unlock()
		if a.left {
			return
		}
		if a.observe(); a.bootstrap.Known() {
			wake(a.changes)
			return
		}
		a.awaitBootstrap()
	})
}

func (a *member) observe() {
	alive := false
	for _, known := range a.peers { // order does not matter: any will do
		alive = alive || known.alive
	}
	a.bootstrap.Observe(time.Now(), alive)
}

// View implements reconcile.Gossip.
func (a *member) View() gossip.View {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.observe()
	v := gossip.View{
		Alive: []string{a.node}, Known: a.bootstrap.Known(), Silent: map[string]gossip.Peer{}, Version: gossip.VersionOfShares,
		Peers: map[string]gossip.Peer{a.node: {
			Incarnation: a.incarnation, State: a.state, StateKnown: a.said > 0, Version: gossip.VersionOfShares,
		}},
		Claims: a.claims, ClaimsVersion: a.claimsVersion,
	}
	for node, known := range a.peers { // order does not matter: they are sorted
		other := gossip.Peer{Incarnation: known.incarnation, State: known.state, StateKnown: known.said > 0, Version: gossip.VersionOfShares}
		switch {
		case known.alive:
			v.Alive = append(v.Alive, node)
			v.Peers[node] = other
		case !known.left && known.said > 0 && !known.state.Leaving:
			other.LastHeard = known.heard
			v.Silent[node] = other
		}
	}
	slices.SortFunc(v.Alive, strings.Compare)
	return v
}

// Address implements reconcile.Gossip.
func (a *member) Address() netip.AddrPort {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.address
}

// Broadcast implements reconcile.Gossip.
func (a *member) Broadcast(local gossip.LocalState) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.left {
		return
	}
	news := false
	if a.said == 0 || !reflect.DeepEqual(a.state, local.State) {
		a.state, news = local.State, true
		a.said++
	}
	for _, claim := range local.Claims {
		news = a.learn(claim) || news
	}
	if !a.joined || !news {
		return
	}
	state, said, claims := a.state, a.said, slices.Clone(local.Claims)
	for _, b := range a.sorted() {
		if b == a {
			continue
		}
		r, _ := a.p.lotOf("says to " + b.node)
		if r.IntN(lostDatagrams) > 0 {
			a.atMesh(between(r, 0, maxDatagram), func() {
				if a.reach(a, b) {
					b.receive(a, state, said, claims)
				}
			})
		}
		a.atMesh(between(r, maxDatagram, maxExchange), func() { exchange(a, b) })
	}
}

// atMesh does something later, with the lock.
func (m *mesh) atMesh(after time.Duration, do func()) {
	time.AfterFunc(after, func() {
		m.mu.Lock()
		defer m.mu.Unlock()
		do()
	})
}

// end of the process. In order: it has told the others that it leaves.
func (a *member) end(inOrder bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.left = true
	if a.members[a.node] != a {
		return
	}
	for _, b := range a.sorted() {
		if inOrder && a.reach(a, b) && b.sees(a.node, a) {
			b.peers[a.node].left = true
		}
	}
	delete(a.members, a.node)
	a.changed()
}

// Off implements reconcile.Gossip.
func (a *member) Off() bool { return false }

// Changes implements reconcile.Gossip.
func (a *member) Changes() <-chan struct{} { return a.changes }

// Urgent implements reconcile.Gossip.
func (a *member) Urgent() <-chan struct{} { return a.urgent }
