package gossip

import (
	"crypto/cipher"
	"encoding/binary"
	"time"
)

// What a heartbeat says of claims and states is said a few times when it has changed, and then in each so many heartbeats.
const sayTimes, sayEach = 3, 10

// said is what heartbeats say of their sender's claims and of which of the receiver's states it has.
type said struct{ digest, has uint64 }

// shortForm is what two speakers know of each other's datagrams with short headers.
type shortForm struct {
	// opens is the salt of ours whose short headers another run opens, ours being another one.
	opens   saltID
	between pair
	// tell is what to tell it: we open those with its salt, and it sends in full.
	tell saltID
	// seals are the ciphers of ours to that run.
	seals shortSealing
	// lastSaid is what it said last, told what it was told last, and times how often since that is so.
	lastSaid, told said
	times          int
}

// shortSealing seals what is sent with a salt from one run to another.
type shortSealing struct {
	salt    salt
	between pair
	aead    cipher.AEAD
}

// noteOpens notes which salt of ours the sender of a new message opens.
func (f *shortForm) noteOpens(from header) {
	if from.opens != (saltID{}) {
		f.opens, f.between = from.opens, pair{run{from.to, from.toIncarnation}, run{from.node, from.incarnation}}
	}
}

// says reports whether the next heartbeat says what it has to say.
func (f *shortForm) says(now said) bool {
	if now != f.told {
		f.told, f.times = now, 0
	}
	f.times++
	return f.times <= sayTimes || f.times%sayEach == 0
}

// shortHeartbeat is a ping or a pong that may have a short header.
type shortHeartbeat struct {
	number uint64
	said   said
	// full: it says more.
	full bool
}

func (p ping) short() shortHeartbeat {
	return shortHeartbeat{p.number, said{p.digest, p.has}, p.missed > 0 || p.unanswered > 0}
}

func (p pong) short() shortHeartbeat {
	return shortHeartbeat{p.number, said{p.digest, p.has}, p.claims > 0 || p.unanswered > 0}
}

// shortMessage is what a datagram with a short header is made of.
type shortMessage struct {
	seq     uint64
	content []byte
	aead    cipher.AEAD
}

// shorten returns a heartbeat to a node as it has a short header; false: it must have a long one.
func (s *peerStore) shorten(k kind, beat shortHeartbeat, node string, by *sealing) (message shortMessage, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	r := s.records[node]
	status, known := s.detector.Peer(node)
	between := pair{run{s.own.node, s.own.incarnation}, run{node, status.Incarnation}}
	if r == nil || !known {
		return message, false
	}
	if beat.full || status.Unanswered > 1 || r.opens != by.salt.id() || r.between != between {
		r.times = 0 // What a heartbeat in full says may be other than what was told last.
		return message, false
	}
	if r.seals.salt != by.salt || r.seals.between != between {
		aead, err := between.cipher(by.key, by.salt)
		if err != nil {
			return message, false
		}
		r.seals = shortSealing{by.salt, between, aead}
	}
	first := byte(k)
	if s.detector.Alone(time.Now()) {
		first |= shortAlone
	}
	b := binary.AppendUvarint([]byte{first}, beat.number-between.asker(k).incarnation)
	if r.says(beat.said) {
		b = appendField(b, 1, binary.AppendUvarint(nil, beat.said.digest))
		b = appendField(b, 2, binary.AppendUvarint(nil, beat.said.has))
	}
	return shortMessage{s.nextSeq(r), appendOpens(b, 3, r.tell), r.seals.aead}, true
}

// asker is the one of a pair whose ping a heartbeat is, or answers: its pings are numbered from its run on.
func (p pair) asker(k kind) run {
	if k == kindPong {
		return p.to
	}
	return p.from
}

// expand returns the message that content with a short header stands for.
func (s *peerStore) expand(between pair, seq uint64, content []byte) (message []byte, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	r := s.record(between.from.node)
	k := kind(content[0] &^ shortAlone)
	h := header{
		version: version2, kind: k, node: between.from.node, incarnation: between.from.incarnation,
		to: between.to.node, toIncarnation: between.to.incarnation, seq: seq, alone: content[0]&shortAlone != 0,
	}
	fields := &reader{rest: content[1:], version: version2}
	number, says := fields.number()+between.asker(k).incarnation, r.lastSaid
	fields.fields(func(tag uint64, value *reader) bool {
		switch tag {
		case 1:
			says.digest = value.number()
		case 2:
			says.has = value.number()
		case 3:
			h.opens = value.saltID()
		default:
			return false
		}
		return true
	})
	if !fields.ok() || k != kindPing && k != kindPong {
		return nil, false
	}
	var full body = pong{number: number, digest: says.digest, has: says.has}
	if k == kindPing {
		full = ping{number: number, at: r.advertised, digest: says.digest, has: says.has}
	}
	return encode(h, full.append(nil, version2)), true
}

// seqOf returns the number of a message by its lowest bytes.
func (s *peerStore) seqOf(from run, low []byte) uint64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return seqNear(s.record(from.node).received.highest, low)
}

// noteForm notes which salt of a speaker it is to be told of; zero: it knows.
func (s *peerStore) noteForm(node string, tell saltID) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.record(node).tell = tell
}

// noteSaid notes what a heartbeat of a speaker has said: those after it may not say it.
func (s *peerStore) noteSaid(node string, now said) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.record(node).lastSaid = now
}

// appendOpens writes the field with the beginning of a salt, but none for zero.
func appendOpens(b []byte, tag uint64, id saltID) []byte {
	if id == (saltID{}) {
		return b
	}
	return appendField(b, tag, id[:])
}

// saltID is the beginning of a salt. A later speaker may say more of it.
func (r *reader) saltID() (id saltID) {
	copy(id[:], r.bytes(saltIDLen))
	r.take()
	return id
}
