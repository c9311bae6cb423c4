package redact

import (
	"encoding/binary"
	"net"
	"net/netip"
	"slices"
	"strings"
)

// Networks are kept whole, so that an address keeps its place: those that are written as a prefix or a range, and around any other
// address the one of these lengths. A shorter prefix than shortest is none of anybody, like 0.0.0.0/0.
const (
	aroundIPv4 = 24
	aroundIPv6 = 64
	shortest   = 8
)

// common addresses mean the same to everybody: 127.0.0.1, 0.0.0.0, 224.0.0.1, 255.255.255.0, fe80::1.
func common(a netip.Addr) bool {
	return a.IsUnspecified() || a.IsLoopback() || a.IsMulticast() || a.IsLinkLocalUnicast() || a.Is4() && (a.As4()[0] >= 240 || a.As4()[0] == 0)
}

func (s *Survey) seeAddress(written netip.Addr, bits int) netip.Addr {
	a := written.Unmap().WithZone("")
	if mac, has := macIn(a); has {
		s.macs[mac] = true
	}
	if common(a) {
		return written
	}
	around := aroundIPv4
	if a.Is6() {
		around = aroundIPv6
	}
	if bits < shortest || bits > around {
		bits = around
	}
	if p, err := a.Prefix(bits); err == nil {
		s.networks[p] = true
	}
	return written
}

func (s *Survey) seeMAC(mac string) string {
	s.macs[mac] = true
	return mac
}

// placement of a network: the bits of its addresses that change are those of from, and become those of to.
type placement struct{ from, to netip.Prefix }

// networks in order, none within another.
type networks []placement

// placed puts networks one after the other, from 10.0.0.0 and fd00:: on, in their order. false: there are too many.
func placed(seen map[netip.Prefix]bool) (all networks, ok bool) {
	var found []netip.Prefix
	for p := range seen {
		found = append(found, p)
	}
	slices.SortFunc(found, func(a, b netip.Prefix) int { return a.Compare(b) })
	next4, next6 := uint64(10)<<24, uint64(0xfd)<<56
	for _, p := range found {
		if n := len(all); n > 0 && all[n-1].from.Overlaps(p) {
			continue // the larger one comes first
		}
		next, size, end := &next4, uint64(1)<<(32-min(p.Bits(), 32)), uint64(127)<<24
		if p.Addr().Is6() {
			next, size, end = &next6, uint64(1)<<(64-p.Bits()), uint64(0xfe)<<56
		}
		at := (*next + size - 1) / size * size
		if at+size > end {
			return nil, false
		}
		all = append(all, placement{p, netip.PrefixFrom(addressAt(at, p.Addr().Is6()), p.Bits())})
		*next = at + size
	}
	return all, true
}

// addressAt a number: the first half of an IPv6 address, the whole of an IPv4 one.
func addressAt(number uint64, ipv6 bool) netip.Addr {
	if !ipv6 {
		var b [4]byte
		binary.BigEndian.PutUint32(b[:], uint32(number&0xffffffff))
		return netip.AddrFrom4(b)
	}
	var b [16]byte
	binary.BigEndian.PutUint64(b[:8], number)
	return netip.AddrFrom16(b)
}

// address that stands for another one.
func (r *Redactor) address(written netip.Addr, _ int) netip.Addr {
	a := r.withMAC(written.Unmap().WithZone(""))
	i, found := slices.BinarySearchFunc(r.networks, a, func(p placement, a netip.Addr) int { return p.from.Addr().Compare(a) })
	if !found {
		i--
	}
	if !common(a) && i >= 0 && r.networks[i].from.Contains(a) {
		a = moved(a, r.networks[i])
	}
	if written.Is4In6() {
		return netip.AddrFrom16(a.As16())
	}
	return a
}

func moved(a netip.Addr, to placement) netip.Addr {
	b, target := a.AsSlice(), to.to.Addr().AsSlice()
	for bit := range to.from.Bits() {
		mask := byte(0x80) >> (bit % 8)
		b[bit/8] = b[bit/8]&^mask | target[bit/8]&mask
	}
	place, _ := netip.AddrFromSlice(b)
	return place
}

func (r *Redactor) mac(mac string) string {
	if other, known := r.macs[mac]; known {
		return other
	}
	return mac
}

// macIn an IPv6 address that is made of one, as RFC 4291, appendix A, describes.
func macIn(a netip.Addr) (mac string, has bool) {
	b := a.As16()
	if !a.Is6() || b[11] != 0xff || b[12] != 0xfe {
		return "", false
	}
	return net.HardwareAddr{b[8] ^ 2, b[9], b[10], b[13], b[14], b[15]}.String(), true
}

// withMAC has the pseudonym of the MAC that an address is made of.
func (r *Redactor) withMAC(a netip.Addr) netip.Addr {
	mac, has := macIn(a)
	other, err := net.ParseMAC(r.mac(mac))
	if !has || err != nil || strings.EqualFold(mac, other.String()) {
		return a
	}
	b := a.As16()
	b[8], b[9], b[10], b[13], b[14], b[15] = other[0]^2, other[1], other[2], other[3], other[4], other[5]
	return netip.AddrFrom16(b)
}
