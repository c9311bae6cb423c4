package bgp

import (
	"io"
	"net"
	"sync/atomic"
	"syscall"
)

// halfBroken is a connection that can be read, and written to unless it is mute.
type halfBroken struct {
	net.Conn
	mute *atomic.Bool
}

func (h *halfBroken) Write(b []byte) (int, error) {
	if h.mute.Load() {
		return 0, syscall.EPIPE
	}
	return h.Conn.Write(b)
}

// deaf is a connection that gives what is unread, and then nothing.
type deaf struct {
	net.Conn
	unread []byte
}

func (d *deaf) Read(into []byte) (int, error) {
	if len(d.unread) == 0 {
		return 0, io.EOF
	}
	n := copy(into, d.unread)
	d.unread = d.unread[n:]
	return n, nil
}
