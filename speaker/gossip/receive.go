package gossip

import (
	"net/netip"
	"time"

	"github.com/hashicorp/memberlist"

	"github.com/daymark-lb/daymark/internal/core/detector"
	"github.com/daymark-lb/daymark/internal/core/election"
	"github.com/daymark-lb/daymark/internal/traceapi"
)

// receiveSealed takes a sealed datagram. It is called by one goroutine at a time.
func (m *Membership) receiveSealed(from netip.Addr, datagram []byte, waited time.Duration) {
	m.awake()
	if waited > m.fence {
		m.woke(time.Now(), waited, false)
	}
	if isShort(datagram) {
		m.receiveShort(datagram)
		return
	}
	message, err := m.sealer.open(from, m.opened[:0], datagram)
	if err != nil {
		m.metrics.rejected.Inc()
		return
	}
	head, body := decodeHeader(message)
	head.salt = saltOf(datagram)
	m.take(head, body)
}

// take acts on a message that came by datagram from its sender.
func (m *Membership) take(from header, body *reader) {
	if m.list.Load() != nil && !m.handle(from, body, byDatagram) {
		m.metrics.malformed.Inc()
	}
}

// way is how a message came.
type way int

const (
	// byDatagram: from its sender.
	byDatagram way = iota
	// byMemberlist: by TCP, by gossip, or, of a speaker of version 1, by datagram.
	byMemberlist
)

// receive acts on a message, and reports whether it could be decoded.
func (m *Membership) receive(message []byte, came way) bool {
	from, body := decodeHeader(message)
	return m.handle(from, body, came)
}

// handle is receive for a message whose header has been decoded.
func (m *Membership) handle(from header, body *reader, came way) bool {
	if body.failed {
		return false
	}
	if from.node == m.cfg.Node {
		// An earlier run of ours, or a second speaker under our name, of which memberlist warns.
		return true
	}
	if from.to != "" && from.to != m.cfg.Node {
		return true // It was made for another node.
	}
	m.refute(from.toIncarnation)
	now := time.Now()
	is := m.judge(now, from, came)
	switch from.kind {
	case kindPing:
		return m.receivePing(now, from, body, is)
	case kindPong:
		return m.receivePong(now, from, body)
	case kindVotes:
		return m.receiveVotes(now, from, body, is)
	case kindClaims:
		return m.receiveClaims(now, from, body, is)
	case kindState:
		return m.receiveState(now, from, body)
	case kindLeave:
		m.peers.withDetector(func(d *detector.Detector) { d.Left(now, from.node, from.incarnation) })
		m.handleVerdicts()
		return body.ok()
	case kindExchange:
		return m.receiveExchange(now, body)
	case kindStatePart:
		return m.receiveStatePart(now, from, body)
	case kindSummary:
		return m.receiveSummary(from, body, is)
	case kindMissed:
		return m.receiveMissed(now, from, body, is)
	default: // A kind that later speakers have added.
		return true
	}
}

// judge says whether a message is new, and notes what its header says of its sender.
func (m *Membership) judge(now time.Time, from header, came way) verdict {
	is := m.peers.judge(now, from)
	if is == fresh && came == byMemberlist && from.version > version1 {
		is = indirect
	}
	if is == fresh && !m.peers.overtaken(from) {
		m.peers.withDetector(func(d *detector.Detector) { d.SaidAlone(now, from.node, from.incarnation, from.alone) })
	}
	if is == fresh && (from.kind == kindPing || from.kind == kindPong) {
		m.noteForm(from)
	}
	return is
}

// receivePing sends the claims that the other side has missed, then a pong.
func (m *Membership) receivePing(now time.Time, from header, body *reader, is verdict) bool {
	p := body.ping()
	if !body.ok() {
		return false
	}
	to := memberlist.Address{Addr: p.at.String(), Name: from.node}
	switch {
	case m.leaving.Load() || is == repeated:
		return true
	case is == unbound:
		// The pong tells the sender which run of ours this is. One that was stopped asks again then.
		if p.missed == 0 {
			m.post(kindPong, pong{number: p.number}, to)
		}
		return true
	}
	m.missedBy(now, from.node, p.unanswered)
	unanswered := m.peers.unanswered(from.node)
	recovered, since := m.peers.heard(now, from, p.at, false)
	m.handleVerdicts()
	if p.missed > 0 {
		since = now.Add(-p.missed)
	}
	var sent int
	if recovered || p.missed > 0 {
		sent = m.sendMissed(to, since, p.number)
	}
	answer := pong{p.number, uint64(sent), m.claims.digest.Load(), unanswered, m.peers.hasOf(from.node)}
	if !from.short || !m.postShort(kindPong, answer.short(), to) {
		m.post(kindPong, answer, to)
	}
	m.noteDigest(now, from.node, p.digest)
	m.noteStateOf(now, from, p.has)
	m.peers.noteSaid(from.node, said{p.digest, p.has})
	if recovered {
		m.syncState(from.node, p.at)
	}
	return true
}

// missedBy notes how many pings of another speaker we have not answered: almost as many as make us silent mean that we may have
// been replaced. One that was gone has missed everybody.
func (m *Membership) missedBy(now time.Time, by string, unanswered int) {
	timing := m.cfg.Timing
	if timing.HeartbeatInterval == 0 || unanswered < timing.HeartbeatMultiplier-1 {
		return
	}
	var gone bool
	if m.peers.withDetector(func(d *detector.Detector) { gone = d.WasGone(now, by) }); !gone {
		m.woke(now, timing.detection().DetectionTime(), true)
	}
}

// receivePong takes the answer to a ping of ours.
func (m *Membership) receivePong(now time.Time, from header, body *reader) bool {
	p := body.pong()
	if !body.ok() {
		return false
	}
	if !m.peers.answered(from.node, p.number) {
		return true
	}
	m.missedBy(now, from.node, p.unanswered)
	m.peers.noteOldAnswer(from)
	m.heard(now, from, true)
	m.noteDigest(now, from.node, p.digest)
	m.noteStateOf(now, from, p.has)
	m.peers.noteSaid(from.node, said{p.digest, p.has})
	m.pause.update(now, func(pause *detector.Pause, now time.Duration) {
		pause.PongReceived(now, from.node, p.number, p.claims)
	})
	return true
}

// heard takes a message of a speaker as a sign of life. A speaker that has recovered is sent what it has missed, whatever
// message came first; answer: it is a pong.
func (m *Membership) heard(now time.Time, from header, answer bool) {
	recovered, since := m.peers.heard(now, from, netip.AddrPort{}, answer)
	m.handleVerdicts()
	if to, at, known := m.peers.addressOf(from.node); recovered && known {
		m.sendMissed(to, since, 0)
		m.syncState(from.node, at)
	}
}

// receiveVotes takes the votes of an observer.
func (m *Membership) receiveVotes(now time.Time, from header, body *reader, is verdict) bool {
	v := body.votes()
	if !body.ok() {
		return false
	}
	if is != fresh {
		return true
	}
	m.heard(now, from, false)
	for _, vote := range v.votes {
		if vote.Node == m.cfg.Node {
			m.refute(vote.Incarnation)
			if vote.Suspect {
				m.missedBy(now, from.node, m.cfg.Timing.HeartbeatMultiplier)
			}
			continue
		}
		m.peers.withDetector(func(d *detector.Detector) { d.Voted(now, from.node, v.number, vote) })
	}
	m.handleVerdicts()
	return true
}

// receiveMissed pings a speaker of which another observer has no answer.
func (m *Membership) receiveMissed(now time.Time, from header, body *reader, is verdict) bool {
	missed := body.missed()
	if !body.ok() {
		return false
	}
	if is != fresh {
		return true
	}
	m.heard(now, from, false)
	m.peers.withDetector(func(d *detector.Detector) { d.Asked(missed.node, missed.incarnation) })
	m.handleVerdicts()
	return true
}

// receiveClaims takes claims. New ones are passed on, for those that the sender does not reach. A sender that knows weaker claims than we
// do is told. Of two claims the stronger counts, whichever comes first; but what was made for us alone counts once, and only while its
// sender and we run: else somebody has recorded it. What is lost by that, because we have just begun, the digests show.
func (m *Membership) receiveClaims(now time.Time, from header, body *reader, is verdict) bool {
	message := body.claimsMessage()
	if !body.ok() {
		return false
	}
	if is == fresh {
		m.heard(now, from, false)
	}
	if from.to != "" && is != fresh && is != indirect {
		return true
	}
	if from.alone {
		deaf := is != fresh
		m.peers.withDetector(func(d *detector.Detector) { deaf = deaf || d.Deaf(from.node) })
		if deaf {
			return true // It takes for dead all whose addresses it claims, and cannot be told.
		}
	}
	added, stronger := m.mergeClaims(now, message.claims, traceapi.In)
	if message.ping != 0 {
		m.pause.update(now, func(p *detector.Pause, now time.Duration) { p.ClaimsReceived(now, from.node, message.ping) })
		return true
	}
	m.queueClaims(added)
	if to, _, known := m.peers.addressOf(from.node); known && len(stronger) > 0 {
		m.sendClaims(to, stronger, 0)
	}
	return true
}

// receiveState takes what a speaker tells about itself. It may have come by TCP, so it is no sign that datagrams arrive.
func (m *Membership) receiveState(now time.Time, from header, body *reader) bool {
	received := body.stateRecord(from)
	return body.ok() && m.mergeState(now, received)
}

// receiveExchange takes all that another speaker knows.
func (m *Membership) receiveExchange(now time.Time, body *reader) bool {
	e := body.exchange()
	if !body.ok() {
		return false
	}
	ok := true
	for _, received := range e.states {
		ok = m.mergeState(now, received) && ok
	}
	m.mergeClaims(now, e.claims, traceapi.In)
	return ok
}

// mergeClaims takes in claims that came, or are sent. It returns those that are new, and the known ones that are stronger than those given.
func (m *Membership) mergeClaims(now time.Time, claims []election.Claim, direction traceapi.Direction) (added, stronger []election.Claim) {
	for _, claim := range claims {
		if claim.Node == m.cfg.Node {
			m.refute(claim.Incarnation)
		}
	}
	contested := m.claims.contests(m.cfg.Node, claims)
	added, stronger = m.claims.merge(now, claims)
	if m.cfg.Tracer.On() {
		m.traceClaims(direction, claims, added, stronger)
	}
	if contested {
		notify(m.urgent)
	}
	if len(added) > 0 {
		m.pause.update(now, (*detector.Pause).Learned)
		notify(m.changes)
	}
	return added, stronger
}

// mergeState takes in the state of a speaker, and reports whether it could be decoded.
func (m *Membership) mergeState(now time.Time, received stateRecord) bool {
	if received.node == m.cfg.Node {
		m.refute(received.incarnation)
		return true
	}
	is, ok := m.peers.mergeState(now, received)
	if is != noNews {
		m.guard.outdated.Store(true)
		notify(m.changes)
	}
	if is == urgentNews {
		notify(m.urgent)
	}
	return ok
}

// refute makes our incarnation later than one of this node that others know, if it is not already.
func (m *Membership) refute(incarnation uint64) {
	if !m.peers.refute(incarnation) {
		return
	}
	m.cfg.Log.Warn("others know of a later run of this speaker: was its clock set back? It counts as a later one now",
		"incarnation", m.Incarnation())
	notify(m.changes)
	notify(m.metaChanged)
	m.sendState()
}
