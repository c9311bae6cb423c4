package gossip

import (
	"context"
	"net/netip"
	"sync"
	"time"

	"github.com/hashicorp/memberlist"

	"github.com/daymark-lb/daymark/internal/core/detector"
	"github.com/daymark-lb/daymark/internal/core/election"
	"github.com/daymark-lb/daymark/internal/traceapi"
)

const (
	// maxQueued bounds the messages that wait to be retransmitted, the oldest and most repeated of which are dropped. Gossip
	// takes some at every interval, so their rate is bounded as well. What is lost all the same shows in the digests.
	maxQueued = 256
	// maxMissedMessages bounds the datagrams with what a speaker has missed; the rest comes by exchange.
	maxMissedMessages = 64
	// deliveryGrace is how long before its silence a speaker may have missed something: it was on its way.
	deliveryGrace = time.Second
)

// header returns the header of a message of ours that may be for anybody.
func (m *Membership) header(k kind, v version) header {
	h := header{version: v, kind: k, node: m.cfg.Node, incarnation: m.peers.incarnation()}
	m.peers.withDetector(func(d *detector.Detector) { h.alone = d.Alone(time.Now()) })
	return h
}

// post sends messages of one kind by datagram to speakers, to each in the version that it understands.
func (m *Membership) post(k kind, content body, to ...memberlist.Address) {
	var (
		encoded []byte
		as      version
	)
	for _, each := range to {
		h := m.peers.headerTo(each.Name, k)
		if h.version != as {
			encoded, as = content.append(nil, h.version), h.version
		}
		m.send(each, encode(h, encoded))
	}
}

// send sends a message by datagram, sealed if its version allows it. What is lost is lost, and so is what cannot be sent: a
// peer without a route is no different from one that does not answer.
func (m *Membership) send(to memberlist.Address, message []byte) {
	list := m.list.Load()
	if list == nil {
		return
	}
	var err error
	if version(message[0]) == version1 {
		err = list.SendToAddress(to, message)
	} else {
		_, err = m.transport.WriteToAddress(m.sealer.seal(message), to)
	}
	if err != nil {
		m.cfg.Log.Debug("send gossip", "to", to.String(), "error", err)
	}
}

// sendReliably sends a message by TCP, and reports whether that was possible.
func (m *Membership) sendReliably(to memberlist.Address, k kind, content body) bool {
	h := m.peers.headerTo(to.Name, k)
	message := encode(h, content.append(nil, h.version))
	at, err := netip.ParseAddrPort(to.Addr)
	if err != nil {
		return false
	}
	node := &memberlist.Node{Name: to.Name, Addr: at.Addr().AsSlice(), Port: at.Port()}
	if err := m.list.Load().SendReliable(node, message); err != nil {
		m.cfg.Log.Debug("send gossip by TCP", "to", to.String(), "error", err)
		return false
	}
	return true
}

// BroadcastClaims sends claims to every speaker at once, by datagram, or by TCP where datagrams do not get through, and has gossip
// retransmit them for those who missed them. Claims that are not new are not sent.
func (m *Membership) BroadcastClaims(claims []election.Claim) {
	if added, _ := m.mergeClaims(time.Now(), claims, traceapi.Out); len(added) == 0 {
		return
	}
	everybody := m.peers.reachable()
	for _, message := range m.claimMessages(claims, 0) {
		m.post(kindClaims, message, everybody...)
	}
	m.repairUnheard(kindClaims, claimsMessage{claims: claims})
	m.queueClaims(claims)
}

// SetWanted says for which addresses claims are kept and passed on: the whole of what is of interest. Claims to others are
// kept for 10 minutes after they were last wanted or received, the latest of them for longer, and are not passed on. Until the first call all addresses
// are wanted. The map is kept, and must not be changed any more.
func (m *Membership) SetWanted(addresses map[netip.Addr]struct{}) {
	m.claims.setWanted(time.Now(), addresses)
}

// BroadcastState sends the state of this speaker to the others, at once when it has changed. Those who cannot be reached now
// get it later. The links are kept, and must not be changed any more.
func (m *Membership) BroadcastState(state State) {
	if m.peers.setOwnState(state) {
		notify(m.changes)
		m.sendState()
	}
}

// sendClaims sends claims by datagrams, and returns how many those were; ping is the number of the one they answer, or 0.
func (m *Membership) sendClaims(to memberlist.Address, claims []election.Claim, ping uint64) int {
	messages := m.claimMessages(claims, ping)
	messages = messages[:min(len(messages), maxMissedMessages)]
	for _, message := range messages {
		m.post(kindClaims, message, to)
	}
	return len(messages)
}

// claimMessages returns messages of claims, each fit for a datagram to anybody.
func (m *Membership) claimMessages(claims []election.Claim, ping uint64) []claimsMessage {
	headerLen := maxHeader + len(m.cfg.Node) + m.peers.longestName()
	var messages []claimsMessage
	for _, batch := range batches(claims, headerLen) {
		messages = append(messages, claimsMessage{ping, batch})
	}
	return messages
}

// queueClaims has gossip retransmit claims.
func (m *Membership) queueClaims(claims []election.Claim) {
	if len(claims) == 0 {
		return
	}
	for _, message := range m.claimMessages(claims, 0) {
		m.broadcasts.QueueBroadcast(&broadcast{message: m.encodeForAll(kindClaims, message)})
	}
	m.broadcasts.Prune(maxQueued)
}

// encodeForAll returns a message that gossip may carry to anybody.
func (m *Membership) encodeForAll(k kind, content body) []byte {
	v := m.peers.commonVersion()
	return encode(m.header(k, v), content.append(nil, v))
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
	own, ok := m.peers.ownState()
	switch {
	case !ok:
	case m.isLarge(own):
		notify(m.largeState)
	default:
		m.post(kindState, own, m.peers.reachable()...)
		m.repairUnheard(kindState, own)
		m.broadcasts.QueueBroadcast(&broadcast{name: "state", message: m.encodeForAll(kindState, own)})
	}
}

// isLarge reports whether our state does not fit in a datagram.
func (m *Membership) isLarge(own stateRecord) bool {
	return len(own.body)+maxHeader+len(m.cfg.Node)+maxText > maxDatagram
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
		own, _ := m.peers.ownState()
		var (
			sending sync.WaitGroup
			slots   = make(chan struct{}, maxParallel)
		)
		for _, to := range m.peers.reachable() {
			slots <- struct{}{}
			sending.Go(func() {
				m.sendReliably(to, kindState, own)
				<-slots
			})
		}
		sending.Wait()
	}
}

// sendMissed sends a speaker the claims that it has missed since a time, and our own. It returns the number of messages.
func (m *Membership) sendMissed(to memberlist.Address, since time.Time, ping uint64) int {
	if since.IsZero() {
		since = time.Now().Add(deliveryGrace) // It is new: the exchange when it joins brings all but what we claim just now.
	}
	own := author{m.cfg.Node, m.peers.incarnation()}
	return m.sendClaims(to, m.claims.missed(since.Add(-deliveryGrace), own), ping)
}

// syncState sends our state to a speaker that is heard again, and leaves what may take time to rejoinRecovered.
func (m *Membership) syncState(node string, at netip.AddrPort) {
	if own, ok := m.peers.ownState(); ok && !m.isLarge(own) {
		m.post(kindState, own, memberlist.Address{Addr: at.String(), Name: node})
	}
	select {
	case m.recovered <- node:
	default: // joinMissing comes to it within a second.
	}
}
