package probe

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"sync"
	"time"

	"github.com/daymark-lb/daymark/e2e/lab/check"
)

// Sender sends a datagram every 10 ms from one port, and keeps the answers.
type Sender struct {
	conn    net.Conn
	stop    context.CancelFunc
	done    sync.WaitGroup
	mu      sync.Mutex
	answers []Reply
}

// Reply is an answer to a datagram, and when it came.
type Reply struct {
	At time.Time
	By Answer
}

// Send starts to send to a port of an address. The test's end stops it.
func (c Client) Send(to netip.AddrPort) *Sender {
	c.t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	conn, err := c.Dial(ctx, "udp", to.String())
	check.Must(c.t, "open a socket", err)
	s := &Sender{conn: conn, stop: cancel}
	c.t.Cleanup(s.Stop)
	s.done.Go(func() { s.send(ctx) })
	s.done.Go(s.receive)
	return s
}

// send goes on whatever a router or node says of a datagram before.
func (s *Sender) send(ctx context.Context) {
	tick := time.NewTicker(probeInterval)
	defer tick.Stop()
	for {
		_, _ = s.conn.Write([]byte("hello"))
		select {
		case <-ctx.Done():
			_ = s.conn.Close()
			return
		case <-tick.C:
		}
	}
}

func (s *Sender) receive() {
	buffer := make([]byte, 1500)
	for {
		n, err := s.conn.Read(buffer)
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil {
			continue // an ICMP message about a datagram
		}
		if answer, err := parseAnswer(string(buffer[:n])); err == nil {
			s.mu.Lock()
			s.answers = append(s.answers, Reply{time.Now(), answer})
			s.mu.Unlock()
		}
	}
}

// FirstFrom is when the first answer from a node came after a moment.
func (s *Sender) FirstFrom(node string, after time.Time) (time.Time, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, reply := range s.answers {
		if reply.At.After(after) && reply.By.Node == node {
			return reply.At, nil
		}
	}
	return time.Time{}, fmt.Errorf("no datagram has been answered from %s since %s", node, after.Format("15:04:05.000"))
}

// Stop ends it.
func (s *Sender) Stop() {
	s.stop()
	s.done.Wait()
}
