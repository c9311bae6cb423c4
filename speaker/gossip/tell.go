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
	// mostRepeated is how many claims made at once are repeated by gossip; of more, what is lost comes by the next complete
	// exchange.
	mostRepeated = 300
	// mostRepeats bounds the messages that wait to be repeated.
	mostRepeats = 32
	// mostOwedAtOnce bounds the datagrams that make up for what a speaker has missed; the rest comes by exchange.
	mostOwedAtOnce = 64
	// slack is how much older than its silence what a speaker may have missed is: it was on its way.
	slack = time.Second
)

// heading is the head of a message of ours.
func (m *Membership) heading(k kind) []byte { return heading(k, m.cfg.Node, m.roster.instance()) }

// send sends a message by datagram. What is lost is lost, and so is what cannot be sent: a peer without a route is no
// different from one that does not answer.
func (m *Membership) send(to memberlist.Address, message []byte) {
	if list := m.list.Load(); list != nil {
		if err := list.SendToAddress(to, message); err != nil {
			m.cfg.Log.Debug("send gossip", "to", to.String(), "error", err)
		}
	}
}

// sendClaims sends claims by datagrams, and returns how many those were; seq is the ping they answer, or 0.
func (m *Membership) sendClaims(to memberlist.Address, claims []election.Claim, seq uint64) int {
	messages := m.write(claims, seq)
	messages = messages[:min(len(messages), mostOwedAtOnce)]
	for _, message := range messages {
		m.send(to, message)
	}
	return len(messages)
}

// write makes messages of claims, each fit for a datagram.
func (m *Membership) write(claims []election.Claim, seq uint64) [][]byte {
	head := binary.AppendUvarint(m.heading(kindClaims), seq)
	var messages [][]byte
	for _, part := range batches(claims, len(head)) {
		messages = append(messages, appendClaims(slices.Clip(head), part))
	}
	return messages
}

// Claim makes claims known to all, at once: to every speaker directly by datagram, and, if they are not too many, once more
// by gossip for those who missed it. The next complete exchanges bring them to the others.
func (m *Membership) Claim(claims []election.Claim) {
	if news, _ := m.learn(time.Now(), claims); len(news) == 0 {
		return
	}
	everybody := m.roster.reachable()
	for _, message := range m.write(claims, 0) {
		for _, to := range everybody {
			m.send(to, message)
		}
	}
	m.repeat(claims)
}

// Want says for which addresses claims are kept and passed on: the whole of what is of interest. Claims to others are
// kept for 10 minutes after they were last wanted or told, and are not passed on by exchanges. Until the first call all
// are wanted. The map is kept, and must not be changed any more.
func (m *Membership) Want(addresses map[netip.Addr]struct{}) { m.table.setWant(time.Now(), addresses) }

// learn takes claims in, and returns those that are news and those known that are stronger.
func (m *Membership) learn(now time.Time, claims []election.Claim) (news, stronger []election.Claim) {
	for _, claim := range claims {
		if claim.Node == m.cfg.Node {
			m.outdo(claim.Incarnation)
		}
	}
	news, stronger = m.table.learn(now, claims)
	if len(news) > 0 {
		m.fence.learn(m.since(now))
		notify(m.changes)
	}
	return news, stronger
}

// hand takes in the state of a speaker; it reports whether it could be read.
func (m *Membership) hand(now time.Time, told news) bool {
	if told.node == m.cfg.Node {
		m.outdo(told.instance)
		return true
	}
	newer, ok := m.roster.hand(now, told)
	if newer {
		notify(m.changes)
	}
	return ok
}

// outdo is told of an instance of this node that others know.
func (m *Membership) outdo(instance uint64) {
	if !m.roster.outdo(instance) {
		return
	}
	m.cfg.Log.Warn("others know of a later run of this speaker: is its clock set back? It counts as a later one now",
		"instance", m.Incarnation())
	notify(m.changes)
	m.tellState()
}

// repeat hands a few claims to gossip, which tells them to some others and they to no more.
func (m *Membership) repeat(claims []election.Claim) {
	if len(claims) == 0 || len(claims) > mostRepeated {
		return
	}
	for _, message := range m.write(claims, 0) {
		m.repeats.QueueBroadcast(&repeat{message: message})
	}
	m.repeats.Prune(mostRepeats)
}

// repeat is a message that gossip repeats; one of a name takes the place of the one before.
type repeat struct {
	name    string
	message []byte
}

// Name implements memberlist.NamedBroadcast; "" replaces nothing.
func (r *repeat) Name() string { return r.name }

// Invalidates implements memberlist.Broadcast.
func (r *repeat) Invalidates(memberlist.Broadcast) bool { return false }

// Message implements memberlist.Broadcast.
func (r *repeat) Message() []byte { return r.message }

// Finished implements memberlist.Broadcast.
func (r *repeat) Finished() {}

// Publish tells the others what this speaker says of itself, at once when that is new; those who cannot be reached now
// learn it later. The links are kept, and must not be changed any more.
func (m *Membership) Publish(state State) {
	if m.roster.publish(state, encode(state)) {
		notify(m.changes)
		m.tellState()
	}
}

// tellState tells everybody our state: by datagram where it fits in one, otherwise by TCP, which may take time.
func (m *Membership) tellState() {
	message, ok := m.stateMessage()
	switch {
	case !ok:
	case len(message) > datagram:
		notify(m.large)
	default:
		for _, to := range m.roster.reachable() {
			m.send(to, message)
		}
		m.repeats.QueueBroadcast(&repeat{name: "state", message: message})
	}
}

func (m *Membership) stateMessage() (message []byte, ok bool) {
	told, ok := m.roster.told()
	if !ok {
		return nil, false
	}
	return append(binary.AppendUvarint(heading(kindState, told.node, told.instance), told.seq), told.body...), true
}

// tellLarge sends states that do not fit in a datagram, the latest to everybody, a few side by side, until ctx ends.
func (m *Membership) tellLarge(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-m.large:
		}
		message, _ := m.stateMessage()
		var (
			telling sync.WaitGroup
			turns   = make(chan struct{}, atOnce)
		)
		for _, to := range m.roster.reachable() {
			turns <- struct{}{}
			telling.Go(func() {
				m.sendReliably(to, message)
				<-turns
			})
		}
		telling.Wait()
	}
}

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

// catchUp sends a speaker what it has missed since a time, and our own claims. It returns how many messages those were.
func (m *Membership) catchUp(to memberlist.Address, since time.Time, seq uint64) int {
	if since.IsZero() {
		since = time.Now().Add(slack) // It is new: the exchange at its join brings it all but what we claim just now.
	}
	return m.sendClaims(to, m.table.missed(since.Add(-slack), m.cfg.Node, m.roster.instance()), seq)
}

// welcome tells a speaker that is heard again about us, and leaves to the joiner what may take time.
func (m *Membership) welcome(node string, at netip.AddrPort) {
	if message, ok := m.stateMessage(); ok && len(message) <= datagram {
		m.send(memberlist.Address{Addr: at.String(), Name: node}, message)
	}
	select {
	case m.back <- node:
	default: // The joiner comes to it within a second.
	}
}
