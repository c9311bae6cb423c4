package gossip

import (
	"encoding/binary"
	"net/netip"
)

// The encoding of all messages between speakers: a byte of version, a byte of kind, the sender and its incarnation, then the
// body of that kind. Numbers are varints, texts and lists begin with their length. Messages travel as memberlist's user
// messages and user state, which memberlist encrypts and authenticates.
const (
	version = 1
	// maxDatagram is the most bytes of a message sent by UDP: with memberlist's label and encryption (40 bytes) and the
	// headers of UDP and IPv6 (48) it fits in the 1280 bytes that every IPv6 path carries.
	maxDatagram = 1180
	// maxText is the most bytes of a text: names of Kubernetes nodes have at most 253.
	maxText = 255
	// maxIncarnation is more than any incarnation: half of the numbers there are, 290 years of nanoseconds.
	maxIncarnation = 1 << 63
)

// kind is the type of a message.
type kind byte

const (
	kindPing kind = 1 + iota
	kindPong
	kindVotes
	kindClaims
	kindState
	kindLeave
	kindExchange
)

// header begins every message.
type header struct {
	kind kind
	// node and incarnation are the sender's.
	node        string
	incarnation uint64
}

// encode returns the header as it travels.
func (h header) encode() []byte {
	return binary.AppendUvarint(appendText([]byte{version, byte(h.kind)}, h.node), h.incarnation)
}

// decodeHeader reads the header of a message; the reader that it returns has the body left. A version or kind that is not
// known fails.
func decodeHeader(message []byte) (header, *reader) {
	r := &reader{rest: message}
	if r.byte() != version {
		r.fail()
	}
	h := header{kind: kind(r.byte()), node: r.text(), incarnation: r.incarnation()}
	if h.kind < kindPing || h.kind > kindExchange || h.node == "" {
		r.fail()
	}
	return h, r
}

func appendText(b []byte, text string) []byte {
	text = text[:min(len(text), maxText)]
	return append(binary.AppendUvarint(b, uint64(len(text))), text...)
}

// appendAddr writes an address without its zone, which has no meaning on other nodes. An invalid address has length 0.
func appendAddr(b []byte, addr netip.Addr) []byte {
	bytes := addr.AsSlice()
	return append(append(b, byte(len(bytes))), bytes...) //nolint:gosec // 0, 4 or 16.
}

func appendBool(b []byte, yes bool) []byte { return append(b, bits(yes)) }

// bits packs up to eight booleans into a byte, the first into the lowest bit.
func bits(all ...bool) byte {
	var packed byte
	for i, yes := range all {
		if yes {
			packed |= 1 << i
		}
	}
	return packed
}

// reader decodes a message. After the first error everything reads as zero, and ok is false. Nothing that it returns refers
// to the message, except bytes.
type reader struct {
	rest   []byte
	failed bool
}

// ok reports whether the message was valid, to its last byte.
func (r *reader) ok() bool { return !r.failed && len(r.rest) == 0 }

func (r *reader) fail() {
	r.failed, r.rest = true, nil
}

func (r *reader) number() uint64 {
	number, n := binary.Uvarint(r.rest)
	if n <= 0 {
		r.fail()
		return 0
	}
	r.rest = r.rest[n:]
	return number
}

// incarnation is a number below maxIncarnation, so that there is always a later one.
func (r *reader) incarnation() uint64 {
	incarnation := r.number()
	if incarnation >= maxIncarnation {
		r.fail()
		return 0
	}
	return incarnation
}

// count is the length of a list whose elements take at least so many bytes each. It is no more than fit in the rest of the
// message, so it can be trusted for allocation.
func (r *reader) count(elementSize int) int {
	count := r.number()
	if count > uint64(len(r.rest)/elementSize) { //nolint:gosec // Not negative.
		r.fail()
		return 0
	}
	return int(count) //nolint:gosec // At most the length of a slice.
}

// bytes returns the next n bytes, a part of the message itself.
func (r *reader) bytes(n int) []byte {
	if n < 0 || n > len(r.rest) {
		r.fail()
		return nil
	}
	bytes := r.rest[:n]
	r.rest = r.rest[n:]
	return bytes
}

func (r *reader) byte() byte {
	if one := r.bytes(1); one != nil {
		return one[0]
	}
	return 0
}

// bool is true for 1 and false for 0; nothing else is a bool.
func (r *reader) bool() bool {
	b := r.byte()
	if b > 1 {
		r.fail()
	}
	return b == 1
}

func (r *reader) text() string {
	n := r.count(1)
	if n > maxText {
		r.fail()
		return ""
	}
	return string(r.bytes(n))
}

func (r *reader) addr() netip.Addr {
	n := int(r.byte())
	if n == 0 {
		return netip.Addr{}
	}
	addr, ok := netip.AddrFromSlice(r.bytes(n))
	if !ok {
		r.fail()
	}
	return addr
}
