package layer2

import (
	"slices"

	"golang.org/x/net/bpf"
	"golang.org/x/sys/unix"
)

// filter is a list of comparisons, all of which a frame must pass. The kernel makes them before the frame costs us
// anything. The parsers check again what passes.
type filter struct {
	// group is the packet type (PACKET_BROADCAST or PACKET_MULTICAST) that is accepted besides frames to our own MAC
	// address. Frames to other hosts, which a promiscuous interface receives, and our own frames are never accepted.
	group uint32
	match []match
}

// match compares bytes of a frame with the values they may have. Offsets count from the Ethernet header.
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

// assemble returns the filter as a BPF program for the interface with an index. The program is built from its end, so that
// the length of every jump is known. A jump spans at most a few dozen instructions.
//
// A packet socket also hears what the kernel passes on from its interface to one above it, such as eth0.100 with the tag
// removed: those frames are of another segment. They have the index of the interface above. Tagged frames that no
// interface wants are PACKET_OTHERHOST.
func (f filter) assemble(index int) ([]bpf.RawInstruction, error) {
	program := []bpf.Instruction{bpf.RetConstant{Val: maxFrameLength}, bpf.RetConstant{Val: 0}}
	for _, m := range slices.Backward(f.match) {
		program = slices.Concat(
			[]bpf.Instruction{bpf.LoadAbsolute{Off: m.offset, Size: m.size}}, oneOf(m.values, len(program)-1), program)
	}
	program = slices.Concat([]bpf.Instruction{bpf.LoadExtension{Num: bpf.ExtType}},
		oneOf([]uint32{unix.PACKET_HOST, f.group}, len(program)-1), program)
	return bpf.Assemble(slices.Concat(
		[]bpf.Instruction{bpf.LoadExtension{Num: bpf.ExtInterfaceIndex}},
		oneOf([]uint32{uint32(index)}, len(program)-1), program)) //nolint:gosec // Never negative.
}

// oneOf returns instructions that continue after themselves if the loaded value is one of the values, and skip that
// many further instructions if not.
func oneOf(values []uint32, skip int) []bpf.Instruction {
	var jumps []bpf.Instruction
	for left := len(values) - 1; left >= 0; left-- {
		value := values[len(values)-1-left]
		if left > 0 {
			jumps = append(jumps, bpf.JumpIf{Cond: bpf.JumpEqual, Val: value, SkipTrue: uint8(left)}) //nolint:gosec // Small.
			continue
		}
		jumps = append(jumps, bpf.JumpIf{Cond: bpf.JumpNotEqual, Val: value, SkipTrue: uint8(skip)}) //nolint:gosec // Small.
	}
	return jumps
}
