package main

import (
	"net/netip"
	"strings"
	"testing"

	"github.com/daymark-lb/daymark/speaker/reconcile"
)

func TestGossipBindAddress(t *testing.T) {
	for _, test := range []struct {
		text string
		want reconcile.Bind
		err  string
	}{
		{"", reconcile.Bind{Port: 7946}, ""},
		{"0", reconcile.Bind{Off: true}, ""},
		{"192.0.2.11:7000", reconcile.Bind{Address: netip.MustParseAddr("192.0.2.11"), Port: 7000}, ""},
		{"[2001:db8::11]:7946", reconcile.Bind{Address: netip.MustParseAddr("2001:db8::11"), Port: 7946}, ""},
		{"0.0.0.0:7946", reconcile.Bind{}, "the other speakers need an address of this node"},
		{"[::]:7946", reconcile.Bind{}, "the other speakers need an address of this node"},
		{"192.0.2.11:0", reconcile.Bind{}, "must be address:port or 0"},
		{"192.0.2.11", reconcile.Bind{}, "must be address:port or 0"},
		{"n1:7946", reconcile.Bind{}, "must be address:port or 0"},
	} {
		t.Run(test.text, func(t *testing.T) {
			got, err := parseBind(test.text)
			if test.err != "" {
				if err == nil || !strings.Contains(err.Error(), test.err) {
					t.Errorf("error %v, want one with %q", err, test.err)
				}
				return
			}
			if err != nil || got != test.want {
				t.Errorf("got %+v and error %v, want %+v", got, err, test.want)
			}
		})
	}
}

func TestAWordThatIsNoModeIsRefused(t *testing.T) {
	f := &flags{node: "n1", healthPortsText: "perhaps"}
	if err := f.check(); err == nil || !strings.Contains(err.Error(), "must be auto, on or off") {
		t.Errorf("error %v", err)
	}
}
