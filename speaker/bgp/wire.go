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
)

// farewell is how long a router is given to take our last message.
const farewell = 500 * time.Millisecond

// wire is a connection that carries BGP messages. One goroutine may read while another writes.
type wire struct {
	conn net.Conn
	in   *bufio.Reader
	body [bgp.BGP_MAX_MESSAGE_LENGTH]byte
	// broken: a message was written in part, and nothing that follows would be understood.
	broken bool
}

func newWire(conn net.Conn) *wire {
	return &wire{conn: conn, in: bufio.NewReaderSize(conn, 2*bgp.BGP_MAX_MESSAGE_LENGTH)}
}

// local is the address of our end of the connection; invalid when it has none.
func (w *wire) local() netip.Addr {
	if addr, ok := w.conn.LocalAddr().(*net.TCPAddr); ok {
		return addr.AddrPort().Addr().Unmap()
	}
	return netip.Addr{}
}

// message is one of a router's, without the header. The body is valid until the next is read.
type message struct {
	kind uint8
	body []byte
}

// lengths that the body of a message may have, in bytes (RFC 4271 section 6.1, RFC 2918). All are below 4078.
var lengths = map[uint8]struct{ least, most int }{
	bgp.BGP_MSG_OPEN:          {10, bgp.BGP_MAX_MESSAGE_LENGTH},
	bgp.BGP_MSG_UPDATE:        {4, bgp.BGP_MAX_MESSAGE_LENGTH},
	bgp.BGP_MSG_NOTIFICATION:  {2, bgp.BGP_MAX_MESSAGE_LENGTH},
	bgp.BGP_MSG_KEEPALIVE:     {0, 0},
	bgp.BGP_MSG_ROUTE_REFRESH: {4, 4},
}

// read waits for a message. The error is an *ending when the message is malformed, else the connection's.
func (w *wire) read() (message, error) {
	var header [bgp.BGP_HEADER_LENGTH]byte
	if _, err := io.ReadFull(w.in, header[:]); err != nil {
		return message{}, err //nolint:wrapcheck // The caller says what it means.
	}
	kind, length, err := parseHeader(&header)
	if err != nil {
		return message{}, err
	}
	body := w.body[:length]
	if _, err := io.ReadFull(w.in, body); err != nil {
		return message{}, err //nolint:wrapcheck // The caller says what it means.
	}
	return message{kind, body}, nil
}

// parseHeader gives the type of a message and the length of its body, or what is wrong with it (RFC 4271 section 6.1).
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
	allowed, known := lengths[kind]
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

// write sends whole messages, a batch of bounded size, and gives up when the router has not taken them after patience, or
// soon after ctx has ended.
func (w *wire) write(ctx context.Context, messages []byte, patience time.Duration) error {
	_ = w.conn.SetWriteDeadline(time.Now().Add(patience)) // Fails on a closed connection, as writing will.
	if ctx.Err() != nil {                                 // Asked after that: hurry sets a nearer deadline when ctx ends.
		return context.Cause(ctx)
	}
	n, err := w.conn.Write(messages)
	w.broken = err != nil && n > 0
	return err //nolint:wrapcheck // The caller says what it means.
}

// hurry ends reading at once and writing soon.
func (w *wire) hurry() {
	now := time.Now()
	_ = w.conn.SetReadDeadline(now)
	_ = w.conn.SetWriteDeadline(now.Add(farewell))
}

// end closes the connection, after telling the router why where there is something to tell. It takes a second at most.
func (w *wire) end(notification []byte) {
	defer w.conn.Close() //nolint:errcheck // There is nothing left to lose.
	if notification == nil || w.broken {
		return
	}
	deadline := time.Now().Add(farewell)
	_ = w.conn.SetDeadline(deadline)
	if _, err := w.conn.Write(notification); err != nil {
		return
	}
	// The router closes when it has read the message (RFC 4271 section 8.2.2). We wait for that: a close by us would arrive
	// together with the message, and FRR may see the end of the connection first and keep our routes for graceful restart;
	// and the kernel answers what arrives after closing with a reset, which may overtake the message.
	_, _ = io.Copy(io.Discard, w.in)
}

// timedOut tells whether an error means that a deadline of ours has passed. That the kernel has given up is another thing.
func timedOut(err error) bool { return errors.Is(err, os.ErrDeadlineExceeded) }
