package gossip

import (
	"crypto/cipher"
	"encoding/binary"

	"github.com/hashicorp/memberlist"
)

// Heartbeats are most of what a speaker sends at rest. In a sealed datagram of one, two thirds are names, runs and the salt, which both
// sides know as soon as they have heard each other. A datagram with a short header leaves them out, as those of QUIC do (RFC 9000,
// section 17.3): it is a byte, the beginning of the salt, the lowest bytes of the message's number, and the rest of the message, sealed.
//
// Its key follows from the gossip's key, the salt, and both nodes with their runs, so what is not sent is authenticated all the same: it
// opens for no other node and no other run. The nonce is the number of the message, which rises with the messages of one run to one node.
//
// Who can open them says so in its messages until it gets one. A speaker that does not, as one of an earlier build, never gets one. A ping
// after one without an answer is sent in full, and so is the answer to it: so who has forgotten a salt hears the next ping.
const (
	shortMagic  = 0xd7
	saltIDLen   = 4
	shortSeqLen = 2
	shortHead   = 1 + saltIDLen + shortSeqLen
	// shortOverhead is how many bytes are beside the message.
	shortOverhead = shortHead + 16
	// shortAlone is the bit in the kind of a message with a short header that says that its sender is alone.
	shortAlone = 0x80
)

// saltID is the beginning of a salt; zero: there is none.
type saltID [saltIDLen]byte

func (s salt) id() saltID { return saltID(s[:saltIDLen]) }

// saltOf is the salt of a sealed datagram.
func saltOf(datagram []byte) salt { return salt(datagram[1 : 1+saltLen]) }

// run is a run of a node's speaker.
type run struct {
	node        string
	incarnation uint64
}

// pair is a run that sends and one that receives.
type pair struct{ from, to run }

// cipher returns the cipher of datagrams with short headers.
func (p pair) cipher(key []byte, of salt) (cipher.AEAD, error) {
	purpose := append([]byte("short header\x00"), of[:]...)
	for _, each := range []run{p.from, p.to} {
		purpose = binary.BigEndian.AppendUint64(appendText(purpose, each.node), each.incarnation)
	}
	return cipherOf(key, string(purpose))
}

// isShort reports whether a datagram has a short header.
func isShort(datagram []byte) bool {
	return len(datagram) > shortOverhead && datagram[0] == shortMagic
}

// appendShortHead writes the header of a datagram.
func appendShortHead(b []byte, of salt, seq uint64) []byte {
	id := of.id()
	return append(append(b, shortMagic), append(id[:], byte(seq>>8), byte(seq))...) //nolint:gosec // The lowest bytes.
}

// shortNonce is the nonce of the message with a number.
func shortNonce(seq uint64) (nonce [nonceLen]byte) {
	binary.BigEndian.PutUint64(nonce[nonceLen-8:], seq)
	return nonce
}

// seqNear returns the number that ends with some bytes and is the nearest to another one.
func seqNear(near uint64, low []byte) uint64 {
	const span = 1 << (8 * shortSeqLen)
	seq := near&^(span-1) | uint64(binary.BigEndian.Uint16(low))
	switch {
	case seq > near && seq-near > span/2 && seq >= span:
		return seq - span
	case near > seq && near-seq > span/2:
		return seq + span
	default:
		return seq
	}
}

// introduce notes between whom datagrams with a salt are, and reports whether those with short headers can be opened: if no other salt
// begins like it.
func (s *sealer) introduce(of salt, between pair) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	o := s.openers[of]
	if o == nil || of.id() == (saltID{}) {
		return false
	}
	if other, taken := s.ids[of.id()]; taken && other != of {
		return false
	}
	if o.short == nil || o.between != between {
		aead, err := between.cipher(o.key, of)
		if err != nil {
			return false
		}
		o.short, o.between = aead, between
	}
	s.ids[of.id()] = of
	return true
}

// introduced returns what opens datagrams with short headers, and between whom they are; nil: they were not introduced.
func (s *sealer) introduced(id saltID) (pair, cipher.AEAD) {
	s.mu.Lock()
	defer s.mu.Unlock()
	of, known := s.ids[id]
	o := s.openers[of]
	if !known || o == nil {
		return pair{}, nil
	}
	return o.between, o.short
}

// receiveShort takes a datagram with a short header. Those that nobody has introduced are no reason to suspect anybody: their sender
// does not know yet that we have begun anew.
func (m *Membership) receiveShort(datagram []byte) {
	between, aead := m.sealer.introduced(saltID(datagram[1:]))
	if aead == nil || between.to.incarnation != m.Incarnation() {
		return
	}
	seq := m.peers.seqOf(between.from, datagram[1+saltIDLen:shortHead])
	nonce := shortNonce(seq)
	content, err := aead.Open(m.opened[:0], nonce[:], datagram[shortHead:], datagram[:shortHead])
	if err != nil {
		m.metrics.rejected.Inc()
		return
	}
	message, ok := m.peers.expand(between, seq, content)
	if !ok {
		m.metrics.malformed.Inc()
		return
	}
	from, body := decodeHeader(message)
	from.short = true
	m.take(from, body)
}

// postShort sends a heartbeat with a short header, and reports whether it may.
func (m *Membership) postShort(k kind, content shortHeartbeat, to memberlist.Address) bool {
	by := m.sealer.sealing.Load()
	if by == nil || m.list.Load() == nil {
		return false
	}
	message, ok := m.peers.shorten(k, content, to.Name, by)
	if !ok {
		return false
	}
	nonce := shortNonce(message.seq)
	b := appendShortHead(make([]byte, 0, shortOverhead+len(message.content)), by.salt, message.seq)
	if _, err := m.transport.WriteToAddress(message.aead.Seal(b, nonce[:], message.content, b), to); err != nil {
		m.cfg.Log.Debug("send gossip", "to", to.String(), "error", err)
	}
	return true
}

// noteForm notes of a new heartbeat whether it came with a short header, or else whether the next ones may.
func (m *Membership) noteForm(from header) {
	if !from.short && from.salt == (salt{}) {
		return
	}
	between := pair{run{from.node, from.incarnation}, run{from.to, from.toIncarnation}}
	var tell saltID
	if !from.short && m.sealer.introduce(from.salt, between) {
		tell = from.salt.id()
	}
	m.peers.noteForm(from.node, tell)
}
