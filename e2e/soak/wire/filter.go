package wire

import (
	"encoding/binary"
	"time"

	"golang.org/x/net/bpf"
	"golang.org/x/sys/unix"
)

// Places of fields in a frame of Ethernet II.
const (
	etherTypeAt  = 12
	headerLength = 14
	typeARP      = unix.ETH_P_ARP
	typeIPv4     = unix.ETH_P_IP
	typeIPv6     = unix.ETH_P_IPV6
	icmpv6At     = headerLength + 40
	solicitation = 135
	advertised   = 136
	bgpPort      = 179
)

// Resolution takes ARP, and Neighbor Solicitations and Advertisements without extension headers.
var Resolution = []bpf.Instruction{
	bpf.LoadAbsolute{Off: etherTypeAt, Size: 2},
	bpf.JumpIf{Cond: bpf.JumpEqual, Val: typeARP, SkipTrue: 5},
	bpf.JumpIf{Cond: bpf.JumpNotEqual, Val: typeIPv6, SkipTrue: 5},
	bpf.LoadAbsolute{Off: headerLength + 6, Size: 1},
	bpf.JumpIf{Cond: bpf.JumpNotEqual, Val: unix.IPPROTO_ICMPV6, SkipTrue: 3},
	bpf.LoadAbsolute{Off: icmpv6At, Size: 1},
	bpf.JumpIf{Cond: bpf.JumpLessThan, Val: solicitation, SkipTrue: 1},
	bpf.RetConstant{Val: maxFrame},
	bpf.RetConstant{Val: 0},
}

// BGP takes TCP by IPv4 from and to port 179, without fragments.
var BGP = []bpf.Instruction{
	bpf.LoadAbsolute{Off: etherTypeAt, Size: 2},
	bpf.JumpIf{Cond: bpf.JumpNotEqual, Val: typeIPv4, SkipTrue: 8},
	bpf.LoadAbsolute{Off: headerLength + 9, Size: 1},
	bpf.JumpIf{Cond: bpf.JumpNotEqual, Val: unix.IPPROTO_TCP, SkipTrue: 6},
	bpf.LoadMemShift{Off: headerLength},
	bpf.LoadIndirect{Off: headerLength, Size: 2},
	bpf.JumpIf{Cond: bpf.JumpEqual, Val: bgpPort, SkipTrue: 2},
	bpf.LoadIndirect{Off: headerLength + 2, Size: 2},
	bpf.JumpIf{Cond: bpf.JumpNotEqual, Val: bgpPort, SkipTrue: 1},
	bpf.RetConstant{Val: maxFrame},
	bpf.RetConstant{Val: 0},
}

// timestamp reads a struct timespec of a 64-bit machine.
func timestamp(b []byte) time.Time {
	return time.Unix(int64(binary.NativeEndian.Uint64(b)), int64(binary.NativeEndian.Uint64(b[8:])))
}
