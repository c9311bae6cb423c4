package main

import (
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/spf13/pflag"

	"github.com/daymark-lb/daymark/speaker/gossip"
)

func TestFlags_ChangeThePresetTiming(t *testing.T) {
	for _, test := range []struct {
		args      string
		interval  time.Duration
		misses    int
		complaint string
	}{
		{"", 50 * time.Millisecond, 6, ""},
		{"--gossip-preset=lan", 200 * time.Millisecond, 6, ""},
		{"--gossip-preset=wan --heartbeat-multiplier=7", time.Second, 7, ""},
		{"--heartbeat-interval=25ms", 25 * time.Millisecond, 6, ""},
		{"--heartbeat-interval=0", 0, 6, ""},
		{"--gossip-preset=quick", 0, 0, `--gossip-preset must be fast, lan or wan, not "quick"`},
		{"--heartbeat-interval=1ms", 0, 0, "heartbeats must be at least 5ms apart"},
		{"--heartbeat-multiplier=1", 0, 0, "at least 2 must be missed"},
		{"--gossip-probe-timeout=1s", 0, 0, "their timeout not longer than that"},
		{"--gossip-suspicion-multiplier=0", 0, 0, "at least one probe interval"},
		{"--l2-announcement-rate=0", 0, 0, "--l2-announcement-rate must be at least 1"},
		{"--proxy-health-url=https://n1", 0, 0, "--proxy-health-url must be auto, none, or a URL such as http://127.0.0.1:10256/healthz"},
		{"--l2-rebalance-after=-1s", 0, 0, "--l2-rebalance-after must not be negative"},
		{"--trace-bind-address=:7474", 0, 0, "--trace-bind-address must be on the loopback"},
	} {
		f, set := &flags{}, pflag.NewFlagSet("speaker", pflag.ContinueOnError)
		f.add(set)
		if err := set.Parse(append(strings.Fields(test.args), "--node-name=n1")); err != nil {
			t.Fatal(err)
		}
		err := f.validate()
		switch timing := f.gossip.Timing; {
		case test.complaint != "":
			if err == nil || !strings.Contains(err.Error(), test.complaint) {
				t.Errorf("%q: error %v, want %q", test.args, err, test.complaint)
			}
		case err != nil || timing.HeartbeatInterval != test.interval || timing.HeartbeatMultiplier != test.misses:
			t.Errorf("%q: error %v, heartbeats %v x %d", test.args, err, timing.HeartbeatInterval, timing.HeartbeatMultiplier)
		}
	}
}

func TestParseBind(t *testing.T) {
	for _, test := range []struct {
		text string
		want gossip.Bind
		say  string
	}{
		{text: "", want: gossip.Bind{Port: gossipPort}},
		{text: "0", want: gossip.Bind{Off: true}},
		{text: ":7947", want: gossip.Bind{Port: 7947}},
		{text: "192.0.2.1:7947", want: gossip.Bind{Address: netip.MustParseAddr("192.0.2.1"), Port: 7947}},
		{text: "[2001:db8::1]:7947", want: gossip.Bind{Address: netip.MustParseAddr("2001:db8::1"), Port: 7947}},
		{text: ":0", say: "must be address:port, :port or 0"},
		{text: "7947", say: "must be address:port, :port or 0"},
		{text: ":70000", say: "must be address:port, :port or 0"},
		{text: "0.0.0.0:7946", say: "need an address of this node"},
	} {
		got, err := parseBind(test.text)
		if got != test.want || (err == nil) != (test.say == "") || err != nil && !strings.Contains(err.Error(), test.say) {
			t.Errorf("%q: %+v, %v", test.text, got, err)
		}
	}
}
