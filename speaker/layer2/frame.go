package layer2

import (
	"encoding/binary"
	"net/netip"

	"golang.org/x/sys/unix"
)

// Lengths of headers.
const (
	ethernetLength = 14
	ipv6Length     = 40
)

// icmpv6Packet is an ICMPv6 packet in an IPv6 packet without extension headers in an Ethernet frame. Neighbor Discovery
// never needs such headers, and RFC 6980 forbids fragments.
type icmpv6Packet struct {
	to, from            mac
	source, destination netip.Addr
	hopLimit            uint8
	icmp                []byte
}

// parseIPv6 parses the headers of RFC 2464 section 3 and RFC 8200 section 3. Bytes after the payload are padding.
func parseIPv6(frame []byte) (p icmpv6Packet, ok bool) {
	if len(frame) < ethernetLength+ipv6Length || binary.BigEndian.Uint16(frame[12:]) != unix.ETH_P_IPV6 {
		return icmpv6Packet{}, false
	}
	header, payload := frame[ethernetLength:ethernetLength+ipv6Length], frame[ethernetLength+ipv6Length:]
	length := int(binary.BigEndian.Uint16(header[4:]))
	if header[0]>>4 != 6 || header[6] != unix.IPPROTO_ICMPV6 || length > len(payload) {
		return icmpv6Packet{}, false
	}
	return icmpv6Packet{
		to: mac(frame[0:6]), from: mac(frame[6:12]),
		source: netip.AddrFrom16([16]byte(header[8:24])), destination: netip.AddrFrom16([16]byte(header[24:40])),
		hopLimit: header[7], icmp: payload[:length],
	}, true
}

// checksumValid verifies the checksum over the pseudo-header and the message (RFC 8200 section 8.1): together with the
// checksum field, the ones' complement sum is all ones.
func (p icmpv6Packet) checksumValid() bool {
	source, destination := p.source.As16(), p.destination.As16()
	length := uint32(len(p.icmp)) //nolint:gosec // It came in 16 bits.
	sum := add16(add16(length+unix.IPPROTO_ICMPV6, source[:]), destination[:])
	for sum = add16(sum, p.icmp); sum > 0xffff; {
		sum = sum>>16 + sum&0xffff
	}
	return sum == 0xffff
}

// add16 adds data to a sum as 16-bit words; an odd last byte is padded with zero.
func add16(sum uint32, data []byte) uint32 {
	for ; len(data) >= 2; data = data[2:] {
		sum += uint32(binary.BigEndian.Uint16(data))
	}
	if len(data) == 1 {
		sum += uint32(data[0]) << 8
	}
	return sum
}

// groupMAC returns the MAC address of an IPv6 multicast group (RFC 2464 section 7).
func groupMAC(group netip.Addr) mac {
	b := group.As16()
	return mac{0x33, 0x33, b[12], b[13], b[14], b[15]}
}

// ethernetHeader returns a frame with its header and capacity for the payload. Drivers pad frames below 60 bytes.
func ethernetHeader(to, from mac, etherType uint16, payload int) []byte {
	frame := make([]byte, 0, ethernetLength+payload)
	frame = append(frame, to[:]...)
	frame = append(frame, from[:]...)
	return binary.BigEndian.AppendUint16(frame, etherType)
}

// appendIPv6Header appends the IPv6 header of a Neighbor Discovery packet.
func appendIPv6Header(frame []byte, source, destination netip.Addr, payload int) []byte {
	frame = append(frame, 6<<4, 0, 0, 0)
	frame = binary.BigEndian.AppendUint16(frame, uint16(payload)) //nolint:gosec // Ours, some 32 bytes.
	frame = append(frame, unix.IPPROTO_ICMPV6, hopLimit)
	from, to := source.As16(), destination.As16()
	return append(append(frame, from[:]...), to[:]...)
}
