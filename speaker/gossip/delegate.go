package gossip

import (
	"encoding/binary"
	"net/netip"
	"time"

	"github.com/hashicorp/memberlist"
)

// delegate is what memberlist calls with user messages and user state. None of its methods may block: NotifyMsg runs on the
// only goroutine that handles datagrams, which has to answer probes.
type delegate struct{ membership *Membership }

// metaLen is the length of a NodeMeta: a byte that is 1, and the incarnation. Version 1 accepts no other. Which versions we
// understand is therefore told by DelegateProtocolMax, which memberlist sends with the NodeMeta. A later version that does
// not understand version 1 any more may append its range as two fields: the lowest and the highest.
const metaLen = 9

// NodeMeta returns what memberlist tells the others about us: our incarnation.
func (d delegate) NodeMeta(int) []byte {
	return binary.BigEndian.AppendUint64([]byte{byte(version1)}, d.membership.Incarnation())
}

// incarnationOf decodes a NodeMeta; 0: it has none.
func incarnationOf(meta []byte) uint64 {
	if len(meta) < metaLen || meta[0] != byte(version1) {
		return 0
	}
	if incarnation := binary.BigEndian.Uint64(meta[1:]); incarnation < maxIncarnation {
		return incarnation
	}
	return 0
}

// NotifyMsg takes a message of another speaker. What comes before memberlist.Create has returned is lost, because we could
// not answer, and comes again.
func (d delegate) NotifyMsg(message []byte) {
	if d.membership.list.Load() != nil && !d.membership.receive(message, byMemberlist) {
		d.membership.metrics.malformed.Inc()
	}
}

// GetBroadcasts returns messages that gossip retransmits, as many as fit.
func (d delegate) GetBroadcasts(overhead, limit int) [][]byte {
	return d.membership.broadcasts.GetBroadcasts(overhead, limit)
}

// LocalState returns what a push/pull exchange brings to the other side, of which memberlist does not say who it is.
func (d delegate) LocalState(bool) []byte {
	m, v := d.membership, d.membership.peers.exchangeVersion()
	return encode(m.header(kindExchange, v), exchange{states: m.peers.states(), claims: m.claims.all()}.append(nil, v))
}

// MergeRemoteState takes what a push/pull exchange has brought.
func (d delegate) MergeRemoteState(message []byte, _ bool) {
	if !d.membership.receive(message, byMemberlist) {
		d.membership.metrics.malformed.Inc()
		return
	}
	d.membership.claimsCame(d.membership.peers.exchanged)
}

// events is what memberlist calls when nodes come and go. memberlist holds its lock meanwhile: the methods must return at
// once, and must not call memberlist.
type events struct{ membership *Membership }

// NotifyJoin notes a node that is alive.
func (e events) NotifyJoin(node *memberlist.Node) { e.setListed(node, true) }

// NotifyLeave notes a node that has left or is dead.
func (e events) NotifyLeave(node *memberlist.Node) { e.setListed(node, false) }

// NotifyUpdate notes a node whose NodeMeta or address has changed.
func (e events) NotifyUpdate(node *memberlist.Node) { e.setListed(node, true) }

func (e events) setListed(node *memberlist.Node, alive bool) {
	m := e.membership
	if node.Name != m.cfg.Node {
		addr, _ := netip.AddrFromSlice(node.Addr)
		listed := listing{incarnationOf(node.Meta), versionsOf(node.Meta, node.DMax), netip.AddrPortFrom(addr, node.Port)}
		m.peers.setListed(time.Now(), node.Name, listed, alive)
	} else {
		m.told.Store(incarnationOf(node.Meta))
	}
	m.guard.outdated.Store(true)
	notify(m.changes)
}
