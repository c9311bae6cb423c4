package bgp

import (
	"context"
	"errors"
	"io"
	"net"
	"net/netip"
	"testing"
	"time"

	"github.com/daymark-lb/daymark/internal/core/announce"
)

// A router that keeps the routes is told nothing but the end of the connection, and BFD ends when Start has returned. If the router
// heard of that first, it would drop the routes.
func TestSpeaker_EndsWhenTheRouterHasNoticed(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		closes bool
		dial   dialer
	}{
		"the router closes the connection": {true, dialForEver},
		"the router hangs":                 {false, dialRouter},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			at := newHost(t)
			noticed, closes, hung := make(chan struct{}), make(chan struct{}), make(chan struct{})
			go serveUntil(t, at, noticed, closes, hung)
			t.Cleanup(func() { close(hung) })
			speaker := startBy(t, test.dial, local(t, "tor", at, func(s *announce.Session) { s.RestartTime = time.Minute }))
			speaker.up("tor")
			ended := make(chan struct{})
			go func() {
				speaker.end()
				close(ended)
			}()
			<-noticed
			select {
			case <-ended:
				t.Fatal("it ended, and the router has not closed the connection")
			case <-time.After(lastMessageTimeout / 4): // That it does nothing is what is wanted.
			}
			if test.closes {
				close(closes)
			}
			select {
			case <-ended:
			case <-time.After(10 * time.Second):
				t.Error("it has not ended")
			}
		})
	}
}

// dialForEver connects to a router that may take any time to close the connection.
func dialForEver(ctx context.Context, s *settings) (net.Conn, error) {
	conn, err := dialRouter(ctx, s)
	if err != nil {
		return nil, err
	}
	return withoutDeadline{conn.(closeWriter)}, nil
}

type closeWriter interface {
	net.Conn
	CloseWrite() error
}

type withoutDeadline struct{ closeWriter }

func (c withoutDeadline) SetDeadline(time.Time) error { return c.closeWriter.SetDeadline(time.Time{}) }

// serveUntil is a router with graceful restart that closes noticed when it reads the end of a connection, and closes the connection
// when closes is closed, or hung.
func serveUntil(t *testing.T, at netip.Addr, noticed, closes, hung chan struct{}) {
	listener, err := net.Listen("tcp", netip.AddrPortFrom(at, 179).String())
	if err != nil {
		t.Error(err)
		return
	}
	defer listener.Close()
	conn, err := listener.Accept()
	if err != nil {
		t.Error(err)
		return
	}
	defer conn.Close()
	_, _ = conn.Write(routerSettings(func(s *settings) { s.ipv6 = false }).mustEncodeOpen(t))
	_, _ = conn.Write(keepaliveMessage)
	if _, err := io.Copy(io.Discard, conn); err != nil && !errors.Is(err, net.ErrClosed) {
		t.Error(err)
	}
	close(noticed)
	select {
	case <-closes:
	case <-hung:
	}
}
