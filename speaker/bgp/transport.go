package bgp

import (
	"bufio"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"time"

	"github.com/osrg/gobgp/v4/pkg/packet/bgp"

	"github.com/daymark-lb/daymark/speaker/rawconn"
)

// lastMessageTimeout is how long a router may take to read our last message.
const lastMessageTimeout = 500 * time.Millisecond

// transport is a connection that carries BGP messages. One goroutine may read while another writes.
type transport struct {
	conn   net.Conn
	reader *bufio.Reader
	body   [bgp.BGP_MAX_MESSAGE_LENGTH]byte
	// broken: a message was written in part. Nothing that follows would be understood.
	broken bool
}

func newTransport(conn net.Conn) *transport {
	conn = rawconn.New(conn)
	return &transport{conn: conn, reader: bufio.NewReaderSize(conn, 2*bgp.BGP_MAX_MESSAGE_LENGTH)}
}

// localAddr is the address of our end of the connection; invalid when it has none.
func (t *transport) localAddr() netip.Addr {
	if addr, ok := t.conn.LocalAddr().(*net.TCPAddr); ok {
		return addr.AddrPort().Addr().Unmap()
	}
	return netip.Addr{}
}

// message is a message of the router without its header. The body is valid until the next read.
type message struct {
	messageType uint8
	body        []byte
}

// bodyLengths are the lengths that the body of a message may have, in bytes (RFC 4271 section 6.1, RFC 2918). No body is
// longer than 4077 bytes.
var bodyLengths = map[uint8]struct{ least, most int }{
	bgp.BGP_MSG_OPEN:          {10, bgp.BGP_MAX_MESSAGE_LENGTH},
	bgp.BGP_MSG_UPDATE:        {4, bgp.BGP_MAX_MESSAGE_LENGTH},
	bgp.BGP_MSG_NOTIFICATION:  {2, bgp.BGP_MAX_MESSAGE_LENGTH},
	bgp.BGP_MSG_KEEPALIVE:     {0, 0},
	bgp.BGP_MSG_ROUTE_REFRESH: {4, 4},
}

// awaitMessage waits until read has a whole message, so that a deadline that passes meanwhile takes nothing away.
func (t *transport) awaitMessage() error {
	header, err := t.reader.Peek(bgp.BGP_HEADER_LENGTH)
	if err != nil {
		return err //nolint:wrapcheck // The caller says what it means.
	}
	length := int(binary.BigEndian.Uint16(header[16:18]))
	_, err = t.reader.Peek(min(length, bgp.BGP_MAX_MESSAGE_LENGTH))
	return err //nolint:wrapcheck // The caller says what it means.
}

// read waits for a message. The error is a *closeReason when the message is malformed, else the connection's.
func (t *transport) read() (message, error) {
	var header [bgp.BGP_HEADER_LENGTH]byte
	if _, err := io.ReadFull(t.reader, header[:]); err != nil {
		return message{}, err //nolint:wrapcheck // The caller says what it means.
	}
	kind, length, err := parseHeader(&header)
	if err != nil {
		return message{}, err
	}
	body := t.body[:length]
	if _, err := io.ReadFull(t.reader, body); err != nil {
		return message{}, err //nolint:wrapcheck // The caller says what it means.
	}
	return message{kind, body}, nil
}

// parseHeader returns the type of a message and the length of its body. The error says what is wrong with the header (RFC
// 4271 section 6.1).
func parseHeader(header *[bgp.BGP_HEADER_LENGTH]byte) (kind uint8, length int, err error) {
	for _, b := range header[:16] {
		if b != 0xff {
			return 0, 0, malformed(bgp.BGP_ERROR_MESSAGE_HEADER_ERROR, bgp.BGP_ERROR_SUB_CONNECTION_NOT_SYNCHRONIZED, nil,
				"the marker is not all ones")
		}
	}
	total, kind := header[16:18], header[18]
	length = int(binary.BigEndian.Uint16(total)) - bgp.BGP_HEADER_LENGTH
	if length < 0 || length > bgp.BGP_MAX_MESSAGE_LENGTH-bgp.BGP_HEADER_LENGTH {
		return 0, 0, malformed(bgp.BGP_ERROR_MESSAGE_HEADER_ERROR, bgp.BGP_ERROR_SUB_BAD_MESSAGE_LENGTH, total,
			fmt.Sprintf("its length is %d", length+bgp.BGP_HEADER_LENGTH))
	}
	allowed, known := bodyLengths[kind]
	if !known {
		return 0, 0, malformed(bgp.BGP_ERROR_MESSAGE_HEADER_ERROR, bgp.BGP_ERROR_SUB_BAD_MESSAGE_TYPE, header[18:19],
			fmt.Sprintf("unknown message type %d", kind))
	}
	if length < allowed.least || length > allowed.most {
		return 0, 0, malformed(bgp.BGP_ERROR_MESSAGE_HEADER_ERROR, bgp.BGP_ERROR_SUB_BAD_MESSAGE_LENGTH, total,
			fmt.Sprintf("a message of type %d has length %d", kind, length+bgp.BGP_HEADER_LENGTH))
	}
	return kind, length, nil
}

// write sends whole messages, a batch of bounded size. It fails when the router has not read them after timeout, and soon
// after ctx has ended.
func (t *transport) write(ctx context.Context, messages []byte, timeout time.Duration) error {
	_ = t.conn.SetWriteDeadline(time.Now().Add(timeout)) // Fails on a closed connection, as writing will.
	// ctx is checked after the deadline is set: when ctx ends, interrupt sets an earlier deadline, which must not be lost.
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	n, err := t.conn.Write(messages)
	t.broken = err != nil && n > 0
	return err //nolint:wrapcheck // The caller says what it means.
}

// interrupt ends reading at once, and writing after lastMessageTimeout.
func (t *transport) interrupt() {
	now := time.Now()
	_ = t.conn.SetReadDeadline(now)
	_ = t.conn.SetWriteDeadline(now.Add(lastMessageTimeout))
}

// close closes the connection. If notification is not nil, it is sent first. An announced end is one that the router shall have noticed
// when close returns, by the notification or, if there is none, by the end of what we send. This takes half a second at most.
func (t *transport) close(notification []byte, announced bool) {
	defer t.conn.Close() //nolint:errcheck // All that matters was written before.
	if !announced && (notification == nil || t.broken) {
		return
	}
	_ = t.conn.SetDeadline(time.Now().Add(lastMessageTimeout))
	if err := t.last(notification); err != nil {
		return
	}
	// The router closes the connection when it has read the message (RFC 4271 section 8.2.2) or the end. We wait for that, for three
	// reasons. If we closed at once, FRR might see the end of the connection before the message, and keep our routes for
	// graceful restart. The kernel answers what arrives after closing with a reset, which may overtake the message. And BFD may
	// end next: a router that hears of that first, in another process of it, drops the routes that it was to keep.
	_, _ = io.Copy(io.Discard, t.reader)
}

// last sends the last message, or that none follows.
func (t *transport) last(notification []byte) error {
	if notification != nil && !t.broken {
		_, err := t.conn.Write(notification)
		return err //nolint:wrapcheck // Nobody reads it.
	}
	half, can := t.conn.(interface{ CloseWrite() error })
	if !can {
		return errors.ErrUnsupported
	}
	return half.CloseWrite() //nolint:wrapcheck // Nobody reads it.
}

// isTimeout reports whether an error means that a deadline of ours has passed. That the kernel has given up is another
// error.
func isTimeout(err error) bool { return errors.Is(err, os.ErrDeadlineExceeded) }
