// Package wire reads what hosts of the lab say on the wire: who asks for an address and who answers (ARP, RFC 826; neighbor
// discovery, RFC 4861), and what nodes tell a router (BGP, RFC 4271). It has packets with the kernel's own time of each, so that a
// program that is slow to read them sees the same. It refuses to send anything, and to judge what it saw.
package wire

import (
	"fmt"
	"time"

	"golang.org/x/net/bpf"
	"golang.org/x/sys/unix"

	"github.com/daymark-lb/daymark/e2e/lab/segment"
)

// Frame is an Ethernet frame and when the kernel had it.
type Frame struct {
	At   time.Time
	Data []byte
}

// maxFrame is how many bytes of a frame are read: the largest that segmentation offload makes.
const maxFrame = 64 << 10

// pollInterval is how often a Tap looks whether it is to end.
const pollInterval = 100 * time.Millisecond

// buffered is how many bytes of packets the kernel keeps for a program that is late.
const buffered = 8 << 20

// Tap is a socket that sees what passes an interface of a host, in both directions.
type Tap struct {
	socket int
	buffer [maxFrame]byte
	oob    [128]byte
}

// Open opens a Tap on eth0 of a host, for those frames that the filter takes.
func Open(host *segment.Host, filter []bpf.Instruction) (*Tap, error) {
	link, err := host.Link("eth0")
	if err != nil {
		return nil, err
	}
	raw, err := bpf.Assemble(filter)
	if err != nil {
		return nil, fmt.Errorf("assemble a filter: %w", err)
	}
	t := &Tap{}
	if err := host.Do(func() error { return t.open(link.Attrs().Index, raw) }); err != nil {
		return nil, fmt.Errorf("listen at %s: %w", host.Name, err)
	}
	return t, nil
}

func (t *Tap) open(link int, filter []bpf.RawInstruction) (err error) {
	// Of no protocol at first: none arrives before the filter is there.
	if t.socket, err = unix.Socket(unix.AF_PACKET, unix.SOCK_RAW|unix.SOCK_CLOEXEC, 0); err != nil {
		return err
	}
	program := make([]unix.SockFilter, len(filter))
	for i, f := range filter {
		program[i] = unix.SockFilter{Code: f.Op, Jt: f.Jt, Jf: f.Jf, K: f.K}
	}
	timeout := unix.NsecToTimeval(pollInterval.Nanoseconds())
	_ = unix.SetsockoptInt(t.socket, unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, buffered) // as much as there is, without the right to it
	for _, err := range []error{
		unix.SetsockoptSockFprog(t.socket, unix.SOL_SOCKET, unix.SO_ATTACH_FILTER,
			&unix.SockFprog{Len: uint16(len(program)), Filter: &program[0]}),
		unix.SetsockoptInt(t.socket, unix.SOL_SOCKET, unix.SO_TIMESTAMPNS, 1),
		unix.SetsockoptTimeval(t.socket, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &timeout),
		unix.Bind(t.socket, &unix.SockaddrLinklayer{Protocol: networkOrder(unix.ETH_P_ALL), Ifindex: link}),
	} {
		if err != nil {
			_ = unix.Close(t.socket)
			return err
		}
	}
	return nil
}

func networkOrder(n uint16) uint16 { return n<<8 | n>>8 }

// Next waits for the next frame, for a tenth of a second: ok is false when there was none. The frame is good until the next call.
func (t *Tap) Next() (f Frame, ok bool, err error) {
	n, control, _, _, err := unix.Recvmsg(t.socket, t.buffer[:], t.oob[:], 0)
	switch {
	case err == unix.EAGAIN || err == unix.EINTR || err == unix.ENETDOWN:
		return f, false, nil
	case err != nil:
		return f, false, fmt.Errorf("read a frame: %w", err)
	}
	f = Frame{At: time.Now(), Data: t.buffer[:n]}
	if messages, err := unix.ParseSocketControlMessage(t.oob[:control]); err == nil {
		for _, m := range messages {
			if m.Header.Level == unix.SOL_SOCKET && m.Header.Type == unix.SO_TIMESTAMPNS && len(m.Data) >= 16 {
				f.At = timestamp(m.Data)
			}
		}
	}
	return f, true, nil
}

// Lost is how many frames the kernel had to drop since the last call, since nobody read them in time.
func (t *Tap) Lost() (int, error) {
	s, err := unix.GetsockoptTpacketStats(t.socket, unix.SOL_PACKET, unix.PACKET_STATISTICS)
	if err != nil {
		return 0, fmt.Errorf("ask for lost frames: %w", err)
	}
	return int(s.Drops), nil
}

// Close ends it.
func (t *Tap) Close() error { return unix.Close(t.socket) }
