package bfd

import (
	"encoding/binary"
	"net/netip"
	"unsafe"

	"golang.org/x/sys/unix"
)

// The system calls of this file do not block and allocate no memory. They are made without telling the Go scheduler. It
// would give the processor of a goroutine in a system call to another goroutine, and let the first one wait when the call
// returns. On a busy node, packets would leave tens of milliseconds late.

// sockaddr is a socket address in the kernel's layout.
type sockaddr struct {
	data   [unix.SizeofSockaddrInet6]byte
	length uint32
}

// newSockaddr makes a sockaddr from an address without zone, a port, and the index of the interface of a link-local
// address; else 0.
func newSockaddr(addr netip.Addr, port, link int) *sockaddr {
	s := &sockaddr{length: unix.SizeofSockaddrInet4}
	binary.BigEndian.PutUint16(s.data[2:], uint16(port)) //nolint:gosec // a port
	if addr.Is4() {
		binary.NativeEndian.PutUint16(s.data[:], unix.AF_INET)
		copy(s.data[4:], addr.AsSlice())
		return s
	}
	s.length = unix.SizeofSockaddrInet6
	binary.NativeEndian.PutUint16(s.data[:], unix.AF_INET6)
	copy(s.data[8:24], addr.AsSlice())
	binary.NativeEndian.PutUint32(s.data[24:], uint32(link)) //nolint:gosec // an index
	return s
}

// toAddr returns the address without its zone; invalid when it is of another family.
func (s *sockaddr) toAddr() netip.Addr {
	switch binary.NativeEndian.Uint16(s.data[:]) {
	case unix.AF_INET:
		return netip.AddrFrom4([4]byte(s.data[4:]))
	case unix.AF_INET6:
		return netip.AddrFrom16([16]byte(s.data[8:]))
	}
	return netip.Addr{}
}

// sendTo sends a datagram that is not empty. It does not block: it fails at once.
func sendTo(fd int, data []byte, to *sockaddr) error {
	//nolint:gosec // The memory stays valid until the call returns, and the kernel keeps no pointer to it.
	_, _, errno := unix.RawSyscall6(unix.SYS_SENDTO, uintptr(fd), uintptr(unsafe.Pointer(&data[0])), uintptr(len(data)),
		unix.MSG_DONTWAIT, uintptr(unsafe.Pointer(&to.data)), uintptr(to.length))
	if errno != 0 {
		return errno
	}
	return nil
}

// receiveBuffer is the memory into which datagrams are received.
type receiveBuffer struct {
	data    [512]byte
	control [128]byte
	from    sockaddr
	vector  unix.Iovec
	header  unix.Msghdr
}

// receive takes a datagram that has arrived. It does not block: it fails at once. What it returns is valid until the next
// call.
func (in *receiveBuffer) receive(fd int) (data, control []byte, from netip.Addr, err error) {
	in.vector.Base = &in.data[0]
	in.vector.SetLen(len(in.data))
	in.header = unix.Msghdr{
		Name: &in.from.data[0], Namelen: uint32(len(in.from.data)),
		Iov: &in.vector, Control: &in.control[0],
	}
	in.header.SetIovlen(1)
	in.header.SetControllen(len(in.control))
	in.from = sockaddr{}
	//nolint:gosec // The receiveBuffer, and all that its header points to, stays valid until the call returns.
	n, _, errno := unix.RawSyscall(unix.SYS_RECVMSG, uintptr(fd), uintptr(unsafe.Pointer(&in.header)), unix.MSG_DONTWAIT)
	if errno != 0 {
		return nil, nil, netip.Addr{}, errno
	}
	controls := uint64(in.header.Controllen) //nolint:unconvert // It is narrower on other machines.
	return in.data[:n], in.control[:min(controls, uint64(len(in.control)))], in.from.toAddr(), nil
}
