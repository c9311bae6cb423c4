package bgp

import (
	"encoding/json"
	"fmt"
	"net/netip"
	"strings"
	"testing"

	"github.com/daymark-lb/daymark/internal/netnstest"
)

// frr is FRR's bgpd at the other end of a cable; without FRR's zebra unless the test calls zebra.
type frr struct {
	*netnstest.FRR
	t      *testing.T
	cable  *cable
	config string
	bgpd   *netnstest.Daemon
	// kernel are the options by which bgpd runs without zebra; empty when there is one.
	kernel []string
}

// startFRR runs bgpd with an AS number and further configuration lines, in which OURS and OURS6 stand for our addresses.
func startFRR(t *testing.T, c *cable, asn int, lines ...string) *frr {
	t.Helper()
	f := newFRR(t, c, asn, lines...)
	f.start()
	return f
}

func newFRR(t *testing.T, c *cable, asn int, lines ...string) *frr {
	t.Helper()
	config := append([]string{
		fmt.Sprintf("router bgp %d", asn),
		"bgp router-id " + c.Theirs.String(),
		"no bgp ebgp-requires-policy", "no bgp network import-check", "bgp graceful-restart",
	}, lines...)
	return &frr{FRR: netnstest.NewFRR(t, c.Other), t: t, cable: c, config: c.named(config), kernel: []string{"-Z"}}
}

// named are lines of configuration with our addresses filled in.
func (c *cable) named(lines []string) string {
	return strings.NewReplacer("OURS6", c.Ours6.String(), "OURS", c.Ours.String()).Replace(strings.Join(lines, "\n") + "\n")
}

// zebra runs FRR's zebra, which knows the interfaces. bgpd must not have been started yet.
func (f *frr) zebra() {
	f.t.Helper()
	f.Start("zebra", "")
	f.kernel = nil
}

func (f *frr) start() {
	f.t.Helper()
	f.bgpd = f.Start("bgpd", f.config, append([]string{"-n"}, f.kernel...)...)
}

// stop kills bgpd, as a crash would.
func (f *frr) stop() { f.bgpd.Kill() }

func (f *frr) try(commands ...string) (string, error) { return f.Ask("bgpd", commands...) }

// configure changes bgpd's configuration, below "router bgp".
func (f *frr) configure(asn int, lines ...string) {
	f.t.Helper()
	text := fmt.Sprintf("configure terminal\nrouter bgp %d\n%s", asn, f.cable.named(lines))
	if output, err := f.try(text); err != nil || strings.Contains(output, "%") {
		f.t.Fatalf("configure FRR: %v: %s", err, output)
	}
}

// show reads the answer to a command in JSON.
func (f *frr) show(command string, into any) error {
	output, err := f.try("show " + command + " json")
	if err != nil {
		return fmt.Errorf("%s: %w", command, err)
	}
	if err := json.Unmarshal([]byte(output), into); err != nil {
		return fmt.Errorf("%s: %w: %s", command, err, output)
	}
	return nil
}

// route is a path as FRR shows it.
type route struct {
	ASPath    struct{ String string } `json:"aspath"`
	Metric    *uint32                 `json:"metric"`
	LocalPref *uint32                 `json:"locPrf"`
	Valid     bool                    `json:"valid"`
	Stale     bool                    `json:"stale"`
	Community struct{ String string } `json:"community"`
	Large     struct{ String string } `json:"largeCommunity"`
	Extended  struct{ String string } `json:"extendedCommunity"`
	Nexthops  []struct {
		IP    string
		Scope string
		Used  bool
	} `json:"nexthops"`
}

// hop is the next hop that FRR uses.
func (r *route) hop() string {
	for _, hop := range r.Nexthops {
		if hop.Used {
			return hop.IP
		}
	}
	return ""
}

// route returns the one path to a prefix.
func (f *frr) route(prefix string) (*route, error) {
	family := "ipv4"
	if netip.MustParsePrefix(prefix).Addr().Is6() {
		family = "ipv6"
	}
	var answer struct{ Paths []route }
	if err := f.show("bgp "+family+" unicast "+prefix, &answer); err != nil {
		return nil, err
	}
	if len(answer.Paths) != 1 {
		return nil, fmt.Errorf("%s has %d paths", prefix, len(answer.Paths))
	}
	return &answer.Paths[0], nil
}

// has waits for a route that satisfies is.
func (f *frr) has(prefix string, is func(*route) error) {
	f.t.Helper()
	netnstest.Eventually(f.t, "FRR has "+prefix, func() error {
		found, err := f.route(prefix)
		if err == nil && is != nil {
			err = is(found)
		}
		return err
	})
}

// lacks waits until there is no route.
func (f *frr) lacks(prefix string) {
	f.t.Helper()
	netnstest.Eventually(f.t, "FRR has no "+prefix, func() error {
		if found, err := f.route(prefix); err == nil {
			return fmt.Errorf("it has %+v", *found)
		}
		return nil
	})
}

// neighbor is our session as FRR shows it.
type neighbor struct {
	State       string `json:"bgpState"`
	Established int    `json:"connectionsEstablished"`
	Dropped     int    `json:"connectionsDropped"`
	Messages    struct {
		UpdatesRecv int `json:"updatesRecv"`
	} `json:"messageStats"`
}

func (f *frr) neighbor(addr netip.Addr) neighbor {
	f.t.Helper()
	answer := map[string]neighbor{}
	if err := f.show("bgp neighbors "+addr.String(), &answer); err != nil {
		f.t.Fatal(err)
	}
	return answer[addr.String()]
}
