package bgp

import (
	"log/slog"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/osrg/gobgp/v4/pkg/packet/bgp"

	"github.com/daymark-lb/daymark/api/v1beta1"
	"github.com/daymark-lb/daymark/internal/core/announce"
	"github.com/daymark-lb/daymark/internal/core/lb"
)

func TestSession_RouteRefreshIsAnsweredAtALimitedRate(t *testing.T) {
	t.Parallel()
	withFakeClock(t, func(s *announce.Session) { s.Paths = many(3, false, med(1)) }, func(c *fakeClockSession) {
		conn, heard := c.accept(routerSettings(nil).mustEncodeOpen(t), keepaliveMessage)
		refresh := append(appendHeader(nil, bgp.BGP_MSG_ROUTE_REFRESH)[:16], 0, 23, bgp.BGP_MSG_ROUTE_REFRESH, 0, 1, 7, 1) // The reserved octet is 7; it is to be ignored.
		foreign := append(slices.Clone(refresh[:20]), 25, 0, 70)                                                           // EVPN
		for range 500 {
			_, _ = conn.Write(refresh)
			_, _ = conn.Write(foreign)
		}
		time.Sleep(1500 * time.Millisecond)
		_ = conn.Close()
		updates := 0
		for m := range heard {
			if m.messageType == bgp.BGP_MSG_UPDATE {
				updates++
				if len(m.body) < 3*5 {
					t.Errorf("an UPDATE of %d bytes", len(m.body))
				}
			}
		}
		if updates < 2 || updates > 3 { // The first advertisement, one answer at once, and one a second later for all other requests.
			t.Errorf("%d UPDATE messages", updates)
		}
	})
}

func TestSession_AllPathsAndEndOfRIBComeFirst(t *testing.T) {
	t.Parallel()
	for name, restart := range map[string]time.Duration{"with graceful restart": time.Minute, "without": 0} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			withFakeClock(t, func(s *announce.Session) {
				s.RestartTime, s.Families, s.NextHop6 = restart, bothFamilies, netip.MustParseAddr("2001:db8::1")
				s.Paths = append(many(3, false, med(1)), many(2, true, med(2))...)
			}, func(c *fakeClockSession) {
				conn, heard := c.accept(routerSettings(nil).mustEncodeOpen(t), keepaliveMessage)
				took := time.Since(c.begun)
				_ = conn.Close()
				var got []string
				for m := range heard {
					switch {
					case m.messageType != bgp.BGP_MSG_UPDATE:
						got = append(got, []string{1: "OPEN", 4: "KEEPALIVE"}[m.messageType])
					case len(m.body) <= 11:
						got = append(got, "End-of-RIB")
					default:
						got = append(got, "UPDATE")
					}
				}
				want := []string{"OPEN", "KEEPALIVE", "UPDATE", "UPDATE", "End-of-RIB", "End-of-RIB"}
				if restart == 0 {
					want = want[:4]
				}
				if !slices.Equal(got, want) || took > minPause {
					t.Errorf("%v after %s, want %v", got, took, want)
				}
			})
		})
	}
}

func TestSession_BFDDownClosesTheConnectionAtOnce(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		theirs *settings
		want   []byte
	}{
		"with RFC 8538":            {routerSettings(nil), []byte{bgp.BGP_ERROR_CEASE, bgp.BGP_ERROR_SUB_HARD_RESET, bgp.BGP_ERROR_CEASE, subcodeBFDDown}},
		"without graceful restart": {routerSettings(func(s *settings) { s.restartTime = 0 }), []byte{bgp.BGP_ERROR_CEASE, subcodeBFDDown}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			withFakeClock(t, func(s *announce.Session) { s.RestartTime, s.BFD, s.BFDSeen = time.Minute, &lb.BFDProfile{}, true }, func(c *fakeClockSession) {
				c.bfdDown("nothing is to be done: there is no connection")
				_, heard := c.accept(test.theirs.mustEncodeOpen(t), keepaliveMessage)
				c.bfdDown("BFD says that the router is down")
				c.says("BFD says that the router is down")
				if m := lastMessageOf(heard); m.messageType != bgp.BGP_MSG_NOTIFICATION || !slices.Equal(m.body, test.want) {
					t.Errorf("the last message is %v", m)
				}
				c.accept(test.theirs.mustEncodeOpen(t), keepaliveMessage) // The session connects again.
				if s := c.status(); s.State != v1beta1.BGPEstablished || s.LastError != "BFD says that the router is down" {
					t.Errorf("status %+v", s)
				}
			})
		})
	}
}

func TestSession_LastMessageDependsOnGracefulRestart(t *testing.T) {
	t.Parallel()
	text := append([]byte{bgp.BGP_ERROR_CEASE, bgp.BGP_ERROR_SUB_ADMINISTRATIVE_SHUTDOWN, 17}, "the speaker stops"...)
	for name, test := range map[string]struct {
		ours, theirs bool // Who has graceful restart.
		why          *closeReason
		want         []byte // nil: no NOTIFICATION.
	}{
		"a stop is not told to a router that keeps the routes":                  {true, true, shutdown(), nil},
		"a stop is told to one that does not":                                   {true, false, shutdown(), text},
		"a stop is told where we have no graceful restart":                      {false, true, shutdown(), text},
		"other settings are not told to a router that keeps the routes":         {true, true, reconfigured(true), nil},
		"other settings that lead to another router are told with a hard reset": {true, true, reconfigured(false), []byte{6, 9, 6, 6}},
		"a removed session is told with a hard reset":                           {true, true, deconfigured(), []byte{6, 9, 6, 3}},
		"a removed session is told plainly without RFC 8538":                    {true, false, deconfigured(), []byte{6, 3}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			restart := map[bool]time.Duration{true: time.Minute}
			withFakeClock(t, func(s *announce.Session) {
				s.RestartTime, s.BFD, s.BFDSeen = restart[test.ours], &lb.BFDProfile{}, true
			}, func(c *fakeClockSession) {
				_, heard := c.accept(routerSettings(func(s *settings) { s.restartTime = restart[test.theirs] }).mustEncodeOpen(t), keepaliveMessage)
				c.close(test.why)
				m := lastMessageOf(heard)
				if m.messageType != bgp.BGP_MSG_NOTIFICATION {
					m.body = nil
				}
				if !slices.Equal(m.body, test.want) {
					t.Errorf("the last words are %v, want %v", m.body, test.want)
				}
			})
		})
	}
}

// Only the first connection of a process with a router has the R bit: what the router kept until then is of an earlier
// process.
func TestSession_OnlyTheFirstConnectionHasTheRestartBit(t *testing.T) {
	t.Parallel()
	withFakeClock(t, func(s *announce.Session) { s.RestartTime = time.Minute }, func(c *fakeClockSession) {
		for _, want := range []bool{true, false, false} {
			conn, heard := c.accept(routerSettings(nil).mustEncodeOpen(t), keepaliveMessage)
			m := <-heard
			parsed, err := bgp.ParseBGPMessage(append(append(appendHeader(nil, m.messageType)[:16], byte(0), byte(len(m.body)+19), m.messageType), m.body...))
			if err != nil {
				t.Fatal(err)
			}
			restarting := false
			for _, capability := range parsed.Body.(*bgp.BGPOpen).OptParams[0].(*bgp.OptionParameterCapability).Capability {
				if restart, ok := capability.(*bgp.CapGracefulRestart); ok {
					restarting = restart.Flags&0x08 != 0
				}
			}
			if restarting != want {
				t.Errorf("the R bit is %t", restarting)
			}
			_ = conn.Close()
		}
	})
}

func TestStatusRecorder_LateWarningIsIgnored(t *testing.T) {
	t.Parallel()
	r := newStatusRecorder(slog.New(slog.DiscardHandler), func() {})
	r.setState(stateOpenConfirm)
	r.waitingIn(stateOpenSent, "no OPEN yet") // Its timer went off as the message came.
	if s := r.status(); s.LastError != "" {
		t.Errorf("status %+v", s)
	}
}
