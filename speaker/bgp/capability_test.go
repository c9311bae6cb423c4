package bgp

import (
	"bytes"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/osrg/gobgp/v4/pkg/packet/bgp"

	"github.com/daymark-lb/daymark/api/v1beta1"
	"github.com/daymark-lb/daymark/internal/core/announce"
)

// openOf reads the OPEN message of a connection.
func openOf(t *testing.T, heard <-chan message) *openMessage {
	t.Helper()
	first := <-heard
	open, err := parseOpen(first.body)
	if err != nil || first.messageType != bgp.BGP_MSG_OPEN {
		t.Fatalf("the first message is %v, error %v", first, err)
	}
	return open
}

func TestCapability_StrictModeIsOfferedWhereItIsOn(t *testing.T) {
	t.Parallel()
	for _, on := range []bool{true, false} {
		capability := []byte{capBFDStrictMode, 0}
		open := routerSettings(func(s *settings) { s.bfdStrict = on }).mustEncodeOpen(t)
		if got := bytes.Contains(open, capability); got != on {
			t.Errorf("with bfdStrict %t it is offered: %t", on, got)
		}
		withheld := routerSettings(func(s *settings) {
			s.bfdStrict, s.withheld = on, refusedCapabilities(bgp.BGP_ERROR_OPEN_MESSAGE_ERROR, bgp.BGP_ERROR_SUB_UNSUPPORTED_CAPABILITY, capability)
		})
		if bytes.Contains(withheld.mustEncodeOpen(t), capability) {
			t.Error("a router refuses it, and it is offered again")
		}
	}
}

func TestCapability_RefusedOneIsLeftOutOfTheNextOpen(t *testing.T) {
	t.Parallel()
	everything := func(s *announce.Session) {
		s.RestartTime, s.Families, s.ConnectTime = time.Minute, bothFamilies, 30*time.Second
	}
	for name, test := range map[string]struct {
		refusal []byte
		want    func(*openMessage)
		warns   string
	}{
		"graceful restart": {
			notified(t, 2, 7, 64, 6, 0x00, 60, 0, 1, 1, 0x80),
			func(open *openMessage) { open.gracefulRestart = false },
			"the router refuses what we offer (graceful restart): the session goes without",
		},
		"IPv6": {
			notified(t, 2, 7, 1, 4, 0, 2, 0, 1), func(open *openMessage) { open.families = open.families[:1] },
			"the router refuses what we offer (IPv6 unicast): the session goes without",
		},
		"two of them, and one that is not ours": {
			notified(t, 2, 7, 70, 0, 2, 0, 65, 4, 0, 0, 252, 0), func(open *openMessage) { open.fourOctets = false },
			"the router refuses what we offer (route refresh, 4-octet AS numbers): the session goes without",
		},
		"the parameter that has them": {
			notified(t, 2, 4),
			func(open *openMessage) { open.fourOctets, open.gracefulRestart, open.families = false, false, nil },
			"the router refuses what we offer (route refresh, 4-octet AS numbers, graceful restart, IPv4 unicast, IPv6 unicast): the session goes without",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			withFakeClock(t, everything, func(c *fakeClockSession) {
				conn, heard := c.accept(test.refusal)
				want := openOf(t, heard)
				_ = conn.Close()
				refused := time.Now()
				c.says("; it is tried without that")
				_, heard = c.accept(routerSettings(nil).mustEncodeOpen(t), keepaliveMessage)
				test.want(want)
				got := openOf(t, heard)
				if got.fourOctets != want.fourOctets || got.gracefulRestart != want.gracefulRestart || !slices.Equal(got.families, want.families) {
					t.Errorf("the next OPEN says %+v, want %+v", got, want)
				}
				if took := time.Since(refused); took > time.Second {
					t.Errorf("it took %s", took)
				}
				if s := c.status(); s.State != v1beta1.BGPEstablished || !slices.Contains(s.Warnings, test.warns) {
					t.Errorf("status %+v, want a warning %q", s, test.warns)
				}
			})
		})
	}
}

// What cannot be left out, or is not ours, changes nothing; the router is tried more and more seldom.
func TestCapability_RefusalWithoutRemedyIsBackedOffFrom(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		change  func(*announce.Session)
		refusal []byte
		says    string
	}{
		"one that the router insists on": {
			nil, notified(t, 2, 7, 70, 0, 9, 1, 3, 200, 0), "unsupported capability: enhanced route refresh, BGP role, capability 200",
		},
		"an AS number that needs four octets": {
			func(s *announce.Session) { s.MyASN = 4200000001 }, notified(t, 2, 7, 65, 4, 0, 0, 0, 0), "4-octet AS numbers",
		},
		"the only family": {
			func(s *announce.Session) { s.Families = bothFamilies[1:] }, notified(t, 2, 7, 1, 4, 0, 2, 0, 1), "unsupported capability: IPv6 unicast",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			withFakeClock(t, test.change, func(c *fakeClockSession) {
				for range 12 {
					c.refuse(test.refusal)
				}
				const s = time.Second
				checkPauses(t, c.pauses()[7:], 16*s, 32*s, 64*s, 128*s)
				c.says(test.says)
			})
		})
	}
}

func TestCapability_RefusalIsForgottenWithOtherSettingsAndAnAbsentRouter(t *testing.T) {
	t.Parallel()
	for name, then := range map[string]func(*fakeClockSession){
		"other settings": func(c *fakeClockSession) {
			next := *c.currentDesired()
			next.Password = "new"
			c.setDesired(&next)
		},
		"the router was away": func(*fakeClockSession) { time.Sleep(time.Minute); synctest.Wait() },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			withFakeClock(t, func(s *announce.Session) { s.RestartTime = time.Minute }, func(c *fakeClockSession) {
				c.refuse(notified(t, 2, 7, 64, 0))
				conn, heard := c.accept()
				if openOf(t, heard).gracefulRestart {
					t.Error("it is offered again")
				}
				_ = conn.Close()
				synctest.Wait()
				then(c)
				_, heard = c.accept()
				if !openOf(t, heard).gracefulRestart {
					t.Error("it is not offered any more")
				}
			})
		})
	}
}

func TestNotification_CapabilitiesAreNamedWithinBounds(t *testing.T) {
	t.Parallel()
	if text := notificationText(2, 7, bytes.Repeat([]byte{64, 0, 9, 0}, 1000)); text != "OPEN message error, unsupported capability: graceful restart, BGP role" {
		t.Errorf("it says %q", text)
	}
	var many []byte
	for code := range 100 {
		many = append(many, byte(100+code), 0)
	}
	if text := notificationText(2, 7, append(many, 7, 99)); strings.Count(text, ", capability") != 4 {
		t.Errorf("it says %q", text)
	}
}
