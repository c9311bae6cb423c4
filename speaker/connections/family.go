package connections

import (
	"net/netip"

	"github.com/google/nftables"
	"github.com/google/nftables/expr"
	"golang.org/x/sys/unix"
)

// family is IPv4 or IPv6, as nftables and the kernel's connection tracking have them.
type family struct {
	nft       nftables.TableFamily
	conntrack uint8
	addrType  nftables.SetDatatype
	// Where the header has the destination and the time to live (RFC 791 section 3.1, RFC 8200 section 3).
	daddrOffset, daddrLen, ttlOffset uint32
	// ttlChecksum is where the header's checksum is; none in IPv6.
	ttlChecksum uint32
	icmp        byte
	// icmpErrors are the first and the last type of ICMP that says something about a packet of a connection.
	icmpErrors [2]byte
}

var ipv4 = family{
	nft: nftables.TableFamilyIPv4, conntrack: unix.AF_INET, addrType: nftables.TypeIPAddr,
	daddrOffset: 16, daddrLen: 4, ttlOffset: 8, ttlChecksum: 10,
	icmp: unix.IPPROTO_ICMP, icmpErrors: [2]byte{3, 3}, // destination unreachable
}

var ipv6 = family{
	nft: nftables.TableFamilyIPv6, conntrack: unix.AF_INET6, addrType: nftables.TypeIP6Addr,
	daddrOffset: 24, daddrLen: 16, ttlOffset: 7,
	icmp: unix.IPPROTO_ICMPV6, icmpErrors: [2]byte{1, 4}, // from destination unreachable to parameter problem
}

// String is the family as nft has it before the name of a table.
func (f family) String() string {
	if f.nft == nftables.TableFamilyIPv4 {
		return "ip " + tableName
	}
	return "ip6 " + tableName
}

// has reports whether an address is of the family.
func (f family) has(addr netip.Addr) bool { return addr.BitLen() == int(8*f.daddrLen) }

// daddr loads the packet's destination into register 1.
func (f family) daddr() []expr.Any {
	return []expr.Any{&expr.Payload{
		OperationType: expr.PayloadLoad, DestRegister: 1, Base: expr.PayloadBaseNetworkHeader, Offset: f.daddrOffset, Len: f.daddrLen,
	}}
}

// ttlAbove goes on if the packet's time to live is greater than a value.
func (f family) ttlAbove(value byte) []expr.Any {
	return []expr.Any{
		&expr.Payload{OperationType: expr.PayloadLoad, DestRegister: 1, Base: expr.PayloadBaseNetworkHeader, Offset: f.ttlOffset, Len: 1},
		&expr.Cmp{Op: expr.CmpOpGt, Register: 1, Data: []byte{value}},
	}
}

// setTTL sets the packet's time to live.
func (f family) setTTL(value byte) []expr.Any {
	write := &expr.Payload{
		OperationType: expr.PayloadWrite, SourceRegister: 1, Base: expr.PayloadBaseNetworkHeader, Offset: f.ttlOffset, Len: 1,
	}
	if f.ttlChecksum > 0 {
		write.CsumType, write.CsumOffset = expr.CsumTypeInet, f.ttlChecksum
	}
	return []expr.Any{&expr.Immediate{Register: 1, Data: []byte{value}}, write}
}
