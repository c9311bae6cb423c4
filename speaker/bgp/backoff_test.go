package bgp

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/osrg/gobgp/v4/pkg/packet/bgp"

	"github.com/daymark-lb/daymark/api/v1beta1"
	"github.com/daymark-lb/daymark/internal/bubble"
	"github.com/daymark-lb/daymark/internal/core/announce"
	"github.com/daymark-lb/daymark/internal/core/lb"
)

// heard is the time that a router takes to read what it was sent.
const heard = 10 * time.Millisecond

// pauses are those between the attempts so far.
func (c *fakeClockSession) pauses() (list []time.Duration) {
	attempts := c.dialed()
	for i := 1; i < len(attempts); i++ {
		list = append(list, attempts[i].Sub(attempts[i-1]))
	}
	return list
}

// checkPauses checks that each pause is the full one or shortened, by no more than jitter may.
func checkPauses(t *testing.T, got []time.Duration, want ...time.Duration) {
	t.Helper()
	for i, full := range want {
		least := full / 2
		if i == firstAttempts-1 && i > 0 && want[i] == want[len(want)-1] {
			least = time.Duration(leastSpread * float64(full))
		}
		if i >= len(got) || got[i] > full+heard || got[i] < least {
			t.Errorf("pauses %v, want %v less up to a half, and the first of the longest more", got, want)
			return
		}
	}
}

// notified encodes a NOTIFICATION message.
func notified(t *testing.T, code, subcode uint8, data ...byte) []byte {
	t.Helper()
	message, err := bgp.NewBGPNotificationMessage(code, subcode, data).Serialize()
	if err != nil {
		t.Fatal(err)
	}
	return message
}

// refuse takes the next connection and ends it with messages, as a router does.
func (c *fakeClockSession) refuse(messages ...[]byte) {
	c.t.Helper()
	conn, _ := c.accept(messages...)
	_ = conn.SetReadDeadline(time.Now().Add(heard))
	_, _ = io.Copy(io.Discard, conn)
	_ = conn.Close()
	synctest.Wait()
}

func TestBackoff_OfARouterThatCannotBeReachedEndsAtConnectTime(t *testing.T) {
	t.Parallel()
	withFakeClock(t, func(s *announce.Session) { s.ConnectTime = time.Minute }, func(c *fakeClockSession) {
		time.Sleep(10 * time.Second)
		synctest.Wait()
		if len(c.dialed()) > 4 {
			t.Errorf("dialed %d times in 10 s, want as few as connectTime says", len(c.dialed()))
		}
		time.Sleep(10 * time.Minute)
		minute := time.Minute
		checkPauses(t, c.pauses(), minute/32, minute/16, minute/8, minute/4, minute/2, minute, minute, minute, minute)
		s := c.status()
		if s.State != stateConnect || s.LastError != "connect to 192.0.2.1:179: connection refused" || !s.Since.Equal(c.begun) {
			t.Errorf("status %+v", s)
		}
		if wait := time.Until(s.NextTry); wait <= 0 || wait > minute {
			t.Errorf("the next try is said to be in %s", wait)
		}
	})
}

func TestBackoff_DependsOnTheCause(t *testing.T) {
	t.Parallel()
	const s, m = time.Second, time.Minute
	open, badAS := routerSettings(nil).mustEncodeOpen(t), routerSettings(func(s *settings) { s.myASN = 7 }).mustEncodeOpen(t)
	established := append(slices.Clone(open), keepaliveMessage...)
	toMinutes := []time.Duration{s / 8, s / 4, s / 2, s, 2 * s, 4 * s, 8 * s, 16 * s, 32 * s, 64 * s, 128 * s, 256 * s, 5 * m, 5 * m}
	fromConnectTime := toMinutes[5:]
	toConnectTime := []time.Duration{s / 8, s / 4, s / 2, s, 2 * s, 4 * s, 4 * s, 4 * s}
	for name, test := range map[string]struct {
		messages []byte
		want     []time.Duration
		says     string
	}{
		"a router of another AS": {badAS, toMinutes, "sent NOTIFICATION: OPEN message error, bad peer AS"},
		"an administrative shutdown": {
			slices.Concat(established, cease(t)), toMinutes,
			`router sent NOTIFICATION: cease, administrative shutdown: "lunch"`,
		},
		"before OPEN": {cease(t), toMinutes, `router sent NOTIFICATION: cease, administrative shutdown: "lunch"`},
		"a hard reset for an administrative shutdown": {
			slices.Concat(established, notified(t, 6, 9, 6, 2)), toMinutes,
			"router sent NOTIFICATION: cease, hard reset: cease, administrative shutdown",
		},
		"a peer that was removed": {slices.Concat(established, notified(t, 6, 3)), toMinutes, "cease, peer de-configured"},
		"a prefix limit": {
			slices.Concat(established, notified(t, 6, 1, 0, 1, 1, 0, 0, 3, 0xe8)), fromConnectTime,
			"cease, maximum number of prefixes reached: the router's limit is 1000 IPv4 prefixes",
		},
		"no resources":                 {slices.Concat(established, notified(t, 6, 8)), fromConnectTime, "cease, out of resources"},
		"an UPDATE that is malformed":  {slices.Concat(established, notified(t, 3, 1)), toMinutes, "UPDATE message error"},
		"an administrative reset":      {slices.Concat(established, notified(t, 6, 4)), toConnectTime, "administrative reset"},
		"a hard reset without reason":  {slices.Concat(established, notified(t, 6, 9)), toConnectTime, "hard reset"},
		"a collision":                  {slices.Concat(established, notified(t, 6, 7)), toConnectTime, "connection collision resolution"},
		"a router that does not know":  {notified(t, 6, 5), toMinutes, "connection rejected"},
		"a hard reset for a rejection": {slices.Concat(established, notified(t, 6, 9, 6, 5)), toMinutes, "hard reset: cease, connection rejected"},
		"another configuration change": {slices.Concat(established, notified(t, 6, 6)), toConnectTime, "other configuration change"},
		"a connection that just ends":  {established, toConnectTime, "router closed the connection"},
		"one that ends before OPEN":    {nil, toConnectTime, "router closed the connection before it sent an OPEN message"},
		"a hold timer of the router's": {slices.Concat(established, notified(t, 4, 0)), toConnectTime, "hold timer expired"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			withFakeClock(t, nil, func(c *fakeClockSession) {
				for _, pause := range test.want {
					c.refuse(test.messages)
					if told, long := !c.status().NextTry.IsZero(), pause >= 10*s; told != long {
						t.Errorf("the status says when the next try is after a pause of %s: %t, want %t", pause, told, long)
					}
				}
				c.refuse(test.messages)
				checkPauses(t, c.pauses(), test.want...)
				c.says(test.says)
			})
		})
	}
}

// FRR says once why it does not want a neighbor, and closes its later connections without a word.
func TestBackoff_RemembersWhyTheRouterCloses(t *testing.T) {
	t.Parallel()
	withFakeClock(t, nil, func(c *fakeClockSession) {
		c.refuse(cease(t))
		for range 12 {
			c.refuse()
		}
		const s = time.Second
		checkPauses(t, c.pauses()[8:], 32*s, 64*s, 128*s, 256*s)
		c.says(`administrative shutdown: "lunch"; since then it closes every connection`)
		if n := len(c.dialed()); n != 13 {
			t.Errorf("dialed %d times", n)
		}
	})
}

// After an hour without the router, one that answers and is not ready yet is asked again soon.
func TestBackoff_RouterThatWasAwayForLongIsNoRefusal(t *testing.T) {
	t.Parallel()
	withFakeClock(t, nil, func(c *fakeClockSession) {
		time.Sleep(time.Hour)
		n := len(c.dialed())
		c.refuse(cease(t))
		c.refuse(cease(t))
		checkPauses(t, c.pauses()[n:], time.Second/8)
	})
}

func TestBackoff_BeginsAnewAfterMinutesOfASession(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct{ up, least, most time.Duration }{
		"a minute is too short": {stableTime - time.Second, 4 * time.Second, 16 * time.Second},
		"two are enough":        {stableTime, time.Second / 16, time.Second / 8},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			withFakeClock(t, nil, func(c *fakeClockSession) {
				for range 7 {
					c.refuse(cease(t))
				}
				conn, _ := c.accept(routerSettings(func(s *settings) { s.holdTime = 0 }).mustEncodeOpen(t), keepaliveMessage)
				time.Sleep(test.up)
				_, _ = conn.Write(cease(t))
				_ = conn.Close()
				down := time.Now()
				_, _ = c.accept()
				if took := time.Since(down); took < test.least || took > test.most+heard {
					t.Errorf("it connects again after %s", took)
				}
			})
		})
	}
}

func TestBackoff_ChangedSettingsAreTriedAtOnce(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(*announce.Session){
		"a password":  func(s *announce.Session) { s.Password = "right" },
		"connectTime": func(s *announce.Session) { s.ConnectTime = 5 * time.Second },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			withFakeClock(t, nil, func(c *fakeClockSession) {
				for range 12 {
					c.refuse(cease(t))
				}
				n, next := len(c.dialed()), *c.currentDesired()
				c.setDesired(&next) // The same again.
				synctest.Wait()
				if len(c.dialed()) != n || time.Until(c.status().NextTry) < time.Minute {
					t.Fatalf("dialed %d times without a change, status %+v", len(c.dialed())-n, c.status())
				}
				changed := next
				change(&changed)
				c.setDesired(&changed)
				time.Sleep(time.Nanosecond)
				synctest.Wait()
				if len(c.dialed()) != n+1 {
					t.Errorf("dialed %d times more", len(c.dialed())-n)
				}
			})
		})
	}
}

// A router may have BFD only once the session has been established, and refuse it then, because of a limit for example.
func TestBackoff_OutlastsThatBFDHasBeenUp(t *testing.T) {
	t.Parallel()
	withFakeClock(t, nil, func(c *fakeClockSession) {
		before := *c.currentDesired()
		before.BFD, before.BFDSeen = &lb.BFDProfile{}, false
		c.setDesired(&before)
		for range 12 {
			c.refuse(cease(t))
		}
		n, seen := len(c.dialed()), before
		seen.BFDSeen = true
		c.setDesired(&seen)
		time.Sleep(time.Second)
		synctest.Wait()
		if len(c.dialed()) != n || time.Until(c.status().NextTry) < time.Minute {
			t.Errorf("dialed %d times more, status %+v", len(c.dialed())-n, c.status())
		}
	})
}

func TestBackoff_BFDThatComesUpEndsAPauseOnceAMinute(t *testing.T) {
	t.Parallel()
	withFakeClock(t, nil, func(c *fakeClockSession) {
		for range 12 {
			c.refuse(cease(t))
		}
		up := func(want int, within time.Duration, when string) {
			t.Helper()
			n := len(c.dialed())
			c.bfdUp()
			time.Sleep(50 * time.Millisecond)
			synctest.Wait()
			if got := len(c.dialed()) - n; got != 0 {
				t.Errorf("%s it dials %d times before the router has heard of it", when, got)
			}
			for end := time.Now().Add(within); time.Now().Before(end) && len(c.dialed()) == n; {
				time.Sleep(time.Millisecond)
				synctest.Wait()
			}
			if got := len(c.dialed()) - n; got != want {
				t.Errorf("%s it dials %d times, want %d", when, got, want)
			}
		}
		up(1, latest, "when BFD comes up")
		c.refuse(cease(t))
		c.refuse(cease(t))
		up(1, latestAgain, "after minutes, since the last time was in vain,")
		c.refuse(cease(t))
		for range 20 {
			up(0, latest, "when BFD flaps")
		}
	})
}

// An established session says nothing of a next try.
func TestBackoff_NextTryIsGoneOnceEstablished(t *testing.T) {
	t.Parallel()
	withFakeClock(t, nil, func(c *fakeClockSession) {
		for range 12 {
			c.refuse(cease(t))
		}
		c.accept(routerSettings(nil).mustEncodeOpen(t), keepaliveMessage)
		if s := c.status(); s.State != v1beta1.BGPEstablished || !s.NextTry.IsZero() {
			t.Errorf("status %+v", s)
		}
	})
}

// 500 nodes that lose their router at the same moment must not keep it from starting: under 50 SYNs a second in all after the first
// minute. Counted is as Linux sends them: when it connects, and 1 s later if nobody has answered.
func TestBackoff_FiveHundredNodesDialASlowlyStartingRouterGently(t *testing.T) {
	t.Parallel()
	for name, answer := range map[string]func(s *settings) (net.Conn, error){
		"its kernel refuses": func(*settings) (net.Conn, error) {
			return nil, errors.New("dial tcp 192.0.2.1:179: connect: connection refused")
		},
		"nobody answers": func(s *settings) (net.Conn, error) {
			time.Sleep(s.patience)
			return nil, errors.New("dial tcp 192.0.2.1:179: i/o timeout")
		},
		"it is shut administratively": func(*settings) (net.Conn, error) {
			near, far := net.Pipe()
			go func() { _, _ = newTransport(far).read(); _, _ = far.Write(cease(t)); _ = far.Close() }()
			return near, nil
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			bubble.Test(t, func(t *testing.T) {
				began, syns := time.Now(), make(chan time.Duration, 1_000_000)
				dial := func(_ context.Context, s *settings) (net.Conn, error) {
					at := time.Since(began)
					syns <- at
					conn, err := answer(s)
					if time.Since(began)-at >= time.Second {
						syns <- at + time.Second
					}
					return conn, err
				}
				var sessions []*session
				for range 500 {
					s := newSession(slog.New(slog.DiscardHandler), func() {}, dial)
					s.setDesired(&announce.Session{
						Name: "tor", MyASN: 64512, PeerASN: 64513, Address: netip.MustParseAddr("192.0.2.1"),
						RouterID: netip.MustParseAddr("192.0.2.2"), HoldTime: 90 * time.Second, Families: []lb.Family{lb.IPv4},
					})
					go s.run()
					sessions = append(sessions, s)
				}
				time.Sleep(11 * time.Minute)
				for _, s := range sessions {
					s.close(shutdown())
				}
				time.Sleep(twoSYNs)
				perSecond := make([]int, 11*60+4)
				for len(syns) > 0 {
					perSecond[int(<-syns/time.Second)]++
				}
				if most := slices.Max(perSecond[60:]); most >= 50 {
					t.Errorf("%d SYNs in one second after the first minute", most)
				} else {
					t.Logf("at most %d SYNs a second after the first minute, %d before", most, slices.Max(perSecond[:60]))
				}
			})
		})
	}
}

func TestBackoff_SilentRouterIsSentOneSYNAfterAWhile(t *testing.T) {
	t.Parallel()
	b := &backoff{}
	for range firstAttempts {
		if got := b.patience(0.99); got != twoSYNs {
			t.Errorf("after %d attempts it waits %s", b.unreachable, got)
		}
		b.pause(unreachable, 30*time.Second)
	}
	for random, want := range map[float64]time.Duration{0: twoSYNs, 0.06: twoSYNs, 0.07: oneSYN, 0.99: oneSYN} {
		if got := b.patience(random); got != want {
			t.Errorf("later, with %v, it waits %s", random, got)
		}
	}
	b.ended(&closeReason{cause: lost}, 0)
	if b.patience(0.99) != twoSYNs {
		t.Error("a router that has answered is sent one SYN")
	}
}

func TestBackoff_PauseIsEndedOnceAMinute(t *testing.T) {
	t.Parallel()
	b, now := &backoff{}, time.Unix(1, 0)
	for _, step := range []struct {
		after time.Duration
		want  bool
	}{{0, true}, {0, false}, {hurryInterval - 1, false}, {1, true}, {time.Second, false}, {time.Hour, true}} {
		now = now.Add(step.after)
		if got := b.hurry(now); got != step.want {
			t.Errorf("%s later: %t, want %t", step.after, got, step.want)
		}
	}
}

// 500 nodes whose BFD comes up at the same moment, again and again, on a router that refuses BGP connect within 20 s and not within 0.2 s.
func TestBackoff_NodesDoNotReturnTogetherAgainAfterBFDInVain(t *testing.T) {
	t.Parallel()
	b, now := &backoff{}, time.Unix(1, 0)
	expect := func(when string, most time.Duration) {
		t.Helper()
		if first, last := b.afterBFD(0), b.afterBFD(1); first != soonest || last != most {
			t.Errorf("%s: after %s to %s, want %s at most", when, first, last, most)
		}
	}
	expect("at first", latest)
	b.hurry(now)
	b.ended(&closeReason{cause: unreachable}, 0)
	expect("refused since", latestAgain)
	b.hurry(now.Add(hurryInterval))
	b.ended(&closeReason{cause: lost}, time.Second)
	expect("established since", latest)
}

func TestNotification_TextOfAPrefixLimitIsBounded(t *testing.T) {
	t.Parallel()
	for _, data := range [][]byte{{0, 1}, {0, 9, 9, 1, 2, 3, 4}, []byte(strings.Repeat("x", 4000))} {
		if text := notificationText(6, 1, data); text != "cease, maximum number of prefixes reached" {
			t.Errorf("%d bytes of data: %q", len(data), text)
		}
	}
}
