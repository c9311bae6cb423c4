package gossip

import (
	"encoding/binary"
	"net/netip"
)

// The encoding of all messages between speakers: a byte of version, a byte of kind, then what the version says. Numbers are
// varints, texts begin with their length. Messages travel as memberlist's user messages and user state, which memberlist
// encrypts and authenticates. version1.go and version2.go have the two versions.
const (
	// maxDatagram is the most bytes of a message sent by UDP: with what sealing adds, or memberlist's label and encryption (41 bytes), and the
	// headers of UDP and IPv6 (48) it fits in the 1280 bytes that every IPv6 path carries.
	maxDatagram = 1180
	// maxText is the most bytes of a text: names of Kubernetes nodes have at most 253.
	maxText = 255
	// maxHeader is the most bytes of a header and of the field with the body, but for the names of both nodes.
	maxHeader = 2 + 2*3 + 4*12 + 4 + 4 + 2 + 2 + saltIDLen
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
	// kindMissed and those after it are not known to version 1, kindStatePart and kindSummary not to speakers of before.
	kindMissed
	kindStatePart
	kindSummary
)

// header begins every message.
type header struct {
	version version
	kind    kind
	// node and incarnation are the sender's.
	node        string
	incarnation uint64
	// to is the node that the message is for, and toIncarnation the run of its speaker as far as the sender knows it; "" and
	// 0: whoever gets it. seq rises with the messages from one incarnation to one node. Version 1 has none of the three.
	to            string
	toIncarnation uint64
	seq           uint64
	// alone: the sender hears no other speaker, though it has. Version 1 does not have it, and earlier speakers skip it.
	alone bool
	// speaks are the versions that the sender understands; zero: it does not say. It says so in messages to one node.
	speaks versionRange
	// opens is the salt of the receiver whose short headers the sender understands; zero: it does not say, as earlier speakers do not.
	opens saltID
	// salt is what the message came sealed with; short: it had a short header. Neither is sent.
	salt  salt
	short bool
}

// body is the part of a message behind its header.
type body interface {
	// append writes it as a version has it.
	append(b []byte, v version) []byte
}

// encode returns a message with a body that is encoded in the version of the header.
func encode(h header, content []byte) []byte {
	if h.version == version1 {
		return append(h.append1(), content...)
	}
	return appendField(h.append2(), fieldBody, content)
}

// decodeHeader reads the header of a message; the reader that it returns has the body left. An unknown version fails.
func decodeHeader(message []byte) (header, *reader) {
	r := &reader{rest: message, version: version1}
	h := header{version: version(r.byte()), kind: kind(r.byte())}
	switch h.version {
	case version1:
		r.header1(&h)
	case version2, version3:
		r = r.header2(&h)
	default:
		r.fail()
	}
	if h.node == "" || h.kind == 0 {
		r.fail()
	}
	return h, r
}

func appendText(b []byte, text string) []byte {
	text = text[:min(len(text), maxText)]
	return append(binary.AppendUvarint(b, uint64(len(text))), text...)
}

// appendField writes a field of version 2: its tag, its length, its value. A reader skips tags that it does not know.
func appendField(b []byte, tag uint64, value []byte) []byte {
	b = binary.AppendUvarint(binary.AppendUvarint(b, tag), uint64(len(value)))
	return append(b, value...)
}

// appendTextField, appendNumberField and appendFlagField write fields, but none for a zero value.
func appendTextField(b []byte, tag uint64, text string) []byte {
	if text == "" {
		return b
	}
	return appendField(b, tag, []byte(text[:min(len(text), maxText)]))
}

func appendNumberField(b []byte, tag, number uint64) []byte {
	if number == 0 {
		return b
	}
	return appendField(b, tag, binary.AppendUvarint(nil, number))
}

func appendFlagField(b []byte, tag uint64, yes bool) []byte {
	if !yes {
		return b
	}
	return appendField(b, tag, nil)
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
	rest    []byte
	version version
	failed  bool
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

// fields reads the fields of version 2 to the end. known is given each, and returns false for a tag that it does not know,
// which is skipped; of a field that it knows it must read the whole value. No tag is 0.
func (r *reader) fields(known func(tag uint64, value *reader) bool) {
	for !r.failed && len(r.rest) > 0 {
		tag := r.number()
		value := &reader{rest: r.bytes(r.count(1)), version: r.version}
		if r.failed || tag == 0 || known(tag, value) && !value.ok() {
			r.fail()
		}
	}
}

// take returns all that is left.
func (r *reader) take() []byte { return r.bytes(len(r.rest)) }

// flag is a field that is true by being there.
func (r *reader) flag() bool { return true }

// textField is a text that fills its field.
func (r *reader) textField() string {
	if len(r.rest) > maxText {
		r.fail()
	}
	return string(r.take())
}

// addrField is an address that fills its field.
func (r *reader) addrField() netip.Addr {
	addr, ok := netip.AddrFromSlice(r.take())
	if !ok {
		r.fail()
	}
	return addr
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
