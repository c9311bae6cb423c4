package bfd

import (
	"errors"
	"fmt"
	"net"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/daymark-lb/daymark/speaker/publicsource"
)

const (
	// receiveBufferSize is how many bytes may wait in the socket of a listener: the packets of a thousand sessions in a few
	// seconds in which we do not run.
	receiveBufferSize = 8 << 20
	// networkControlClass is the traffic class of routing protocols, CS6 (RFC 4594 section 3.1).
	networkControlClass = 0xc0
	// networkControlPriority is the highest socket priority that needs no privilege: queues of this node send such packets
	// first.
	networkControlPriority = 6
)

// control makes a function that sets options into one for net.ListenConfig.
func control(options func(fd int) []error) func(string, string, syscall.RawConn) error {
	return func(_, _ string, raw syscall.RawConn) error {
		var errs []error
		if err := raw.Control(func(fd uintptr) { errs = options(int(fd)) }); err != nil {
			return err //nolint:wrapcheck // The net package adds what was done.
		}
		return errors.Join(errs...)
	}
}

// receiveOptions make the kernel say for each packet at which interface it arrived, its destination and its TTL.
func receiveOptions(fd int, key listenerKey) error {
	// To exceed the limit of the system needs a privilege. Without it, take what the limit allows.
	if unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, receiveBufferSize) != nil {
		_ = unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUF, receiveBufferSize)
	}
	if key.v6 {
		return errors.Join(
			unix.SetsockoptInt(fd, unix.SOL_IPV6, unix.IPV6_RECVPKTINFO, 1),
			unix.SetsockoptInt(fd, unix.SOL_IPV6, unix.IPV6_RECVHOPLIMIT, 1),
		)
	}
	return errors.Join(
		unix.SetsockoptInt(fd, unix.SOL_IP, unix.IP_PKTINFO, 1),
		unix.SetsockoptInt(fd, unix.SOL_IP, unix.IP_RECVTTL, 1),
	)
}

// sendOptions make packets leave with TTL 255 and before others.
func sendOptions(fd int, v6 bool) error {
	level, ttl, class := unix.SOL_IP, unix.IP_TTL, unix.IP_TOS
	var preferred error
	if v6 {
		level, ttl, class = unix.SOL_IPV6, unix.IPV6_UNICAST_HOPS, unix.IPV6_TCLASS
		preferred = publicsource.Prefer(fd)
	}
	return errors.Join(
		preferred,
		unix.SetsockoptInt(fd, level, ttl, maxTTL),
		unix.SetsockoptInt(fd, level, class, networkControlClass),
		// This follows the traffic class, which also sets a priority.
		unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_PRIORITY, networkControlPriority),
		// Nothing is to arrive at this port; what is sent to it must take no memory.
		unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUF, 1),
	)
}

// bindToDevice binds a socket to a VRF; to none when device is empty.
func bindToDevice(fd int, device string) error {
	if device == "" {
		return nil
	}
	if err := unix.BindToDevice(fd, device); err != nil {
		return fmt.Errorf("bind to %s: %w", device, err)
	}
	return nil
}

// rawOf returns the file descriptor of a socket. It is valid until the socket is closed.
func rawOf(conn *net.UDPConn) (raw syscall.RawConn, fd int, err error) {
	raw, err = conn.SyscallConn()
	if err == nil {
		err = raw.Control(func(found uintptr) { fd = int(found) })
	}
	if err != nil {
		return nil, 0, fmt.Errorf("get the descriptor of a socket: %w", err)
	}
	return raw, fd, nil
}

var errNoInterface = errors.New("there is no interface")

// linkIndexes are the indexes of interfaces by name. They are looked up once.
type linkIndexes map[string]int

// index returns the index of an interface; 0 when name is empty.
func (l linkIndexes) index(name string) (int, error) {
	if name == "" {
		return 0, nil
	}
	if len(l) == 0 {
		all, err := net.Interfaces()
		if err != nil {
			return 0, fmt.Errorf("list the interfaces: %w", err)
		}
		for i := range all {
			l[all[i].Name] = all[i].Index
		}
	}
	index, ok := l[name]
	if !ok {
		return 0, fmt.Errorf("%w %s", errNoInterface, name)
	}
	return index, nil
}
