package layer2

import (
	"slices"

	"golang.org/x/net/bpf"
	"golang.org/x/sys/unix"
)

// filter is a conjunction of comparisons that the kernel makes before a frame costs us anything. What passes is
// checked again by the parsers, which trust nobody.
type filter struct {
	// group is the kind of frame accepted beside those to our own MAC address. Frames to other hosts, which a
	// promiscuous interface sees, and our own are never accepted.
	group uint32
	match []match
}

// match compares bytes of a frame, counted from the Ethernet header on, with the values they may have.
type match struct {
	offset uint32
	size   int
	values []uint32
}

// arpFilter passes ARP requests and replies for IPv4 over Ethernet (RFC 826).
var arpFilter = filter{unix.PACKET_BROADCAST, []match{
	{12, 2, []uint32{unix.ETH_P_ARP}},
	{14, 2, []uint32{hardwareEthernet}},
	{16, 2, []uint32{unix.ETH_P_IP}},
	{18, 2, []uint32{6<<8 | 4}}, // lengths of the hardware and the protocol address
	{20, 2, []uint32{arpRequest, arpReply}},
}}

// ndpFilter passes neighbor solicitations and advertisements (RFC 4861 sections 4.3, 4.4 and 7.1).
var ndpFilter = filter{unix.PACKET_MULTICAST, []match{
	{12, 2, []uint32{unix.ETH_P_IPV6}},
	{14 + 6, 1, []uint32{unix.IPPROTO_ICMPV6}},
	{14 + 7, 1, []uint32{hopLimit}},
	{14 + 40, 1, []uint32{typeSolicitation, typeAdvertisement}},
	{14 + 40 + 1, 1, []uint32{0}},
}}

// assemble turns a filter into a program for the kernel. It is written from its end, so that each jump knows its way; a
// jump spans a few dozen instructions at most.
func (f filter) assemble() ([]bpf.RawInstruction, error) {
	program := []bpf.Instruction{bpf.RetConstant{Val: longest}, bpf.RetConstant{Val: 0}}
	for _, m := range slices.Backward(f.match) {
		program = slices.Concat(
			[]bpf.Instruction{bpf.LoadAbsolute{Off: m.offset, Size: m.size}}, oneOf(m.values, len(program)-1), program)
	}
	return bpf.Assemble(slices.Concat(
		[]bpf.Instruction{bpf.LoadExtension{Num: bpf.ExtType}},
		oneOf([]uint32{unix.PACKET_HOST, f.group}, len(program)-1), program))
}

// oneOf goes on behind itself when what was loaded is one of the values, else further by so many instructions.
func oneOf(values []uint32, further int) []bpf.Instruction {
	var jumps []bpf.Instruction
	for left := len(values) - 1; left >= 0; left-- {
		value := values[len(values)-1-left]
		if left > 0 {
			jumps = append(jumps, bpf.JumpIf{Cond: bpf.JumpEqual, Val: value, SkipTrue: uint8(left)}) //nolint:gosec // Small.
			continue
		}
		jumps = append(jumps, bpf.JumpIf{Cond: bpf.JumpNotEqual, Val: value, SkipTrue: uint8(further)}) //nolint:gosec // Small.
	}
	return jumps
}
