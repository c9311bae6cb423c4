package gossip

import (
	"context"
	"encoding/binary"
	"net/netip"
	"slices"
	"sync"
	"time"

	"github.com/hashicorp/memberlist"

	"github.com/daymark-lb/daymark/internal/core/election"
)

const (
	// maxQueuedClaims is how many claims made at once gossip retransmits; of more, what is lost comes by the next exchange.
	maxQueuedClaims = 300
	// maxQueued bounds the messages that wait to be retransmitted.
	maxQueued = 32
	// maxMissedMessages bounds the datagrams with what a speaker has missed; the rest comes by exchange.
	maxMissedMessages = 64
	// deliveryGrace is how long before its silence a speaker may have missed something: it was on its way.
	deliveryGrace = time.Second
)

// header returns the header of a message of ours.
func (m *Membership) header(k kind) []byte {
	return header{kind: k, node: m.cfg.Node, incarnation: m.peers.incarnation()}.encode()
}

// send sends a message by datagram. What is lost is lost, and so is what cannot be sent: a peer without a route is no
// different from one that does not answer.
func (m *Membership) send(to memberlist.Address, message []byte) {
	if list := m.list.Load(); list != nil {
		if err := list.SendToAddress(to, message); err != nil {
			m.cfg.Log.Debug("send gossip", "to", to.String(), "error", err)
		}
	}
}

// sendReliably sends a message by TCP.
func (m *Membership) sendReliably(to memberlist.Address, message []byte) {
	at, err := netip.ParseAddrPort(to.Addr)
	if err != nil {
		return
	}
	node := &memberlist.Node{Name: to.Name, Addr: at.Addr().AsSlice(), Port: at.Port()}
	if err := m.list.Load().SendReliable(node, message); err != nil {
		m.cfg.Log.Debug("send gossip by TCP", "to", to.String(), "error", err)
	}
}

// BroadcastClaims sends claims to every speaker at once, by datagram, and has gossip retransmit them, if they are not too
// many, for those who missed them. The next exchanges bring them to the others. Claims that are not new are not sent.
func (m *Membership) BroadcastClaims(claims []election.Claim) {
	if added, _ := m.mergeClaims(time.Now(), claims); len(added) == 0 {
		return
	}
	everybody := m.peers.reachable()
	for _, message := range m.claimMessages(claims, 0) {
		for _, to := range everybody {
			m.send(to, message)
		}
	}
	m.queueClaims(claims)
}

// SetWanted says for which addresses claims are kept and passed on: the whole of what is of interest. Claims to others are
// kept for 10 minutes after they were last wanted or received, and are not passed on. Until the first call all addresses
// are wanted. The map is kept, and must not be changed any more.
func (m *Membership) SetWanted(addresses map[netip.Addr]struct{}) {
	m.claims.setWanted(time.Now(), addresses)
}

// BroadcastState sends the state of this speaker to the others, at once when it has changed. Those who cannot be reached now
// get it later. The links are kept, and must not be changed any more.
func (m *Membership) BroadcastState(state State) {
	if m.peers.setOwnState(state, encode(state)) {
		notify(m.changes)
		m.sendState()
	}
}

// sendClaims sends claims by datagrams, and returns how many those were; seq is the ping they answer, or 0.
func (m *Membership) sendClaims(to memberlist.Address, claims []election.Claim, seq uint64) int {
	messages := m.claimMessages(claims, seq)
	messages = messages[:min(len(messages), maxMissedMessages)]
	for _, message := range messages {
		m.send(to, message)
	}
	return len(messages)
}

// claimMessages returns messages of claims, each fit for a datagram.
func (m *Membership) claimMessages(claims []election.Claim, seq uint64) [][]byte {
	head := binary.AppendUvarint(m.header(kindClaims), seq)
	var messages [][]byte
	for _, batch := range batches(claims, len(head)) {
		messages = append(messages, appendClaims(slices.Clip(head), batch))
	}
	return messages
}

// queueClaims has gossip retransmit claims, if they are few.
func (m *Membership) queueClaims(claims []election.Claim) {
	if len(claims) == 0 || len(claims) > maxQueuedClaims {
		return
	}
	for _, message := range m.claimMessages(claims, 0) {
		m.broadcasts.QueueBroadcast(&broadcast{message: message})
	}
	m.broadcasts.Prune(maxQueued)
}

// broadcast is a message that gossip retransmits; one with a name replaces the one of that name before.
type broadcast struct {
	name    string
	message []byte
}

// Name implements memberlist.NamedBroadcast; "" replaces nothing.
func (b *broadcast) Name() string { return b.name }

// Invalidates implements memberlist.Broadcast.
func (b *broadcast) Invalidates(memberlist.Broadcast) bool { return false }

// Message implements memberlist.Broadcast.
func (b *broadcast) Message() []byte { return b.message }

// Finished implements memberlist.Broadcast.
func (b *broadcast) Finished() {}

// sendState sends our state to everybody: by datagram if it fits in one, otherwise by TCP, which may take time and is left
// to sendLargeStates.
func (m *Membership) sendState() {
	message, ok := m.stateMessage()
	switch {
	case !ok:
	case len(message) > maxDatagram:
		notify(m.largeState)
	default:
		for _, to := range m.peers.reachable() {
			m.send(to, message)
		}
		m.broadcasts.QueueBroadcast(&broadcast{name: "state", message: message})
	}
}

// stateMessage returns the message with our state; false: there is none yet.
func (m *Membership) stateMessage() (message []byte, ok bool) {
	own, ok := m.peers.ownState()
	if !ok {
		return nil, false
	}
	head := header{kind: kindState, node: own.node, incarnation: own.incarnation}
	return append(binary.AppendUvarint(head.encode(), own.seq), own.body...), true
}

// sendLargeStates sends states that do not fit in a datagram, always the latest, to everybody, a few side by side, until ctx
// ends.
func (m *Membership) sendLargeStates(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-m.largeState:
		}
		message, _ := m.stateMessage()
		var (
			sending sync.WaitGroup
			slots   = make(chan struct{}, maxParallel)
		)
		for _, to := range m.peers.reachable() {
			slots <- struct{}{}
			sending.Go(func() {
				m.sendReliably(to, message)
				<-slots
			})
		}
		sending.Wait()
	}
}

// sendMissed sends a speaker the claims that it has missed since a time, and our own. It returns the number of messages.
func (m *Membership) sendMissed(to memberlist.Address, since time.Time, seq uint64) int {
	if since.IsZero() {
		since = time.Now().Add(deliveryGrace) // It is new: the exchange when it joins brings all but what we claim just now.
	}
	own := author{m.cfg.Node, m.peers.incarnation()}
	return m.sendClaims(to, m.claims.missed(since.Add(-deliveryGrace), own), seq)
}

// syncState sends our state to a speaker that is heard again, and leaves what may take time to rejoinRecovered.
func (m *Membership) syncState(node string, at netip.AddrPort) {
	if message, ok := m.stateMessage(); ok && len(message) <= maxDatagram {
		m.send(memberlist.Address{Addr: at.String(), Name: node}, message)
	}
	select {
	case m.recovered <- node:
	default: // joinMissing comes to it within a second.
	}
}
