package wire

import (
	"encoding/binary"
	"net/netip"
)

// segmentTCP is a TCP segment that one host sent to another.
type segmentTCP struct {
	from, to      netip.AddrPort
	sequence      uint32
	syn, fin, rst bool
	payload       []byte
}

// parseTCP reads a frame with TCP by IPv4; ok is false when it is none, or not whole.
func parseTCP(data []byte) (s segmentTCP, ok bool) {
	if len(data) < headerLength+20 || binary.BigEndian.Uint16(data[etherTypeAt:]) != typeIPv4 {
		return s, false
	}
	ip := data[headerLength:]
	header, total := int(ip[0]&0xf)*4, int(binary.BigEndian.Uint16(ip[2:]))
	if header < 20 || total > len(ip) || total < header+20 {
		return s, false
	}
	tcp := ip[header:total] // what is behind it fills the frame up
	offset := int(tcp[12]>>4) * 4
	if offset < 20 || offset > len(tcp) {
		return s, false
	}
	s.from = netip.AddrPortFrom(netip.AddrFrom4([4]byte(ip[12:16])), binary.BigEndian.Uint16(tcp))
	s.to = netip.AddrPortFrom(netip.AddrFrom4([4]byte(ip[16:20])), binary.BigEndian.Uint16(tcp[2:]))
	s.sequence = binary.BigEndian.Uint32(tcp[4:])
	s.fin, s.syn, s.rst = tcp[13]&1 != 0, tcp[13]&2 != 0, tcp[13]&4 != 0
	s.payload = tcp[offset:]
	return s, true
}

// maxAhead is how many bytes may be ahead of one that is missing before the stream counts as broken: more than a window of the kernel.
const maxAhead = 16 << 20

// stream puts the segments of one direction of a connection in order.
type stream struct {
	next  uint32 // sequence number of the byte that is next
	ahead map[uint32][]byte
	size  int // bytes in ahead
}

func newStream(syn uint32) *stream { return &stream{next: syn + 1, ahead: map[uint32][]byte{}} }

// add takes in a payload and returns the bytes that are in order now. Whole is false when so much is missing that it will not come any more.
func (s *stream) add(sequence uint32, payload []byte) (ready []byte, whole bool) {
	if len(payload) > len(s.ahead[sequence]) {
		s.size += len(payload) - len(s.ahead[sequence])
		s.ahead[sequence] = append([]byte(nil), payload...)
	}
	for found := true; found; {
		found = false
		// order does not matter: what overlaps is the same bytes.
		for at, part := range s.ahead {
			known := s.next - at // modulo 2^32, as sequence numbers are
			if int32(known) < 0 {
				continue // there is a gap before it
			}
			delete(s.ahead, at)
			s.size -= len(part)
			if int64(known) < int64(len(part)) {
				ready = append(ready, part[known:]...)
				s.next += uint32(len(part)) - known
				found = true
			}
		}
	}
	return ready, s.size <= maxAhead
}
