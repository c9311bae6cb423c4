package gossip

import (
	"encoding/binary"
	"net/netip"
	"slices"
	"time"

	"github.com/hashicorp/memberlist"
)

// delegate is what memberlist calls with what others tell. None of it may block: NotifyMsg runs on the only goroutine that
// handles datagrams, which has to answer pings.
type delegate struct{ members *Membership }

// NodeMeta is what memberlist tells with our being alive: our instance.
func (d delegate) NodeMeta(int) []byte {
	return binary.BigEndian.AppendUint64([]byte{version}, d.members.Incarnation())
}

// instanceOf reads a NodeMeta; 0: there is none.
func instanceOf(meta []byte) uint64 {
	if len(meta) != 9 || meta[0] != version {
		return 0
	}
	if instance := binary.BigEndian.Uint64(meta[1:]); instance < latest {
		return instance
	}
	return 0
}

// NotifyMsg takes a message of another speaker. In the moment in which memberlist listens and has not returned we could
// not answer: what comes then is lost, and comes again.
func (d delegate) NotifyMsg(message []byte) {
	if d.members.list.Load() != nil && !d.members.receive(message) {
		d.members.metrics.malformed.Inc()
	}
}

// GetBroadcasts gives what is repeated by gossip, as much as fits.
func (d delegate) GetBroadcasts(overhead, limit int) [][]byte {
	return d.members.repeats.GetBroadcasts(overhead, limit)
}

// LocalState is what a complete exchange brings the other side.
func (d delegate) LocalState(bool) []byte {
	m := d.members
	return exchange{states: m.roster.all(), claims: m.table.wanted()}.append(m.heading(kindExchange))
}

// MergeRemoteState takes what a complete exchange has brought.
func (d delegate) MergeRemoteState(message []byte, _ bool) {
	if !d.members.receive(message) {
		d.members.metrics.malformed.Inc()
	}
}

// events hears of nodes that come and go, with memberlist's lock held: it must return at once, and may not look.
type events struct{ members *Membership }

// NotifyJoin is told of a node that is alive.
func (e events) NotifyJoin(node *memberlist.Node) { e.note(node, true) }

// NotifyLeave is told of a node that has left or is dead.
func (e events) NotifyLeave(node *memberlist.Node) { e.note(node, false) }

// NotifyUpdate is told of a node that says something else of itself.
func (e events) NotifyUpdate(node *memberlist.Node) { e.note(node, true) }

func (e events) note(node *memberlist.Node, alive bool) {
	m := e.members
	if node.Name != m.cfg.Node {
		addr, _ := netip.AddrFromSlice(node.Addr)
		m.roster.list(time.Now(), node.Name, instanceOf(node.Meta), netip.AddrPortFrom(addr, node.Port), alive)
	}
	notify(m.changes)
}

// receive acts on a message; it reports whether it could be read.
func (m *Membership) receive(message []byte) bool {
	from, body := open(message)
	if body.bad {
		return false
	}
	if from.from == m.cfg.Node {
		// An earlier run of ours, or a second speaker under our name, which memberlist warns of.
		return true
	}
	now := time.Now()
	switch from.kind {
	case kindPing:
		return m.onPing(now, from, body)
	case kindPong:
		return m.onPong(now, from, body)
	case kindVotes:
		return m.onVotes(now, from, body)
	case kindClaims:
		return m.onClaims(now, from, body)
	case kindState:
		return m.onState(now, from, body)
	case kindBye:
		m.roster.use(func(w *watch) { w.leave(now, from.from, from.instance) })
		m.follow()
		return body.ok()
	default:
		return m.onExchange(now, body)
	}
}

// onPing answers a ping, after what the other side has missed.
func (m *Membership) onPing(now time.Time, from head, body *reader) bool {
	p := body.ping()
	if !body.ok() {
		return false
	}
	if m.leaving.Load() {
		return true
	}
	back, since := m.roster.hear(now, from, p.at, false)
	m.follow()
	to := memberlist.Address{Addr: p.at.String(), Name: from.from}
	if p.missed > 0 {
		since = now.Add(-p.missed)
	}
	var owed int
	if back || p.missed > 0 {
		owed = m.catchUp(to, since, p.seq)
	}
	m.send(to, pong{seq: p.seq, owed: uint64(owed)}.append(m.heading(kindPong)))
	if back {
		m.welcome(from.from, p.at)
	}
	return true
}

// onPong takes the answer to a ping of ours.
func (m *Membership) onPong(now time.Time, from head, body *reader) bool {
	p := body.pong()
	if !body.ok() {
		return false
	}
	m.hear(now, from, true)
	m.fence.pong(m.since(now), from.from, p.seq, p.owed)
	return true
}

// hear takes a message of a speaker as a sign of life. One that is back is told what it has missed, whatever the message
// was that came first.
func (m *Membership) hear(now time.Time, from head, pong bool) {
	back, since := m.roster.hear(now, from, netip.AddrPort{}, pong)
	m.follow()
	if to, at, known := m.roster.where(from.from); back && known {
		m.catchUp(to, since, 0)
		m.welcome(from.from, at)
	}
}

// onVotes takes the votes of a watcher.
func (m *Membership) onVotes(now time.Time, from head, body *reader) bool {
	v := body.votes()
	if !body.ok() {
		return false
	}
	m.hear(now, from, false)
	for _, each := range v.ballots {
		if each.node == m.cfg.Node {
			m.outdo(each.instance)
			continue
		}
		m.roster.use(func(w *watch) { w.hearsay(now, from.from, v.seq, each) })
	}
	m.follow()
	return true
}

// onClaims takes claims that were sent by datagram. What is news is passed on, for those whom the sender does not reach; a
// sender that knows less than we do is told.
func (m *Membership) onClaims(now time.Time, from head, body *reader) bool {
	seq, claims := body.number(), body.claims()
	if !body.ok() {
		return false
	}
	m.hear(now, from, false)
	news, stronger := m.learn(now, claims)
	if seq != 0 {
		m.fence.merge(m.since(now), from.from, seq)
		return true
	}
	m.repeat(news)
	if to, _, known := m.roster.where(from.from); known && len(stronger) > 0 {
		m.sendClaims(to, stronger, 0)
	}
	return true
}

// onState takes what a speaker tells of itself. It may have come by TCP, so it says nothing about heartbeats.
func (m *Membership) onState(now time.Time, from head, body *reader) bool {
	told := news{node: from.from, instance: from.instance, seq: body.number()}
	told.body = slices.Clone(body.bytes(len(body.rest)))
	if body.bad || len(told.body) > mostState {
		return false
	}
	return m.hand(now, told)
}

// onExchange takes all that another speaker knows.
func (m *Membership) onExchange(now time.Time, body *reader) bool {
	e := body.exchange()
	if !body.ok() {
		return false
	}
	ok := true
	for _, told := range e.states {
		ok = m.hand(now, told) && ok
	}
	m.learn(now, e.claims)
	return ok
}
