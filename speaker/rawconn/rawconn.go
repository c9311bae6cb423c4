// Package rawconn reads and writes a TCP connection without telling Go's scheduler. Its one job is the system call: the package net
// says before each one that it may block, which wakes the runtime's monitor at rest, and that stays awake for a while, though a
// socket of Go never blocks. It refuses everything else of a connection; deadlines and closing are those of package net.
package rawconn

import (
	"context"
	"io"
	"net"
	"os"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// maxWrite is how many bytes are given to the kernel at once. It copies them, and meanwhile nothing else runs on this processor.
const maxWrite = 64 << 10

// conn is a TCP connection. Embedded is the interface: what *net.TCPConn has beside it would read and write in the usual way.
type conn struct {
	net.Conn
	raw syscall.RawConn
	// closeWrite is that of *net.TCPConn.
	closeWrite func() error
}

// New returns a connection that reads and writes in this way; one that is not TCP is returned as it is.
func New(c net.Conn) net.Conn {
	tcp, is := c.(*net.TCPConn)
	if !is {
		return c
	}
	raw, err := tcp.SyscallConn()
	if err != nil {
		return c
	}
	return &conn{tcp, raw, tcp.CloseWrite}
}

// Dial connects to an address as a Dialer does.
func Dial(d *net.Dialer) func(ctx context.Context, network, address string) (net.Conn, error) {
	return func(ctx context.Context, network, address string) (net.Conn, error) {
		c, err := d.DialContext(ctx, network, address)
		if err != nil {
			return nil, err //nolint:wrapcheck // It is the one of package net.
		}
		return New(c), nil
	}
}

// Read implements net.Conn.
func (c *conn) Read(b []byte) (n int, err error) {
	if len(b) == 0 {
		return 0, nil
	}
	var errno syscall.Errno
	err = c.raw.Read(func(fd uintptr) bool {
		n, errno = call(unix.SYS_READ, fd, b)
		return errno != unix.EAGAIN
	})
	switch {
	case err != nil:
		return 0, err //nolint:wrapcheck // It is the one of package net.
	case errno != 0:
		return 0, c.failed("read", errno)
	case n == 0:
		return 0, io.EOF
	default:
		return n, nil
	}
}

// Write implements net.Conn.
func (c *conn) Write(b []byte) (n int, err error) {
	var errno syscall.Errno
	err = c.raw.Write(func(fd uintptr) bool {
		for n < len(b) {
			var some int
			if some, errno = call(unix.SYS_WRITE, fd, b[n:min(len(b), n+maxWrite)]); errno != 0 {
				return errno != unix.EAGAIN
			}
			n += some
		}
		return true
	})
	if err == nil && errno != 0 {
		err = c.failed("write", errno)
	}
	return n, err
}

// CloseWrite ends what is written, as that of *net.TCPConn does; reading goes on.
func (c *conn) CloseWrite() error { return c.closeWrite() }

// call makes a system call with some memory, again if a signal has interrupted it.
func call(trap, fd uintptr, b []byte) (n int, errno syscall.Errno) {
	for {
		//nolint:gosec // The memory stays valid until the call returns, and the kernel keeps no pointer to it.
		done, _, errno := unix.RawSyscall(trap, fd, uintptr(unsafe.Pointer(&b[0])), uintptr(len(b)))
		if errno == 0 {
			return int(done), 0
		}
		if errno != unix.EINTR {
			return 0, errno
		}
	}
}

// failed is an error as package net has it.
func (c *conn) failed(what string, errno syscall.Errno) error {
	return &net.OpError{Op: what, Net: "tcp", Source: c.LocalAddr(), Addr: c.RemoteAddr(), Err: os.NewSyscallError(what, errno)}
}
