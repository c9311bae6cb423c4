package bfd

import (
	"errors"
	"fmt"
	"net"
	"syscall"

	"golang.org/x/sys/unix"
)

const (
	// waiting is how many bytes of packets may wait in a listener: those of a thousand sessions for a few seconds, in which
	// we are not scheduled.
	waiting = 8 << 20
	// controlTraffic is DSCP CS6, where routers keep what they tell each other.
	controlTraffic = 0xc0
	// controlPriority is the highest that needs no privilege: our own queues put it first.
	controlPriority = 6
)

// control makes options into what net.ListenConfig takes.
func control(options func(fd int) []error) func(string, string, syscall.RawConn) error {
	return func(_, _ string, raw syscall.RawConn) error {
		var errs []error
		if err := raw.Control(func(fd uintptr) { errs = options(int(fd)) }); err != nil {
			return err //nolint:wrapcheck // The net package says what for.
		}
		return errors.Join(errs...)
	}
}

// receiveOptions have the kernel say of each packet by which interface it came, where it went and what is left of its TTL.
func receiveOptions(fd int, e ear) error {
	// More than the system's limit needs a privilege; less is better than none.
	if unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, waiting) != nil {
		_ = unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUF, waiting)
	}
	if e.v6 {
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

// sendOptions have packets leave with TTL 255, and before others.
func sendOptions(fd int, v6 bool) error {
	level, ttl, class := unix.SOL_IP, unix.IP_TTL, unix.IP_TOS
	if v6 {
		level, ttl, class = unix.SOL_IPV6, unix.IPV6_UNICAST_HOPS, unix.IPV6_TCLASS
	}
	return errors.Join(
		unix.SetsockoptInt(fd, level, ttl, fullTTL),
		unix.SetsockoptInt(fd, level, class, controlTraffic),
		// After the class, which sets a priority too.
		unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_PRIORITY, controlPriority),
		// Nobody has anything to say to this port: what is sent there must take no memory.
		unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUF, 1),
	)
}

func bindToDevice(fd int, device string) error {
	if device == "" {
		return nil
	}
	if err := unix.BindToDevice(fd, device); err != nil {
		return fmt.Errorf("bind to %s: %w", device, err)
	}
	return nil
}

// rawOf gives the descriptor of a socket, which is good until the socket is closed.
func rawOf(conn *net.UDPConn) (raw syscall.RawConn, fd int, err error) {
	raw, err = conn.SyscallConn()
	if err == nil {
		err = raw.Control(func(found uintptr) { fd = int(found) })
	}
	if err != nil {
		return nil, 0, fmt.Errorf("get at a socket: %w", err)
	}
	return raw, fd, nil
}

var errNoInterface = errors.New("there is no interface")

// linkIndexes are the indexes of interfaces by name, looked up once.
type linkIndexes map[string]int

// index of an interface; 0 for none.
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
