package handover

import (
	"net/netip"
	"slices"
	"time"

	"github.com/daymark-lb/daymark/internal/core/election"
	"github.com/daymark-lb/daymark/internal/core/lb"
)

// settleTime is how long after a move its former holder counts as one that has connections, whatever it says: until then it may
// not have counted them, or said so, and clients that know the old way open more.
const settleTime = 10 * time.Second

// lingerTime is how long a former holder that has no connections left still passes on what others send it: they are told some seconds later
// that it has none, or saw it leave later and wait for settleTime from then on.
const lingerTime = 3 * settleTime

// RouteDelay is by how much the routers learn later than the nodes that a node announces an address beside others, or does not any more: the
// others must have learned that they are to pass on what they do not know, before the routers send it to them.
const RouteDelay = 300 * time.Millisecond

// endpointDelay is the same where it is an endpoint that came or went, and the load is to follow the pods within 200 ms: all nodes see that
// at the same time, and a router takes about 100 ms until it acts. Where nodes may be behind what they see, in a large cluster, it is as long as that.
const endpointDelay = 50 * time.Millisecond

// lostDelay is how long a node whose speaker has left must not answer until it is taken for switched off. It may be this node's own
// link that was down for a moment.
const lostDelay = 15 * time.Second

// maxAbsent is how many addresses are remembered that are not announced any more.
const maxAbsent = 4096

// Memory keeps for each address who attracted its packets, over the passes of one speaker. The zero value is ready for use, by one
// goroutine.
type Memory struct {
	// tracks in order of address.
	tracks []*track
	peers  map[string]Peer
	// silent is since when nodes do not answer whose speakers have left, and passages are those of the last plan.
	silent   map[string]time.Time
	passages []Passage
	crashes  Crashes
}

// Input is what a node knows at the time of a pass.
type Input struct {
	Now time.Time
	// Behind is how long after a change of the objects nodes may see it, because others change as well.
	Behind time.Duration
	// Node that decides.
	Node string
	// Addresses that the cluster announces, in order of Addr, each once.
	Addresses []Address
	// Peers are the other nodes whose speakers are alive.
	Peers map[string]Peer
	// Dead are the nodes that are down, or gone: not those whose speakers said that they leave, whose kernels go on.
	Dead func(node string) bool
	// Silent are nodes whose speakers have not said that they leave, and are not heard. They have crashed, or are short of processor time.
	Silent []string
	// Answered are those of Plan.Asked that have answered on the segment lately, sorted: their kernels go on.
	Answered []netip.Addr
	// Unreachable are addresses of other nodes that do not answer on the segment, sorted.
	Unreachable []netip.Addr
	// Disturbed are nodes whose routes may just have changed, though it is not known how: all that share an address with them may
	// see packets of each other's connections.
	Disturbed map[string]bool
	// Suspects are nodes that may have crashed, sorted: while they are, it is as if their routes had changed.
	Suspects []string
	// Left is how many open connections there are here to the addresses that are counted. One that is missing has not been counted.
	Left map[netip.Addr]int
	// Found are the addresses that the process before this one had counted, and for how long each is to be; in one pass only.
	Found []Counted
	// Away are other nodes whose speakers this process has not heard, until the first pass that counts.
	Away []Away
}

// Address is an address that nodes attract packets for.
type Address struct {
	Addr netip.Addr
	// Holders are the nodes that do so now, sorted: one by layer 2, any number by BGP. They may share the slice.
	Holders []string
	// Revision changes when the holders divide the clients anew among themselves.
	Revision uint64
	// Links of this node, by name, on which it answers for the address, if it is by layer 2; none: packets may come in by any.
	Links []string
	// Draining is how long after a change connections are passed on; 0: they are not.
	Draining time.Duration
	// Follows: this node attracts its packets whenever it has a ready endpoint, and routers weigh nodes by those.
	Follows bool
}

// Peer is what is known of another node.
type Peer struct {
	// Vias are its addresses on segments that this node shares with it, the preferred ones first.
	Vias []Via
	// Left are addresses that it does not attract packets for any more, and has, or may have, open connections to.
	Left []netip.Addr
	// Complete: there are no others. A speaker of an earlier version does not say.
	Complete bool
	// PassesOn: it passes on what it does not know itself. Only is the family of which it does where it does not of both.
	PassesOn bool
	Only     lb.Family
	// Partial: it has just begun, and what has come of it does not say Left, Complete and PassesOn. Its kernel does what it did before.
	Partial bool
}

// Via is an address of another node, with the length of its subnet, on a segment that Links of this node are on, by name.
type Via struct {
	Prefix netip.Prefix
	Links  []string
}

// passes reports whether it passes on what it does not know of an address.
func (p *Peer) passes(addr netip.Addr) bool { return p.PassesOn || p.Only == lb.FamilyOf(addr) }

// Decision is what a node does in a pass.
type Decision struct {
	Plan Plan
	// Left are the addresses to tell the others of: those that are counted and have connections, or may have some.
	Left []netip.Addr
	// Stranded are those of Left that no node hands packets on to this one: all that attract them now are apart. Nothing of them can be kept.
	Stranded []netip.Addr
	// Until says of each counted address when its connections are not passed on to this node any more, in the order of Plan.Counted.
	Until []time.Time
	// Joined are the addresses that this node has attracted packets for since a moment ago, beside others that did before, and Gone those that
	// it does not any more, while others do, and until when routers are not to hear of it: of those that the others do not pass on already.
	Joined, Gone map[netip.Addr]time.Time
	// Turned are those whose holders divide the clients anew since less than RouteDelay, after a time in which nothing was passed on, and until
	// when that is.
	Turned map[netip.Addr]time.Time
	// Calm: of an address that other nodes attract packets for, too, by any link, nothing is passed on, because nothing has changed for long.
	Calm bool
	// Apart are nodes that would be handed packets, and cannot be.
	Apart Apart
	// Wait is when to decide again though nothing has happened; 0: no need.
	Wait time.Duration
}

// via is where packets of an address are handed over to the node: on the address's own subnet, if both are on it, else where this node
// answers for it. On another segment a kernel with strict rp_filter drops what does not come in by the route to the client. Invalid: nowhere.
func (p *Peer) via(a *Address, in *Input) (best netip.Addr) {
	for i := range p.Vias {
		v := &p.Vias[i]
		addr := v.Prefix.Addr()
		announced := len(a.Links) == 0 || slices.ContainsFunc(v.Links, func(link string) bool { return slices.Contains(a.Links, link) })
		switch {
		case addr.Is4() != a.Addr.Is4() || !announced || in.unreachable(addr):
		case v.Prefix.Contains(a.Addr):
			return addr
		case !best.IsValid():
			best = addr
		}
	}
	return best
}

// Next takes in what is known and decides.
func (m *Memory) Next(in Input) Decision {
	d := Decision{Wait: election.Sooner(m.lose(&in), m.crash(&in))}
	m.remember(&in)
	reports := reportsOf(in.Peers)
	found := forOf(in.Found)
	before, apart := m.tracks, aparts{}
	m.tracks = make([]*track, 0, len(in.Addresses))
	absent := 0
	rest := func(t *track) {
		if t.rests(in.Now) {
			m.tracks = append(m.tracks, t)
			absent++
		}
	}
	for i := range in.Addresses {
		a := &in.Addresses[i]
		if a.Draining <= 0 {
			continue
		}
		for len(before) > 0 && before[0].addr.Less(a.Addr) {
			rest(before[0])
			before = before[1:]
		}
		var t *track
		if len(before) > 0 && before[0].addr == a.Addr {
			t, before = before[0], before[1:]
		} else {
			t = newTrack(&in, a)
		}
		t.unheard(&in, a)
		if left, was := found[a.Addr]; was {
			t.add(former{node: in.Node, since: in.Now.Add(min(0, left-a.Draining))})
		}
		m.tracks = append(m.tracks, t)
		t.update(&in, a, m.peers, reports[a.Addr])
		m.decide(&d, &in, a, t)
		apart.look(&in, a, t, m.peers)
	}
	for _, t := range before {
		rest(t)
	}
	if absent > maxAbsent {
		m.forget(absent - maxAbsent)
	}
	m.passages, d.Plan.Asked, d.Apart = d.Plan.Passages, m.asked(&in, &d.Plan), apart.sorted()
	return d
}

// forOf says of addresses that are counted for how long each still is.
func forOf(counted []Counted) map[netip.Addr]time.Duration {
	left := make(map[netip.Addr]time.Duration, len(counted))
	for _, c := range counted {
		left[c.Addr] = c.For
	}
	return left
}

// forget forgets so many of the addresses that are not announced, those first that have not been for longest.
func (m *Memory) forget(count int) {
	absent := slices.DeleteFunc(slices.Clone(m.tracks), func(t *track) bool { return t.lately().absent.IsZero() })
	slices.SortStableFunc(absent, func(a, b *track) int { return a.events.absent.Compare(b.events.absent) })
	forgotten := make(map[*track]bool, count)
	for _, t := range absent[:count] {
		forgotten[t] = true
	}
	m.tracks = slices.DeleteFunc(m.tracks, func(t *track) bool { return forgotten[t] })
}

// lose has Dead say so of nodes that do not answer on any segment after their speakers have said that they leave, for lostDelay: they are
// switched off. They are not asked again before their speakers are back, for a kernel that has just booted knows no connection. Wait is
// when to decide again; 0: no need.
func (m *Memory) lose(in *Input) (wait time.Duration) {
	silent := map[string]time.Time{}
	// order does not matter: each node is for itself
	for node := range m.peers {
		if _, alive := in.Peers[node]; alive || !m.unanswered(m.peers[node].Vias, in) {
			continue
		}
		since, known := m.silent[node]
		if !known {
			since = in.Now
		}
		silent[node] = since
		if left := lostDelay - in.Now.Sub(since); left > 0 {
			wait = election.Sooner(wait, left)
		}
	}
	m.silent = silent
	dead := in.Dead
	in.Dead = func(node string) bool {
		since, is := silent[node]
		return is && in.Now.Sub(since) >= lostDelay || dead(node)
	}
	return wait
}

// crash has Dead say so of nodes that have been silent for CrashDelay and have not answered on the segment, and returns when to decide again;
// 0: no need. A node that answers knows its connections, whatever its speaker does.
func (m *Memory) crash(in *Input) (wait time.Duration) {
	answers := func(node string) bool {
		return slices.ContainsFunc(m.peers[node].Vias, func(v Via) bool {
			_, found := slices.BinarySearchFunc(in.Answered, v.Prefix.Addr(), netip.Addr.Compare)
			return found
		})
	}
	crashed, wait := m.crashes.Next(in.Now, slices.DeleteFunc(slices.Clone(in.Silent), answers))
	dead := in.Dead
	in.Dead = func(node string) bool { return crashed[node] || dead(node) }
	return wait
}

// maxAsked bounds the addresses that are asked, each once a second: when the gossip is cut in two, half of a large cluster is silent. Nodes
// beyond count as crashed.
const maxAsked = 32

// asked are the addresses of the silent nodes on the segments of this one, if a plan depends on them.
func (m *Memory) asked(in *Input, plan *Plan) (addrs []netip.Addr) {
	if len(plan.Passages)+len(plan.Counted) == 0 {
		return nil
	}
	for _, node := range in.Silent {
		for i := range m.peers[node].Vias {
			addrs = append(addrs, m.peers[node].Vias[i].Prefix.Addr())
		}
	}
	slices.SortFunc(addrs, netip.Addr.Compare)
	addrs = slices.Compact(addrs)
	return addrs[:min(len(addrs), maxAsked)]
}

// unanswered reports whether an address of a node does not answer, and none answers that packets go on to: of one that nothing goes on
// to nothing is known.
func (m *Memory) unanswered(vias []Via, in *Input) (is bool) {
	for i := range vias {
		addr := vias[i].Prefix.Addr()
		switch {
		case in.unreachable(addr):
			is = true
		case slices.ContainsFunc(m.passages, func(p Passage) bool { return p.Via == addr }):
			return false
		}
	}
	return is
}

// off reports whether a node does not answer by one of its addresses.
func (in *Input) off(p *Peer) bool {
	return slices.ContainsFunc(p.Vias, func(v Via) bool { return in.unreachable(v.Prefix.Addr()) })
}

// unreachable reports whether an address does not answer.
func (in *Input) unreachable(via netip.Addr) bool {
	_, found := slices.BinarySearchFunc(in.Unreachable, via, netip.Addr.Compare)
	return found
}

// remember keeps what is known of the nodes whose speakers restart.
func (m *Memory) remember(in *Input) {
	peers := make(map[string]Peer, len(in.Peers))
	for node, peer := range m.peers {
		if _, alive := in.Peers[node]; !alive && !in.Dead(node) {
			peer.Left, peer.Complete = nil, false
			peers[node] = peer
		}
	}
	for i := range in.Away {
		if away := &in.Away[i]; !in.Dead(away.Node) && peers[away.Node].Vias == nil {
			peers[away.Node] = Peer{Vias: away.Vias}
		}
	}
	for node, peer := range in.Peers {
		if peer.Partial {
			peer.PassesOn, peer.Only = m.peers[node].PassesOn, m.peers[node].Only
		}
		peers[node] = peer
	}
	m.peers = peers
}

// decide adds what an address needs.
func (m *Memory) decide(d *Decision, in *Input, a *Address, t *track) {
	if own := t.formerly(in.Node); own != nil {
		until := own.since.Add(a.Draining)
		d.Plan.Counted, d.Until = append(d.Plan.Counted, Counted{a.Addr, until.Sub(in.Now)}), append(d.Until, until)
		if left, counted := in.Left[a.Addr]; left > 0 || !counted || in.Now.Before(t.settled(own)) {
			d.Left = append(d.Left, a.Addr)
			if m.strands(in, a, t, own) {
				d.Stranded = append(d.Stranded, a.Addr)
			}
		}
	}
	if via, hops := m.next(in, a, t); via.IsValid() {
		d.Plan.Passages = append(d.Plan.Passages, Passage{a.Addr, via, hops})
	}
	d.Joined = noteUntil(d.Joined, in.Now, a.Addr, t.lately().joined)
	if len(a.Holders) > 0 {
		d.Gone = noteUntil(d.Gone, in.Now, a.Addr, t.lately().left)
	}
	if len(a.Holders) > 1 {
		d.Turned = noteUntil(d.Turned, in.Now, a.Addr, t.lately().turned.Add(RouteDelay))
	}
	d.Calm = d.Calm || len(a.Links) == 0 && in.Now.Sub(t.changed) >= a.Draining && slices.ContainsFunc(a.Holders, func(node string) bool { return node != in.Node })
	d.Wait = election.Sooner(d.Wait, t.wait(in.Now, a.Draining))
}

// noteUntil adds an address to some, with a time until which something is so, unless that is over.
func noteUntil(moments map[netip.Addr]time.Time, now time.Time, addr netip.Addr, until time.Time) map[netip.Addr]time.Time {
	if !now.Before(until) {
		return moments
	}
	if moments == nil {
		moments = map[netip.Addr]time.Time{}
	}
	moments[addr] = until
	return moments
}

// next is where this node passes on what it does not know of an address, and how often a packet is passed on in all. The way is a ring,
// for packets come in by any of the holders; and where there is one, by former ones too, from clients and switches that have not heard of it yet.
// A node that does not pass on ends every way, so at most one is asked, after all others: if one holds the address, or did until a moment
// ago, the way begins there and ends with it; of a ring it is a part if there are no others.
func (m *Memory) next(in *Input, a *Address, t *track) (via netip.Addr, hops int) {
	holder := t.sole
	if len(t.holders) == 0 && holder == "" || len(t.holders) < 2 && len(t.former) == 0 || len(t.holders) > 1 && in.Now.Sub(t.changed) >= a.Draining && !t.doubted {
		return netip.Addr{}, 0
	}
	members := t.members(in)
	me, found := slices.BinarySearch(members, in.Node)
	if !found {
		return netip.Addr{}, 0
	}
	// around leads to the holder, or beyond. While nobody holds the address that one may have crashed.
	var around, last netip.Addr
	ended := false
	for i := 1; i < len(members); i++ {
		node := members[(me+i)%len(members)]
		peer := m.peers[node]
		next := peer.via(a, in)
		ended = ended || node == holder
		switch {
		case !next.IsValid() && in.off(&peer): // nothing goes by it
		case peer.passes(a.Addr):
			hops++
			if !ended && !via.IsValid() {
				via = next
			} else if ended && !around.IsValid() && len(t.holders) > 0 {
				around = next
			}
		case !last.IsValid() && node != holder:
			last = next
		}
	}
	switch {
	case holder != "" && last.IsValid():
		hops, around = hops+1, last
	case !via.IsValid() && !around.IsValid():
		hops, around = 1, last
	}
	if !via.IsValid() {
		via = around
	}
	if !via.IsValid() {
		return via, 0
	}
	return via, min(hops, MaxMembers-1)
}

// reportsOf says by address which nodes have connections left.
func reportsOf(peers map[string]Peer) map[netip.Addr]map[string]bool {
	var reports map[netip.Addr]map[string]bool
	// order does not matter: they are sets
	for node := range peers {
		for _, addr := range peers[node].Left {
			if reports == nil {
				reports = map[netip.Addr]map[string]bool{}
			}
			if reports[addr] == nil {
				reports[addr] = map[string]bool{}
			}
			reports[addr][node] = true
		}
	}
	return reports
}
