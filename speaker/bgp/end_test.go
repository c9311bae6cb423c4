package bgp

import (
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
		most   time.Duration
	}{
		"the router closes the connection": {true, lastMessageTimeout},
		"the router hangs":                 {false, 2 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			at := newHost(t)
			noticed, closes, hung := make(chan struct{}), make(chan struct{}), make(chan struct{})
			go serveUntil(t, at, noticed, closes, hung)
			t.Cleanup(func() { close(hung) })
			speaker := start(t, local(t, "tor", at, func(s *announce.Session) { s.RestartTime = time.Minute }))
			speaker.up("tor")
			ended := make(chan time.Duration)
			go func() {
				began := time.Now()
				speaker.end()
				ended <- time.Since(began)
			}()
			<-noticed
			select {
			case took := <-ended:
				t.Fatalf("it ended after %v, and the router has not closed the connection", took)
			case <-time.After(lastMessageTimeout / 4): // That it does nothing is what is wanted.
			}
			if test.closes {
				close(closes)
			}
			if took := <-ended; took > test.most {
				t.Errorf("it took %v", took)
			}
		})
	}
}

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
