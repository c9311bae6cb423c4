package gossip

import (
	"encoding/binary"
	"net/netip"
)

// The encoding of everything speakers tell each other: a byte of version, a byte of kind, the sender and its instance,
// then what the kind has. Numbers are varints, texts and lists begin with their length. It travels as memberlist's user
// messages and user state, which encrypts and authenticates them.
const (
	version = 1
	// datagram is the most bytes of a message sent by UDP: with memberlist's label and encryption (40 bytes) and the
	// headers of UDP and IPv6 (48) it fits in the 1280 bytes that every IPv6 path carries.
	datagram = 1180
	// longest is the most bytes of a text: names of Kubernetes nodes have at most 253.
	longest = 255
	// latest is the highest instance: half of the numbers there are, 290 years of nanoseconds.
	latest = 1 << 63
)

type kind byte

const (
	kindPing kind = 1 + iota
	kindPong
	kindVotes
	kindClaims
	kindState
	kindBye
	kindExchange
)

// heading is the head of a message.
func heading(k kind, from string, instance uint64) []byte {
	return binary.AppendUvarint(appendText([]byte{version, byte(k)}, from), instance)
}

func appendText(b []byte, text string) []byte {
	text = text[:min(len(text), longest)]
	return append(binary.AppendUvarint(b, uint64(len(text))), text...)
}

// appendAddr writes an address without its zone, which means nothing elsewhere. An invalid one has length 0.
func appendAddr(b []byte, addr netip.Addr) []byte {
	bytes := addr.AsSlice()
	return append(append(b, byte(len(bytes))), bytes...) //nolint:gosec // 0, 4 or 16.
}

func appendBool(b []byte, yes bool) []byte { return append(b, bits(yes)) }

// bits packs up to eight truths into a byte, the first lowest.
func bits(all ...bool) byte {
	var packed byte
	for i, yes := range all {
		if yes {
			packed |= 1 << i
		}
	}
	return packed
}

// reader takes a message apart. After the first thing that is wrong everything reads as zero, and ok is false. What it
// returns does not refer to the message, except bytes.
type reader struct {
	rest []byte
	bad  bool
}

// ok reports whether the message was as it should be, to its last byte.
func (r *reader) ok() bool { return !r.bad && len(r.rest) == 0 }

func (r *reader) fail() {
	r.bad, r.rest = true, nil
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

// instance is a number that is no greater than an instance may be, so that there is always a later one.
func (r *reader) instance() uint64 {
	instance := r.number()
	if instance >= latest {
		r.fail()
		return 0
	}
	return instance
}

// count is the length of a list whose elements take at least so many bytes: no more than there can be in what is left,
// so it may be trusted for allocation.
func (r *reader) count(each int) int {
	count := r.number()
	if count > uint64(len(r.rest)/each) { //nolint:gosec // Not negative.
		r.fail()
		return 0
	}
	return int(count) //nolint:gosec // Address most the length of a slice.
}

// bytes are the next n bytes, a part of the message itself.
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
	if n > longest {
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
