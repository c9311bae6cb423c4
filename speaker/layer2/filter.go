package layer2

import (
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

// match compares bytes of a frame, counted from the Ethernet header on.
type match struct {
	offset uint32
	size   int
	value  uint32
}

// arpFilter passes ARP requests for IPv4 over Ethernet (RFC 826).
var arpFilter = filter{unix.PACKET_BROADCAST, []match{
	{12, 2, unix.ETH_P_ARP},
	{14, 2, hardwareEthernet},
	{16, 2, unix.ETH_P_IP},
	{18, 2, 6<<8 | 4}, // lengths of the hardware and the protocol address
	{20, 2, arpRequest},
}}

// ndpFilter passes neighbor solicitations (RFC 4861 sections 4.3 and 7.1.1).
var ndpFilter = filter{unix.PACKET_MULTICAST, []match{
	{12, 2, unix.ETH_P_IPV6},
	{14 + 6, 1, unix.IPPROTO_ICMPV6},
	{14 + 7, 1, hopLimit},
	{14 + 40, 1, typeSolicitation},
	{14 + 40 + 1, 1, 0},
}}

// assemble turns a filter into a program for the kernel. A jump spans a few dozen instructions at most.
func (f filter) assemble() ([]bpf.RawInstruction, error) {
	program := []bpf.Instruction{
		bpf.LoadExtension{Num: bpf.ExtType},
		bpf.JumpIf{Cond: bpf.JumpEqual, Val: unix.PACKET_HOST, SkipTrue: 1},
		bpf.JumpIf{Cond: bpf.JumpNotEqual, Val: f.group, SkipTrue: uint8(2*len(f.match) + 1)}, //nolint:gosec // Small.
	}
	for i, m := range f.match {
		rest := 2 * (len(f.match) - i - 1)
		program = append(program,
			bpf.LoadAbsolute{Off: m.offset, Size: m.size},
			bpf.JumpIf{Cond: bpf.JumpNotEqual, Val: m.value, SkipTrue: uint8(rest + 1)}) //nolint:gosec // Small.
	}
	return bpf.Assemble(append(program, bpf.RetConstant{Val: longest}, bpf.RetConstant{Val: 0}))
}
