package bgp

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/osrg/gobgp/v4/pkg/packet/bgp"

	"github.com/daymark-lb/daymark/api/v1beta1"
	"github.com/daymark-lb/daymark/internal/bubble"
	"github.com/daymark-lb/daymark/internal/core/announce"
	"github.com/daymark-lb/daymark/internal/core/lb"
)

// fakeClockSession is a session in a synctest bubble: only timers take time, and they are exact.
type fakeClockSession struct {
	*session
	t *testing.T
	// attempts are when it dialed; mu guards them. An attempt succeeds when the router's end is ready to take the connection
	// from routerEnd.
	mu        sync.Mutex
	attempts  []time.Time
	routerEnd chan net.Conn
	begun     time.Time
	// writeFails makes every write fail.
	writeFails atomic.Bool
}

// withFakeClock runs a session in a synctest bubble.
func withFakeClock(t *testing.T, change func(*announce.Session), test func(*fakeClockSession)) {
	t.Helper()
	bubble.Test(t, func(t *testing.T) {
		c := &fakeClockSession{session: newSession(slog.New(slog.DiscardHandler), func() {}, nil), t: t, routerEnd: make(chan net.Conn), begun: time.Now()}
		c.dial = func(context.Context, *settings) (net.Conn, error) {
			c.noteAttempt()
			near, far := net.Pipe()
			time.Sleep(time.Nanosecond) // Until all other goroutines wait, so that an accept that waits is seen.
			select {
			case c.routerEnd <- far:
				return &brokenWriteConn{near, &c.writeFails}, nil
			default:
				return nil, errors.New("dial tcp 192.0.2.1:179: connect: connection refused")
			}
		}
		desired := announce.Session{
			Name: "tor", MyASN: 64512, PeerASN: 64513, Address: netip.MustParseAddr("192.0.2.1"), Port: 179,
			RouterID: netip.MustParseAddr("192.0.2.2"), NextHop4: netip.MustParseAddr("192.0.2.2"),
			HoldTime: 90 * time.Second, ConnectTime: 4 * time.Second, Families: []lb.Family{lb.IPv4},
		}
		if change != nil {
			change(&desired)
		}
		c.setDesired(&desired)
		ended := make(chan struct{})
		go func() { defer close(ended); c.run() }()
		test(c)
		c.close(shutdown())
		<-ended
	})
}

func (c *fakeClockSession) noteAttempt() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.attempts = append(c.attempts, time.Now())
}

// dialed returns the times of the attempts.
func (c *fakeClockSession) dialed() []time.Time {
	synctest.Wait()
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.attempts)
}

// accept takes the next connection that is dialed, and writes messages to it. It reads from the connection all the time;
// the channel gives what it reads.
func (c *fakeClockSession) accept(messages ...[]byte) (net.Conn, <-chan message) {
	c.t.Helper()
	conn := <-c.routerEnd
	heard := make(chan message, 1000)
	go func() {
		defer close(heard)
		for t := newTransport(conn); ; {
			m, err := t.read()
			if err != nil {
				return
			}
			heard <- message{m.messageType, slices.Clone(m.body)}
		}
	}()
	for _, m := range messages {
		if _, err := conn.Write(m); err != nil {
			c.t.Errorf("write: %v", err)
		}
	}
	synctest.Wait()
	return conn, heard
}

func (c *fakeClockSession) status() Status {
	synctest.Wait()
	return c.recorder.status()
}

// says checks that the session is down for a reason.
func (c *fakeClockSession) says(words string) {
	c.t.Helper()
	if s := c.status(); s.State == v1beta1.BGPEstablished || !strings.Contains(s.LastError, words) {
		c.t.Errorf("after %s the status is %+v, want %q", time.Since(c.begun), s, words)
	}
}

// lastMessageOf returns the last message of a connection that has ended.
func lastMessageOf(heard <-chan message) (m message) {
	for next := range heard {
		m = next
	}
	return m
}

func TestSession_HoldTimerEndsASilentOne(t *testing.T) {
	t.Parallel()
	withFakeClock(t, func(s *announce.Session) { s.Paths = many(2, false, med(1)) }, func(c *fakeClockSession) {
		conn, heard := c.accept(routerSettings(nil).mustEncodeOpen(t), keepaliveMessage)
		if s := c.status(); s.State != v1beta1.BGPEstablished || s.IPv4 != 2 || s.HoldTime != 9*time.Second || s.KeepaliveTime != 3*time.Second {
			t.Fatalf("status %+v", s)
		}
		time.Sleep(8 * time.Second)
		_, _ = conn.Write(keepaliveMessage) // It restarts the hold timer,
		time.Sleep(8 * time.Second)
		_, _ = conn.Write(endOfRIB(bothFamilies[:1])) // and so does this,
		time.Sleep(8 * time.Second)
		_, _ = conn.Write(keepaliveMessage[:10]) // but part of a message does not.
		if s := c.status(); s.State != v1beta1.BGPEstablished {
			t.Fatalf("status %+v", s)
		}
		time.Sleep(time.Second)
		c.says("hold timer expired")
		if s := c.status(); s.IPv4 != 0 || s.HoldTime != 0 || s.KeepaliveTime != 0 || s.Families != nil {
			t.Errorf("the session has gone, the status is %+v", s)
		}
		beats := 0
		for m := range heard {
			if m.messageType == bgp.BGP_MSG_KEEPALIVE {
				beats++
			} else if m.messageType == bgp.BGP_MSG_NOTIFICATION && m.body[0] != bgp.BGP_ERROR_HOLD_TIMER_EXPIRED {
				t.Errorf("NOTIFICATION %v", m.body)
			}
		}
		if beats < 25/3 || beats > 25/2+1 { // One confirms OPEN; the others follow every 2.25 to 3 s.
			t.Errorf("%d keepalives in 25 s", beats)
		}
	})
}

func TestSession_HoldTimeZeroMeansNoTimers(t *testing.T) {
	t.Parallel()
	withFakeClock(t, nil, func(c *fakeClockSession) {
		conn, heard := c.accept(routerSettings(func(s *settings) { s.holdTime = 0 }).mustEncodeOpen(t), keepaliveMessage)
		time.Sleep(time.Hour)
		if s := c.status(); s.State != v1beta1.BGPEstablished || s.HoldTime != 0 || s.KeepaliveTime != 0 ||
			!strings.HasPrefix(s.LastError, "the router's hold time is 0: nothing notices when the router or this node is gone") || len(s.Warnings) != 1 {
			t.Errorf("status %+v", s)
		}
		_ = conn.Close()
		beats := 0
		for m := range heard {
			if m.messageType == bgp.BGP_MSG_KEEPALIVE {
				beats++
			}
		}
		if beats != 1 {
			t.Errorf("%d keepalives, and one was to confirm OPEN", beats)
		}
	})
}

func TestNegotiated_HoldTimeZeroSaysWhatNotices(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		holdTime time.Duration
		bfd      bool
		want     []string
	}{
		"nothing":        {0, false, []string{"the router's hold time is 0: nothing notices when the router or this node is gone; give the router a hold time, or use BFD"}},
		"BFD":            {0, true, []string{"the router's hold time is 0: nothing but BFD notices when the router or this node is gone"}},
		"the hold timer": {9 * time.Second, false, nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := routerSettings(func(s *settings) { s.bfd = test.bfd })
			if got := s.warningsOf(&negotiated{holdTime: test.holdTime}); !slices.Equal(got, test.want) {
				t.Errorf("it says %q", got)
			}
		})
	}
}

// The session's socket belongs to the interface that is gone.
func TestSession_InterfaceReplacedUnderTheSameNameResets(t *testing.T) {
	t.Parallel()
	withFakeClock(t, func(s *announce.Session) { s.Links = [2]int{3} }, func(c *fakeClockSession) {
		_, heard := c.accept(routerSettings(nil).mustEncodeOpen(t), keepaliveMessage)
		next := *c.currentDesired()
		next.ConnectTime = time.Minute // It concerns the next attempt, and resets nothing.
		c.setDesired(&next)
		if s := c.status(); s.State != v1beta1.BGPEstablished {
			t.Errorf("another connectTime: status %+v", s)
		}
		next.Links = [2]int{4}
		c.setDesired(&next)
		changed := time.Now()
		lastMessageOf(heard)
		if took := time.Since(changed); took > time.Second {
			t.Errorf("it ended after %s", took)
		}
		_, _ = c.accept(routerSettings(nil).mustEncodeOpen(t), keepaliveMessage)
		if s := c.status(); s.State != v1beta1.BGPEstablished {
			t.Errorf("status %+v", s)
		}
	})
}

func TestSession_SilentRouterIsGivenUp(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		messages [][]byte
		after    time.Duration
		words    string
	}{
		"no OPEN":                  {nil, 4 * time.Minute, "sent no OPEN message for 4 minutes"},
		"half an OPEN":             {[][]byte{keepaliveMessage[:17]}, 4 * time.Minute, "sent no OPEN message for 4 minutes"},
		"no KEEPALIVE after OPEN":  {[][]byte{routerSettings(nil).mustEncodeOpen(t)}, 9 * time.Second, "hold timer expired"},
		"the same without timers":  {[][]byte{routerSettings(func(s *settings) { s.holdTime = 0 }).mustEncodeOpen(t)}, 4 * time.Minute, "hold timer expired"},
		"nothing once it was up":   {[][]byte{routerSettings(nil).mustEncodeOpen(t), keepaliveMessage}, 9 * time.Second, "hold timer expired"},
		"a message without an end": {[][]byte{routerSettings(nil).mustEncodeOpen(t), keepaliveMessage, append(slicesOf(0xff, 16), 16, 0, 2, 0)}, 9 * time.Second, "hold timer expired"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			withFakeClock(t, nil, func(c *fakeClockSession) {
				_, heard := c.accept(test.messages...)
				time.Sleep(test.after - time.Millisecond)
				if s := c.status(); s.LastError != "" && !strings.HasSuffix(s.LastError, "has sent no OPEN message yet") {
					t.Errorf("a millisecond too soon: %+v", s)
				}
				time.Sleep(time.Millisecond)
				c.says(test.words)
				if m := lastMessageOf(heard); m.messageType != bgp.BGP_MSG_NOTIFICATION || m.body[0] != bgp.BGP_ERROR_HOLD_TIMER_EXPIRED {
					t.Errorf("the last message is %v", m)
				}
			})
		})
	}
}

func TestSession_WarnsWhenTheOpenMessageIsLate(t *testing.T) {
	t.Parallel()
	withFakeClock(t, nil, func(c *fakeClockSession) {
		conn, _ := c.accept()
		time.Sleep(openWarningTimeout - time.Millisecond)
		if s := c.status(); s.LastError != "" {
			t.Errorf("too soon: %+v", s)
		}
		time.Sleep(time.Millisecond)
		c.says("router accepted the connection and has sent no OPEN message yet")
		_, _ = conn.Write(append(routerSettings(nil).mustEncodeOpen(t), keepaliveMessage...))
		if s := c.status(); s.State != v1beta1.BGPEstablished || s.LastError != "" {
			t.Errorf("status %+v", s)
		}
	})
}

func TestSession_SendHoldTimerEndsIt(t *testing.T) {
	t.Parallel()
	withFakeClock(t, func(s *announce.Session) { s.Paths = many(20_000, false, med(1)) }, func(c *fakeClockSession) {
		conn := <-c.routerEnd
		w := newTransport(conn)
		if _, err := w.read(); err != nil {
			t.Fatal(err)
		}
		_, _ = conn.Write(routerSettings(nil).mustEncodeOpen(t))
		if _, err := w.read(); err != nil { // KEEPALIVE; from here on, nothing is read.
			t.Fatal(err)
		}
		up := time.Now()
		sent := 0
		for ; ; sent++ {
			if _, err := conn.Write(keepaliveMessage); err != nil {
				break
			}
			time.Sleep(10 * time.Millisecond)
		}
		c.says("router does not read what it is sent")
		if took := time.Since(up); took < 8*time.Minute || took > 8*time.Minute+2*time.Second || sent < 40_000 {
			t.Errorf("given up after %s and %d messages, want 8 minutes, the shortest send hold time", took, sent)
		}
	})
}

// blockInUpdate establishes a session with a router that then reads nothing, and waits until writing an UPDATE blocks.
func (c *fakeClockSession) blockInUpdate() net.Conn {
	c.t.Helper()
	conn := <-c.routerEnd
	t := newTransport(conn)
	_, _ = t.read()
	_, _ = conn.Write(append(routerSettings(nil).mustEncodeOpen(c.t), keepaliveMessage...))
	if _, err := t.read(); err != nil {
		c.t.Fatal(err)
	}
	synctest.Wait()
	return conn
}

// A router that reads nothing while it sends without end neither blocks our reading nor keeps the session forever.
func TestSession_ReadingEndsOneThatHangsInWriting(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		then  func(net.Conn)
		words string
	}{
		"the hold timer":            {func(net.Conn) { time.Sleep(9*time.Second + lastMessageTimeout) }, "hold timer expired"},
		"a NOTIFICATION":            {func(conn net.Conn) { _, _ = conn.Write(cease(t)); time.Sleep(lastMessageTimeout) }, `administrative shutdown: "lunch"`},
		"a NOTIFICATION and hangup": {func(conn net.Conn) { _, _ = conn.Write(cease(t)); _ = conn.Close() }, `administrative shutdown: "lunch"`},
		"a hangup":                  {func(conn net.Conn) { _ = conn.Close() }, "router closed the connection"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			withFakeClock(t, func(s *announce.Session) { s.Paths = many(20_000, false, med(1)) }, func(c *fakeClockSession) {
				test.then(c.blockInUpdate())
				c.says(test.words)
			})
		})
	}
}

func TestSession_LastMessageIsReadWhenWritingHasFailed(t *testing.T) {
	t.Parallel()
	withFakeClock(t, nil, func(c *fakeClockSession) {
		conn, _ := c.accept(routerSettings(nil).mustEncodeOpen(t), keepaliveMessage)
		c.writeFails.Store(true)
		next := *c.currentDesired()
		next.Paths = many(1, false, med(1))
		c.setDesired(&next)
		synctest.Wait()
		_, _ = conn.Write(cease(t))
		c.says(`administrative shutdown: "lunch"`)
	})
}

func TestSession_RouterThatReadsNothingDoesNotDelayClose(t *testing.T) {
	t.Parallel()
	withFakeClock(t, func(s *announce.Session) { s.Paths = many(20_000, false, med(1)) }, func(c *fakeClockSession) {
		conn := c.blockInUpdate()
		began := time.Now()
		c.close(deconfigured())
		for _, err := conn.Read(make([]byte, 1)); err == nil; _, err = conn.Read(make([]byte, 1)) {
			time.Sleep(100 * time.Millisecond) // One byte at a time is practically nothing.
		}
		if took := time.Since(began); took > 2*time.Second {
			t.Errorf("it took %s", took)
		}
	})
}

func TestReadLimiter_FloodIsReadAtALimitedRate(t *testing.T) {
	t.Parallel()
	withFakeClock(t, nil, func(c *fakeClockSession) {
		conn, _ := c.accept(routerSettings(nil).mustEncodeOpen(t), keepaliveMessage)
		began := time.Now()
		send := func(seconds int) {
			for range seconds * int(time.Second/readInterval) {
				_, _ = conn.Write(slices.Repeat(keepaliveMessage, maxMessages))
			}
		}
		send(5)
		if took := time.Since(began); took < 4900*time.Millisecond || took > 5100*time.Millisecond {
			t.Errorf("messages for 5 s were read in %s", took)
		}
		if s := c.status(); len(s.Warnings) > 0 {
			t.Errorf("after a table of 250,000 messages: %v", s.Warnings)
		}
		send(6)
		if s := c.status(); s.State != v1beta1.BGPEstablished || !slices.Equal(s.Warnings, []string{floodWarning}) {
			t.Errorf("after 11 s: %+v", s)
		}
		for range maxMessages {
			_, _ = conn.Write(keepaliveMessage)
			time.Sleep(time.Millisecond)
		}
		if s := c.status(); len(s.Warnings) > 0 {
			t.Errorf("when it is over: %v", s.Warnings)
		}
	})
}

// RFC 4271 section 4.4: KEEPALIVE messages must not be sent more frequently than one per second.
func TestSession_KeepalivesAreASecondApartAtLeast(t *testing.T) {
	t.Parallel()
	withFakeClock(t, func(s *announce.Session) { s.HoldTime = 3 * time.Second }, func(c *fakeClockSession) {
		conn, heard := c.accept(routerSettings(nil).mustEncodeOpen(t), keepaliveMessage)
		for range 60 {
			time.Sleep(time.Second)
			_, _ = conn.Write(keepaliveMessage)
		}
		_ = conn.Close()
		beats := 0
		for m := range heard {
			if m.messageType == bgp.BGP_MSG_KEEPALIVE {
				beats++
			}
		}
		if beats < 50 || beats > 61 { // One more confirms OPEN.
			t.Errorf("%d keepalives in 60 s", beats)
		}
	})
}
