package bgp

import (
	"log/slog"
	"slices"
	"testing"
	"time"

	"github.com/daymark-lb/daymark/internal/bubble"
	"github.com/daymark-lb/daymark/internal/core/announce"
	"github.com/daymark-lb/daymark/internal/core/lb"
)

func TestStatus_SaysWhenBFDEndedASession(t *testing.T) {
	for _, row := range []struct {
		name  string
		up    time.Duration
		why   *closeReason
		ended bool
	}{
		{"our BFD", time.Minute, bfdDown("no packet"), true},
		{"the router's BFD", time.Minute, receivedNotification([]byte{6, subcodeBFDDown}), true},
		{"a router that begins BFD anew", announce.BFDRestart, bfdDown("the peer says Down"), false},
		{"new settings", time.Minute, reconfigured(false), false},
	} {
		t.Run(row.name, func(t *testing.T) {
			bubble.Test(t, func(t *testing.T) {
				r := newStatusRecorder(slog.New(slog.DiscardHandler), func() {})
				r.established(&negotiated{})
				time.Sleep(row.up)
				r.connectionClosed(row.why)
				if got := r.status().BFDEnded; got.Equal(time.Now()) != row.ended || got.IsZero() == row.ended {
					t.Errorf("it was ended at %s", got)
				}
			})
		})
	}
}

func TestStatus_HoldDownHoldsBackAllFamilies(t *testing.T) {
	families := []lb.Family{lb.IPv4, lb.IPv6}
	r := newStatusRecorder(slog.New(slog.DiscardHandler), func() {})
	r.established(&negotiated{families: families})
	for _, held := range []bool{true, false} {
		r.setAdvertised(&announce.Session{HeldDown: held}, &adjRIBOut{}, &routeChanges{})
		if got := r.status().HeldBack; slices.Equal(got, families) != held || len(got) > 0 != held {
			t.Errorf("held down: %t, it holds back %v", held, got)
		}
	}
}
