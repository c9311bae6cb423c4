package gossip

import (
	"maps"
	"net/netip"
	"slices"
	"sync"
	"time"

	"github.com/hashicorp/memberlist"
)

// Peer is what is known of a live speaker.
type Peer struct {
	// Incarnation is the run of the speaker, of two the higher is the later; 0: it has not said.
	Incarnation uint64
	// State is the last it has told; StateKnown: it has.
	State      State
	StateKnown bool
}

// roster is all that is known of the speakers: who is alive, by the rule of watch, what they have told of themselves, and
// where they are. Its methods may be called by several goroutines, with memberlist's lock held; it calls nobody.
type roster struct {
	mu    sync.Mutex
	watch *watch
	cards map[string]*card
	// self is what we tell of ourselves.
	self card
	// gazette is what View tells; nil when it has changed.
	gazette *gazette
}

// card is what a speaker has told of itself.
type card struct {
	news
	state State
	told  bool
	// at is where it gossips, to the same as memberlist has it; expected is where the API server says that it does.
	at       netip.AddrPort
	to       string
	expected netip.AddrPort
}

// gazette is a part of View that is shared by all until something changes.
type gazette struct {
	alive    []string
	peers    map[string]Peer
	returned uint64
}

func newRoster(self string, instance uint64, timing Timing) *roster {
	return &roster{
		watch: newWatch(self, timing), cards: map[string]*card{},
		self: card{news: news{node: self, instance: instance}},
	}
}

// use runs f with the watch.
func (r *roster) use(f func(*watch)) {
	r.mu.Lock()
	defer r.mu.Unlock()
	f(r.watch)
}

// take reports whether View tells something else than at the last call, and which votes are to be told.
func (r *roster) take() (changed bool, ballots []ballot) {
	r.mu.Lock()
	defer r.mu.Unlock()
	changed = r.watch.changed
	if changed {
		r.gazette, r.watch.changed = nil, false
	}
	return changed, r.watch.take()
}

// read is what View tells. It must not be changed.
func (r *roster) read() *gazette {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.gazette == nil || r.watch.changed {
		r.gazette = r.write()
	}
	return r.gazette
}

// write writes a gazette anew. The caller holds mu.
func (r *roster) write() *gazette {
	g := &gazette{
		alive: []string{r.self.node}, returned: r.watch.returned,
		peers: map[string]Peer{r.self.node: {r.self.instance, r.self.state, r.self.told}},
	}
	for node, o := range r.watch.others {
		if !o.alive {
			continue
		}
		g.alive = append(g.alive, node)
		peer := Peer{Incarnation: o.instance}
		if c := r.cards[node]; c != nil && c.told && c.instance == o.instance {
			peer.State, peer.StateKnown = c.state, true
		}
		g.peers[node] = peer
	}
	slices.Sort(g.alive)
	return g
}

// card finds the card of a speaker that the watch knows, or makes one. The caller holds mu.
func (r *roster) card(node string) *card {
	c := r.cards[node]
	if c == nil {
		c = &card{}
		if r.watch.others[node] != nil {
			r.cards[node] = c
		}
	}
	return c
}

// hear is told of a sign of life that came by datagram from a speaker itself; at is where it says that it gossips, if it
// does; pong: it answers us. back: it was not alive before; since is then when it was heard last.
func (r *roster) hear(now time.Time, from head, at netip.AddrPort, pong bool) (back bool, since time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	back, since = r.watch.hear(now, from.from, from.instance, pong)
	r.locate(from.from, from.instance, at)
	return back, since
}

// list is told by memberlist that it counts a speaker as alive, or does not any more.
func (r *roster) list(now time.Time, node string, instance uint64, at netip.AddrPort, alive bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.watch.listed(now, node, instance, alive)
	if alive {
		r.locate(node, instance, at)
	}
}

// locate notes where the present instance of a speaker gossips. The caller holds mu.
func (r *roster) locate(node string, instance uint64, at netip.AddrPort) {
	at = netip.AddrPortFrom(at.Addr().Unmap(), at.Port())
	o := r.watch.others[node]
	if o == nil || instance < o.instance || !at.IsValid() {
		return
	}
	if c := r.card(node); c.at != at {
		c.at, c.to = at, at.String()
	}
}

// expect notes who there should be, and where.
func (r *roster) expect(expected map[string]ExpectedPeer) {
	r.mu.Lock()
	defer r.mu.Unlock()
	nodes := make(map[string]struct{}, len(expected))
	for node := range expected {
		nodes[node] = struct{}{}
	}
	r.watch.expect(nodes)
	for _, c := range r.cards {
		c.expected = netip.AddrPort{}
	}
	for node, other := range expected {
		r.card(node).expected = other.Address
	}
}

// hand notes what a speaker has told of itself, or somebody else has passed on, and reports whether it is newer than
// what was known. It fails when it cannot be read.
func (r *roster) hand(now time.Time, told news) (newer, ok bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.watch.mention(now, told.node, told.instance)
	o := r.watch.others[told.node]
	if o == nil || o.instance != told.instance {
		return false, true
	}
	c := r.card(told.node)
	if c.told && (c.instance > told.instance || c.instance == told.instance && c.seq >= told.seq) {
		return false, true
	}
	body := &reader{rest: told.body}
	state := body.state()
	if !body.ok() {
		return false, false
	}
	c.news, c.state, c.told = told, state, true
	r.gazette = nil
	return true, true
}

// publish notes what we tell of ourselves, and reports whether it is anything new.
func (r *roster) publish(state State, body []byte) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.self.told && slices.Equal(r.self.body, body) {
		return false
	}
	r.self.state, r.self.body, r.self.told = state, body, true
	r.self.seq++
	r.gazette = nil
	return true
}

// told is what we tell of ourselves now; false: nothing yet.
func (r *roster) told() (news, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.self.news, r.self.told
}

// instance is our own.
func (r *roster) instance() uint64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.self.instance
}

// outdo makes our instance later than one of this node that others know, and reports whether it had to: a clock that was
// set back must not make us our own predecessor.
func (r *roster) outdo(instance uint64) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if instance <= r.self.instance || instance >= latest-1 {
		return false
	}
	r.self.instance = instance + 1
	r.gazette = nil
	return true
}

// all is what is known of ourselves and of those who are alive or count as such, for a complete exchange.
func (r *roster) all() []news {
	r.mu.Lock()
	defer r.mu.Unlock()
	var all []news
	if r.self.told {
		all = append(all, r.self.news)
	}
	for node, c := range r.cards {
		if o := r.watch.others[node]; o == nil {
			delete(r.cards, node)
		} else if c.told && c.instance == o.instance && !o.left && (o.alive || o.gossip) {
			all = append(all, c.news)
		}
	}
	return all
}

// reachable are the addresses of all who are alive or count as such.
func (r *roster) reachable() []memberlist.Address {
	r.mu.Lock()
	defer r.mu.Unlock()
	all := make([]memberlist.Address, 0, len(r.cards))
	for node, c := range r.cards {
		if o := r.watch.others[node]; o != nil && !o.left && (o.alive || o.gossip) && c.to != "" {
			all = append(all, memberlist.Address{Addr: c.to, Name: node})
		}
	}
	return all
}

// address is that of a speaker; false: not known. Who is not alive may have moved to where it is expected. The caller
// holds mu.
func (r *roster) address(node string) (memberlist.Address, bool) {
	c := r.cards[node]
	if c == nil {
		return memberlist.Address{}, false
	}
	to := c.to
	if o := r.watch.others[node]; c.expected.IsValid() && (to == "" || o != nil && !o.alive) {
		to = c.expected.String()
	}
	return memberlist.Address{Addr: to, Name: node}, to != ""
}

// where is where a speaker gossips; false: not known.
func (r *roster) where(node string) (memberlist.Address, netip.AddrPort, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	to, known := r.address(node)
	if !known {
		return to, netip.AddrPort{}, false
	}
	at, err := netip.ParseAddrPort(to.Addr)
	return to, at, err == nil
}

// targets are the addresses to ping at a tick; of everybody alive when so asked.
func (r *roster) targets(tick uint64, everybody bool) []memberlist.Address {
	if everybody {
		return r.reachable()
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	var all []memberlist.Address
	for _, node := range r.watch.targets(tick) {
		if to, known := r.address(node); known {
			all = append(all, to)
		}
	}
	return all
}

// listed are those whom memberlist counts as alive, in order of name, this speaker included.
func (r *roster) listed() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	nodes := []string{r.self.node}
	for node, o := range r.watch.others {
		if o.gossip {
			nodes = append(nodes, node)
		}
	}
	slices.Sort(nodes)
	return nodes
}

// heard are those who are heard though memberlist does not count them as alive, with their addresses.
func (r *roster) heard() map[string]ExpectedPeer {
	r.mu.Lock()
	defer r.mu.Unlock()
	heard := map[string]ExpectedPeer{}
	for node, o := range r.watch.others {
		if o.alive && !o.gossip {
			heard[node] = ExpectedPeer{Address: r.card(node).at}
		}
	}
	return heard
}

// counts are the totals of the watch.
func (r *roster) counts() (missed, alarms uint64, alive int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	alive = 1
	for o := range maps.Values(r.watch.others) {
		if o.alive {
			alive++
		}
	}
	return r.watch.missed, r.watch.alarms, alive
}
