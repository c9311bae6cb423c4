package rawconn

import (
	"bytes"
	"errors"
	"io"
	"net"
	"os"
	"syscall"
	"testing"
	"time"
)

func TestConn_CarriesAllBytes(t *testing.T) {
	a, b := pair(t)
	sent := bytes.Repeat([]byte("0123456789"), 1<<20) // More than the buffers have room for.
	wrote := make(chan error, 1)
	go func() {
		n, err := a.Write(sent)
		if err == nil && n != len(sent) {
			err = io.ErrShortWrite
		}
		wrote <- errors.Join(err, a.Close())
	}()
	got, err := io.ReadAll(b)
	if err != nil || !bytes.Equal(got, sent) {
		t.Errorf("%d bytes of %d arrived, error %v", len(got), len(sent), err)
	}
	if err := <-wrote; err != nil {
		t.Error(err)
	}
}

func TestConn_ErrorsAreThoseOfNet(t *testing.T) {
	a, b := pair(t)
	read := func(c net.Conn) error {
		_, err := c.Read(make([]byte, 1))
		return err
	}
	_ = a.SetReadDeadline(time.Now().Add(10 * time.Millisecond))
	if err := read(a); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("after the deadline: %v", err)
	}
	_ = a.SetReadDeadline(time.Time{})
	_ = a.SetWriteDeadline(time.Now().Add(10 * time.Millisecond))
	n, err := a.Write(make([]byte, 64<<20))
	if !errors.Is(err, os.ErrDeadlineExceeded) || n == 0 || n == 64<<20 {
		t.Errorf("writing more than fits: %d, %v", n, err)
	}

	_ = b.(*conn).Conn.(*net.TCPConn).SetLinger(0) // Closing resets the connection.
	_ = b.Close()
	if err := read(b); !errors.Is(err, net.ErrClosed) {
		t.Errorf("after closing: %v", err)
	}
	if err := read(a); !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("after a reset: %v", err)
	}
	_ = a.SetWriteDeadline(time.Time{})
	if _, err := a.Write([]byte("x")); !errors.Is(err, syscall.EPIPE) {
		t.Errorf("writing after a reset: %v", err)
	}
}

// pair returns the ends of a connection.
func pair(t *testing.T) (a, b net.Conn) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	dialed, err := net.Dial("tcp", listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	accepted, err := listener.Accept()
	if err != nil {
		t.Fatal(err)
	}
	a, b = New(dialed), New(accepted)
	t.Cleanup(func() { _, _ = a.Close(), b.Close() })
	return a, b
}
