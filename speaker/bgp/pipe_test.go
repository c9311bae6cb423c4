package bgp

import (
	"io"
	"net"
	"sync/atomic"
	"syscall"
)

// brokenWriteConn is a connection that can be read. Writing fails if writeFails.
type brokenWriteConn struct {
	net.Conn
	writeFails *atomic.Bool
}

func (h *brokenWriteConn) Write(b []byte) (int, error) {
	if h.writeFails.Load() {
		return 0, syscall.EPIPE
	}
	return h.Conn.Write(b)
}

// bufferConn is a connection from which unread can be read, and then the end.
type bufferConn struct {
	net.Conn
	unread []byte
}

func (d *bufferConn) Read(into []byte) (int, error) {
	if len(d.unread) == 0 {
		return 0, io.EOF
	}
	n := copy(into, d.unread)
	d.unread = d.unread[n:]
	return n, nil
}
