package main

import (
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/pflag"
	"sigs.k8s.io/controller-runtime/pkg/metrics"

	"github.com/daymark-lb/daymark/internal/daemon"
	"github.com/daymark-lb/daymark/speaker/gossip"
	"github.com/daymark-lb/daymark/speaker/health"
	"github.com/daymark-lb/daymark/speaker/layer2"
	"github.com/daymark-lb/daymark/speaker/proxycheck"
	"github.com/daymark-lb/daymark/speaker/trace"
)

// gossipPort is the default port of the gossip.
const gossipPort = 7946

// Names of the flags that change a preset.
const (
	heartbeatInterval   = "heartbeat-interval"
	heartbeatMultiplier = "heartbeat-multiplier"
	probeInterval       = "gossip-probe-interval"
	probeTimeout        = "gossip-probe-timeout"
	suspicionMultiplier = "gossip-suspicion-multiplier"
)

// flags that only the speaker has. The fields ...Text are as given; validate parses them.
type flags struct {
	node            string
	pod             string
	gossip          gossip.Bind
	gossipText      string
	preset          string
	rebalanceAfter  time.Duration
	announcements   int
	healthPorts     health.Mode
	healthPortsText string
	proxy           proxycheck.Target
	proxyText       string
	// trace is the address to serve traces on; "0": none.
	trace string
	set   *pflag.FlagSet
	// timing has the values of the flags that change a preset.
	timing gossip.Timing
}

func (f *flags) add(set *pflag.FlagSet) {
	f.set = set
	set.StringVar(&f.node, "node-name", os.Getenv("NODE_NAME"), "name of this node (default: $NODE_NAME)")
	set.StringVar(&f.pod, "pod-name", os.Getenv("POD_NAME"), "name of this Pod, empty for a process that runs in none (default: $POD_NAME)")
	set.StringVar(&f.gossipText, "gossip-bind-address", "", "address:port or :port for the gossip between speakers, 0 for none; without an address the node's InternalIP is taken (default \":7946\")")
	set.StringVar(&f.preset, "gossip-preset", gossip.Fast, "how soon a speaker that is gone is noticed: fast (0.1 s), lan (0.8 s, fewer packets), wan (5 s)")
	set.DurationVar(&f.timing.HeartbeatInterval, heartbeatInterval, 0, "time between two heartbeats of a pair of speakers, 0 for none: only gossip then notices who is gone; one that is missed is asked for again at a fraction of it (default: the preset's)")
	set.IntVar(&f.timing.HeartbeatMultiplier, heartbeatMultiplier, 0, "heartbeats without an answer in a row by which a speaker counts as gone (default: the preset's)")
	set.DurationVar(&f.timing.ProbeInterval, probeInterval, 0, "time between two probes of the gossip (default: the preset's)")
	set.DurationVar(&f.timing.ProbeTimeout, probeTimeout, 0, "time that the answer to a probe may take (default: the preset's)")
	set.IntVar(&f.timing.SuspicionMult, suspicionMultiplier, 0, "probe intervals in which a suspected speaker can refute (default: the preset's)")
	set.DurationVar(&f.rebalanceAfter, "l2-rebalance-after", time.Minute, "time after which layer-2 addresses that are spread unevenly are evened out, some after the other; 0 for never")
	set.IntVar(&f.announcements, "l2-announcement-rate", layer2.DefaultAnnouncementRate, "gratuitous ARP packets and unsolicited neighbor advertisements per second and interface, and as many probes besides")
	set.StringVar(&f.healthPortsText, "health-check-node-ports", string(health.Auto), "serve healthCheckNodePort of Services: auto (where no service proxy does), on, off")
	set.StringVar(&f.proxyText, "proxy-health-url", proxycheck.Auto, "where the node's service proxy says whether it works: auto (port 10256, /healthz, where kube-proxy does), a URL, none; a node whose proxy fails announces nothing")
	set.StringVar(&f.trace, "trace-bind-address", "0", "address:port on the loopback where kubectl daymark trace is answered, 0 for none")
}

// validate parses the values that pflag does not, and returns what is wrong with them.
func (f *flags) validate() error {
	if f.node == "" {
		return errors.New("--node-name is missing, and NODE_NAME is not set")
	}
	switch f.healthPorts = health.Mode(f.healthPortsText); f.healthPorts {
	case health.Auto, health.On, health.Off:
	default:
		return fmt.Errorf("--health-check-node-ports must be auto, on or off, not %q", f.healthPortsText)
	}
	var err error
	if f.proxy, err = proxycheck.ParseTarget(f.proxyText); err != nil {
		return fmt.Errorf("--proxy-health-url %w", err)
	}
	if f.rebalanceAfter < 0 {
		return fmt.Errorf("--l2-rebalance-after must not be negative, as %v is", f.rebalanceAfter)
	}
	if f.announcements < 1 {
		return fmt.Errorf("--l2-announcement-rate must be at least 1, not %d", f.announcements)
	}
	if f.gossip, err = parseBind(f.gossipText); err != nil {
		return err
	}
	if err := daemon.ValidateLoopback("--trace-bind-address", f.trace); err != nil {
		return err
	}
	f.gossip.Timing, err = f.presetTiming()
	return err
}

// layer2 returns the configuration of layer 2.
func (f *flags) layer2(log *slog.Logger, stale func() bool, tracer *trace.Tracer) layer2.Config {
	return layer2.Config{Log: log, Registerer: metrics.Registry, AnnouncementRate: f.announcements, Stale: stale, Tracer: tracer}
}

// presetTiming returns the timing of the preset, changed by the flags that were given beside it.
func (f *flags) presetTiming() (gossip.Timing, error) {
	heartbeats := !f.set.Changed(heartbeatInterval) || f.timing.HeartbeatInterval != 0
	timing, known := gossip.Preset(f.preset, heartbeats)
	if !known {
		return timing, fmt.Errorf("--gossip-preset must be fast, lan or wan, not %q", f.preset)
	}
	for name, apply := range map[string]func(){
		heartbeatInterval:   func() { timing.SetHeartbeatInterval(f.timing.HeartbeatInterval) },
		heartbeatMultiplier: func() { timing.HeartbeatMultiplier = f.timing.HeartbeatMultiplier },
		probeInterval:       func() { timing.ProbeInterval = f.timing.ProbeInterval },
		probeTimeout:        func() { timing.ProbeTimeout = f.timing.ProbeTimeout },
		suspicionMultiplier: func() { timing.SuspicionMult = f.timing.SuspicionMult },
	} {
		if f.set.Changed(name) {
			apply()
		}
	}
	return timing, timing.Check()
}

// parseBind parses the address that the gossip listens on.
func parseBind(text string) (gossip.Bind, error) {
	switch text {
	case "":
		return gossip.Bind{Port: gossipPort}, nil
	case "0":
		return gossip.Bind{Off: true}, nil
	}
	if port, err := strconv.ParseUint(strings.TrimPrefix(text, ":"), 10, 16); err == nil && text[0] == ':' && port > 0 {
		return gossip.Bind{Port: uint16(port)}, nil
	}
	address, err := netip.ParseAddrPort(text)
	switch {
	case err == nil && address.Addr().IsUnspecified():
		return gossip.Bind{}, fmt.Errorf("--gossip-bind-address %s: the other speakers need an address of this node to reach", text)
	case err == nil && address.Port() != 0:
		return gossip.Bind{Address: address.Addr().Unmap(), Port: address.Port()}, nil
	}
	return gossip.Bind{}, fmt.Errorf("--gossip-bind-address must be address:port, :port or 0, not %q", text)
}
