package gossip

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

const (
	// maxReceived is the largest datagram that can come.
	maxReceived = 1 << 16
	// receiveBuffer is the socket's buffer for datagrams, the size that memberlist's own transport uses.
	receiveBuffer = 2 << 20
)

// datagramSocket is a UDP socket. Its system calls never block and are made without telling the Go scheduler, which would
// give the processor to another goroutine, and would have its monitor wake for each of them.
type datagramSocket struct {
	conn *net.UDPConn
	raw  syscall.RawConn
	// v6: its addresses are IPv6 ones.
	v6 bool
	// memory of receive
	data    [maxReceived]byte
	control [64]byte
	from    unix.RawSockaddrInet6
}

// openDatagramSocket listens on an address.
func openDatagramSocket(at netip.AddrPort) (*datagramSocket, error) {
	network := "udp6"
	if at.Addr().Unmap().Is4() {
		network = "udp4"
	}
	conn, err := net.ListenUDP(network, net.UDPAddrFromAddrPort(at))
	if err != nil {
		return nil, fmt.Errorf("listen: %w", err)
	}
	_ = conn.SetReadBuffer(receiveBuffer) // A smaller one will do.
	raw, err := conn.SyscallConn()
	if err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	s := &datagramSocket{conn: conn, raw: raw, v6: network == "udp6"}
	return s, raw.Control(func(fd uintptr) { //nolint:wrapcheck // It is open.
		_ = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_TIMESTAMPNS, 1) // Without, all is received when it is read.
	})
}

// await calls f whenever there is something to receive, until the socket is closed.
func (s *datagramSocket) await(f func()) {
	_ = s.raw.Read(func(uintptr) bool { // It always returns an error: the socket is closed.
		f()
		return false
	})
}

// receive takes a datagram that has come, or returns EAGAIN. waited is how long the datagram has waited in the socket. The
// data is valid until the next call.
func (s *datagramSocket) receive() (data []byte, from netip.AddrPort, waited time.Duration, err error) {
	vector := unix.Iovec{Base: &s.data[0]}
	vector.SetLen(len(s.data))
	//nolint:gosec // The kernel writes an address there, and from has room for the longest.
	header := unix.Msghdr{Name: (*byte)(unsafe.Pointer(&s.from)), Namelen: unix.SizeofSockaddrInet6, Iov: &vector, Control: &s.control[0]}
	header.SetIovlen(1)
	header.SetControllen(len(s.control))
	var n uintptr
	var errno syscall.Errno
	if err := s.raw.Control(func(fd uintptr) {
		//nolint:gosec // The memory stays valid until the call returns, and the kernel keeps no pointer to it.
		n, _, errno = unix.RawSyscall(unix.SYS_RECVMSG, fd, uintptr(unsafe.Pointer(&header)), unix.MSG_DONTWAIT)
	}); err != nil {
		return nil, netip.AddrPort{}, 0, err //nolint:wrapcheck // It is closed.
	}
	if errno != 0 {
		return nil, netip.AddrPort{}, 0, errno
	}
	controls := uint64(header.Controllen) //nolint:unconvert // It is narrower on other machines.
	return s.data[:n], s.sender(), waitedSince(s.control[:min(controls, uint64(len(s.control)))]), nil
}

// sender is where the last datagram came from.
func (s *datagramSocket) sender() netip.AddrPort {
	if s.v6 {
		port := (*[2]byte)(unsafe.Pointer(&s.from.Port)) //nolint:gosec // Two bytes, in the order of the network.
		return netip.AddrPortFrom(netip.AddrFrom16(s.from.Addr).Unmap(), binary.BigEndian.Uint16(port[:]))
	}
	four := (*unix.RawSockaddrInet4)(unsafe.Pointer(&s.from)) //nolint:gosec // It is shorter than that of IPv6.
	port := (*[2]byte)(unsafe.Pointer(&four.Port))            //nolint:gosec // As above.
	return netip.AddrPortFrom(netip.AddrFrom4(four.Addr), binary.BigEndian.Uint16(port[:]))
}

// waitedSince returns the time since the kernel's timestamp among control messages; 0 without one.
func waitedSince(control []byte) time.Duration {
	for len(control) > 0 {
		header, data, rest, err := unix.ParseOneSocketControlMessage(control)
		if err != nil {
			return 0
		}
		control = rest
		if header.Level == unix.SOL_SOCKET && header.Type == unix.SO_TIMESTAMPNS && len(data) >= 16 {
			seconds, nanos := binary.NativeEndian.Uint64(data), binary.NativeEndian.Uint64(data[8:])
			return max(0, time.Since(time.Unix(int64(seconds), int64(nanos)))) //nolint:gosec // A time of the kernel.
		}
	}
	return 0
}

// send sends a datagram, or fails at once.
func (s *datagramSocket) send(data []byte, to netip.AddrPort) error {
	if len(data) == 0 {
		return nil
	}
	if !s.v6 && !to.Addr().Unmap().Is4() {
		return syscall.EAFNOSUPPORT
	}
	address, length := s.sockaddr(to)
	var errno syscall.Errno
	if err := s.raw.Control(func(fd uintptr) {
		//nolint:gosec // As in receive.
		_, _, errno = unix.RawSyscall6(unix.SYS_SENDTO, fd, uintptr(unsafe.Pointer(&data[0])), uintptr(len(data)),
			unix.MSG_DONTWAIT, uintptr(unsafe.Pointer(&address)), length)
	}); err != nil {
		return err //nolint:wrapcheck // It is closed.
	}
	if errno != 0 {
		return errno
	}
	return nil
}

// sockaddr returns an address as the kernel has it, and its length.
func (s *datagramSocket) sockaddr(to netip.AddrPort) (unix.RawSockaddrInet6, uintptr) {
	var port uint16
	binary.BigEndian.PutUint16((*[2]byte)(unsafe.Pointer(&port))[:], to.Port()) //nolint:gosec // Two bytes, in the order of the network.
	if s.v6 {
		return unix.RawSockaddrInet6{Family: unix.AF_INET6, Port: port, Addr: to.Addr().As16()}, unix.SizeofSockaddrInet6
	}
	var address unix.RawSockaddrInet6
	//nolint:gosec // It is shorter than that of IPv6.
	*(*unix.RawSockaddrInet4)(unsafe.Pointer(&address)) = unix.RawSockaddrInet4{Family: unix.AF_INET, Port: port, Addr: to.Addr().Unmap().As4()}
	return address, unix.SizeofSockaddrInet4
}

func (s *datagramSocket) close() { _ = s.conn.Close() } // Nothing is lost with datagrams.
