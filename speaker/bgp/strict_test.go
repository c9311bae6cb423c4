package bgp

import (
	"net"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/osrg/gobgp/v4/pkg/packet/bgp"

	"github.com/daymark-lb/daymark/api/v1beta1"
	"github.com/daymark-lb/daymark/internal/core/announce"
	"github.com/daymark-lb/daymark/internal/core/lb"
)

// strict waits for BFD, which is not up.
func strict(s *announce.Session) {
	s.BFD, s.BFDStrict, s.AwaitBFD = &lb.BFDProfile{}, true, true
}

// change gives the session other desires.
func (c *fakeClockSession) change(change func(*announce.Session)) {
	next := *c.currentDesired()
	change(&next)
	c.setDesired(&next)
	synctest.Wait()
}

// types are the types of the messages that were heard so far.
func types(heard <-chan message) (list []uint8) {
	synctest.Wait()
	for len(heard) > 0 {
		list = append(list, (<-heard).messageType)
	}
	return list
}

func TestStrictMode_OpenIsConfirmedWhenBFDIsUp(t *testing.T) {
	t.Parallel()
	for name, then := range map[string]func(*announce.Session){
		"BFD comes up":             func(s *announce.Session) { s.AwaitBFD = false },
		"strict mode is taken off": func(s *announce.Session) { s.BFDStrict, s.AwaitBFD = false, false },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			withFakeClock(t, strict, func(c *fakeClockSession) {
				conn, heard := c.accept(routerSettings(nil).mustEncodeOpen(t), keepaliveMessage, keepaliveMessage[:7])
				time.Sleep(8 * time.Second)
				c.says(waitsForBFD)
				if got := types(heard); !slices.Equal(got, []uint8{bgp.BGP_MSG_OPEN}) {
					t.Errorf("while BFD is down the router hears %v", got)
				}
				c.change(func(s *announce.Session) { s.Paths = many(1, false, med(1)) }) // BFD is not up yet.
				c.says(waitsForBFD)
				c.change(then)
				if s := c.status(); s.State != v1beta1.BGPEstablished || s.LastError != "" || s.IPv4 != 1 {
					t.Errorf("status %+v", s)
				}
				_, _ = conn.Write(keepaliveMessage[7:]) // The wait has ended in the middle of this message.
				c.change(func(s *announce.Session) { s.AwaitBFD = s.BFDStrict })
				if s := c.status(); s.State != v1beta1.BGPEstablished {
					t.Errorf("an established session: status %+v", s)
				}
				if n := len(c.dialed()); n != 1 {
					t.Errorf("dialed %d times", n)
				}
			})
		})
	}
}

func TestStrictMode_WaitIsBoundedByTheHoldTime(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		holdTime, want time.Duration
	}{
		"of the router":    {9 * time.Second, 8100 * time.Millisecond},
		"where it is zero": {0, bfdHoldTime},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			withFakeClock(t, strict, func(c *fakeClockSession) {
				theirs := routerSettings(func(s *settings) { s.holdTime, s.restartTime = test.holdTime, 0 })
				_, heard := c.accept(theirs.mustEncodeOpen(t), keepaliveMessage)
				began := time.Now()
				m := lastMessageOf(heard)
				if took := time.Since(began); took < test.want || took > test.want+2*lastMessageTimeout {
					t.Errorf("given up after %s, want %s", took, test.want)
				}
				if m.messageType != bgp.BGP_MSG_NOTIFICATION || !slices.Equal(m.body, []byte{bgp.BGP_ERROR_CEASE, subcodeBFDDown}) {
					t.Errorf("the last message is %v", m)
				}
				c.says(waitsForBFD)
				n := len(c.dialed())
				c.bfdUp()
				for range 300 {
					if time.Sleep(time.Millisecond); len(c.dialed()) > n {
						break
					}
				}
				if got := len(c.dialed()) - n; got != 1 {
					t.Errorf("when BFD is up it dials %d times", got)
				}
			})
		})
	}
}

func TestStrictMode_RouterThatClosesWhileWeWaitSaysWhy(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		messages []byte
		words    string
	}{
		"a shutdown":               {cease(t), `administrative shutdown: "lunch"`},
		"without a word":           {nil, "router closed the connection"},
		"a message that is absurd": {slicesOf(0, 19), "the marker is not all ones"},
		"an UPDATE":                {endOfRIB(bothFamilies[:1]), "finite state machine error"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			withFakeClock(t, strict, func(c *fakeClockSession) {
				conn, _ := c.accept(routerSettings(nil).mustEncodeOpen(t), keepaliveMessage)
				_, _ = conn.Write(test.messages)
				_ = conn.SetReadDeadline(time.Now())
				_ = conn.Close()
				c.says(test.words)
			})
		})
	}
}

func TestStrictMode_ChangesAndCloseEndTheWait(t *testing.T) {
	t.Parallel()
	for name, end := range map[string]func(*fakeClockSession){
		"the session is removed": func(c *fakeClockSession) { c.close(deconfigured()) },
		"a new router ID":        func(c *fakeClockSession) { c.change(func(s *announce.Session) { s.RouterID = s.RouterID.Next() }) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			withFakeClock(t, strict, func(c *fakeClockSession) {
				_, heard := c.accept(routerSettings(nil).mustEncodeOpen(t), keepaliveMessage)
				began := time.Now()
				end(c)
				if m := lastMessageOf(heard); m.messageType != bgp.BGP_MSG_NOTIFICATION || m.body[0] != bgp.BGP_ERROR_CEASE {
					t.Errorf("the last message is %v", m)
				}
				if took := time.Since(began); took > 2*lastMessageTimeout {
					t.Errorf("it took %s", took)
				}
			})
		})
	}
}

// With such a router a session that waits for BFD would go down as soon as it is established.
func TestStrictMode_RouterThatBeginsBFDAnewGetsASessionWithoutRoutes(t *testing.T) {
	t.Parallel()
	for name, end := range map[string]func(*fakeClockSession, net.Conn){
		"as our BFD says":    func(c *fakeClockSession, _ net.Conn) { c.bfdDown("the peer says Down") },
		"as the router says": func(_ *fakeClockSession, conn net.Conn) { _, _ = conn.Write(notified(t, 6, 10)); _ = conn.Close() },
		"by a hard reset, too": func(_ *fakeClockSession, conn net.Conn) {
			_, _ = conn.Write(notified(t, 6, 9, 6, 10))
			_ = conn.Close()
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			withFakeClock(t, strict, func(c *fakeClockSession) {
				open := routerSettings(nil).mustEncodeOpen(t)
				c.change(func(s *announce.Session) { s.AwaitBFD, s.Paths = false, many(2, false, med(1)) })
				conn, _ := c.accept(open, keepaliveMessage)
				time.Sleep(time.Second)
				c.change(func(s *announce.Session) { s.AwaitBFD = true })
				end(c, conn)
				c.accept(open, keepaliveMessage)
				if s := c.status(); s.State != v1beta1.BGPEstablished || s.IPv4 != 0 || !slices.Equal(s.Warnings, []string{waitsForBFD}) || !slices.Equal(s.HeldBack, s.Families) {
					t.Fatalf("before BFD is up: status %+v", s)
				}
				c.change(func(s *announce.Session) { s.AwaitBFD = false })
				if s := c.status(); s.IPv4 != 2 || len(s.Warnings) > 0 {
					t.Errorf("with BFD: status %+v", s)
				}
				c.change(func(s *announce.Session) { s.AwaitBFD = true }) // BFD was taken down by intention.
				if s := c.status(); s.IPv4 != 2 {
					t.Errorf("an established session keeps its routes: status %+v", s)
				}
			})
		})
	}
}

func TestStrictMode_SessionWithoutRoutesIsBounded(t *testing.T) {
	t.Parallel()
	withFakeClock(t, strict, func(c *fakeClockSession) {
		open := routerSettings(func(s *settings) { s.holdTime = 0 }).mustEncodeOpen(t)
		c.change(func(s *announce.Session) { s.AwaitBFD = false })
		c.accept(open, keepaliveMessage)
		time.Sleep(time.Second)
		c.change(func(s *announce.Session) { s.AwaitBFD = true })
		c.bfdDown("the peer says Down")
		_, heard := c.accept(open, keepaliveMessage)
		began := time.Now()
		m := lastMessageOf(heard)
		if took := time.Since(began); took < bfdHoldTime || took > bfdHoldTime+2*lastMessageTimeout || m.messageType != bgp.BGP_MSG_NOTIFICATION {
			t.Errorf("it ended after %s with %v", took, m)
		}
		c.says(waitsForBFD)
		c.accept(open, keepaliveMessage) // Now the session waits.
		if s := c.status(); s.State == v1beta1.BGPEstablished {
			t.Errorf("status %+v", s)
		}
	})
}

func TestStrictMode_SessionThatFailsLaterWaitsAgain(t *testing.T) {
	t.Parallel()
	withFakeClock(t, strict, func(c *fakeClockSession) {
		open := routerSettings(func(s *settings) { s.holdTime = 0 }).mustEncodeOpen(t)
		c.change(func(s *announce.Session) { s.AwaitBFD = false })
		c.accept(open, keepaliveMessage)
		time.Sleep(announce.BFDRestart)
		c.change(func(s *announce.Session) { s.AwaitBFD = true })
		c.bfdDown("no packet")
		c.accept(open, keepaliveMessage)
		if s := c.status(); s.State == v1beta1.BGPEstablished {
			t.Errorf("status %+v", s)
		}
	})
}
