package bgp

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"testing"

	"github.com/daymark-lb/daymark/internal/netnstest"
)

// matrixFRR is FRR in the tests of all routers.
type matrixFRR struct {
	*frr
	asn int
}

func startMatrixFRR(t *testing.T, c *cable, asn int, password string) tableRouter {
	t.Helper()
	lines := []string{"neighbor OURS remote-as 64512", "neighbor OURS passive"}
	if password != "" {
		lines = append(lines, "neighbor OURS password "+password)
	}
	lines = append(lines, "address-family ipv6 unicast", "neighbor OURS activate", "exit-address-family",
		"address-family ipv4 vpn", "neighbor OURS activate", "exit-address-family",
		"address-family l2vpn evpn", "neighbor OURS activate", "exit-address-family",
		"address-family ipv4 unicast", "neighbor OURS addpath-tx-all-paths", "neighbor OURS default-originate")
	return &matrixFRR{startFRR(t, c, asn, lines...), asn}
}

func (f *matrixFRR) received(prefix string) (seenPath, bool, error) {
	r, err := f.route(prefix)
	if err != nil {
		return seenPath{}, false, nil //nolint:nilerr // It has no path, or more than one.
	}
	s := seenPath{
		asPath: r.ASPath.String, standard: r.Community.String, large: r.Large.String, hop: r.Nexthops[0].IP, stale: r.Stale,
	}
	if r.Metric != nil {
		s.med = *r.Metric
	}
	if r.LocalPref != nil {
		s.localPref = *r.LocalPref
	}
	if s.asPath == "Local" {
		s.asPath = ""
	}
	return s, true, nil
}

func (f *matrixFRR) shut(t *testing.T) {
	t.Helper()
	f.configure(f.asn, "neighbor OURS shutdown message lunch")
}

func (f *matrixFRR) heard() (string, error) {
	output, err := f.try("show bgp neighbors " + f.cable.Ours.String())
	at := strings.Index(output, "Notification received")
	return output[max(0, at):], err
}

// matrixBIRD is BIRD in the tests of all routers.
type matrixBIRD struct{ *bird }

func startMatrixBIRD(t *testing.T, c *cable, asn int, password string) tableRouter {
	t.Helper()
	if password != "" {
		password = fmt.Sprintf("password %q;", password)
	}
	return matrixBIRD{&bird{t: t, BIRD: netnstest.StartBIRD(t, c.Other, fmt.Sprintf(`router id %s;
protocol device {}
flow4 table flows;
protocol static { ipv4; route 203.0.113.0/24 blackhole { bgp_community.add((64513, 1)); }; }
protocol bgp node {
	local %s as %d;
	neighbor %s as 64512;
	passive; enable extended messages; long lived graceful restart; %s
	ipv4 { import all; export all; next hop self; add paths; };
	ipv6 { import all; export none; };
	flow4 { table flows; import none; export all; };
}
`, c.Theirs, c.Theirs, asn, c.Ours, password))}}
}

// birdAttribute finds the value of an attribute in BIRD's description of a route.
func birdAttribute(text, name string) string {
	_, after, found := strings.Cut(text, "BGP."+name+": ")
	if !found {
		return ""
	}
	line, _, _ := strings.Cut(after, "\n")
	return strings.TrimSpace(line)
}

// birdNumbers turns "(64512, 1, 2) (1,2)" into "64512:1:2 1:2".
var birdNumbers = strings.NewReplacer("(65535,65284)", "no-peer", ", ", ":", ",", ":", "(", "", ")", "")

func (b matrixBIRD) received(prefix string) (seenPath, bool, error) {
	output, _ := b.Ask("show route for " + prefix + " all") // It calls it an error when there is no route.
	if !strings.Contains(output, "BGP.origin") {
		return seenPath{}, false, nil
	}
	s := seenPath{
		asPath: birdAttribute(output, "as_path"), standard: birdNumbers.Replace(birdAttribute(output, "community")),
		large: birdNumbers.Replace(birdAttribute(output, "large_community")), hop: birdAttribute(output, "next_hop"),
		med: number(birdAttribute(output, "med")), localPref: number(birdAttribute(output, "local_pref")),
	}
	s.hop, _, _ = strings.Cut(s.hop, " ")
	protocol, err := b.heard()
	s.stale = strings.Contains(protocol, "graceful restart active")
	return s, true, err
}

// number reads a number; there is none in an empty text.
func number(text string) uint32 {
	n, _ := strconv.ParseUint(text, 10, 32)
	return uint32(n)
}

func (b matrixBIRD) shut(t *testing.T) {
	t.Helper()
	if _, err := b.Ask(`disable node "lunch"`); err != nil {
		t.Fatal(err)
	}
}

func (b matrixBIRD) heard() (string, error) { return b.Ask("show protocols all node") }

// openBGPD is OpenBGPD in the tests of all routers.
type openBGPD struct {
	*netnstest.OpenBGPD
	c *cable
}

func startOpenBGPD(t *testing.T, c *cable, asn int, password string) tableRouter {
	t.Helper()
	if password != "" {
		password = "tcp md5sig password " + password
	}
	return openBGPD{netnstest.StartOpenBGPD(t, c.Other, fmt.Sprintf(`AS %d
router-id %s
listen on %s
fib-update no
nexthop qualify via default
network 203.0.113.0/24 set { community 64513:1 large-community 64513:1:1 }
neighbor %s {
	remote-as 64512
	passive
	announce IPv4 unicast
	announce IPv6 unicast
	announce IPv4 vpn
	announce enhanced refresh yes
	announce add-path recv yes
	announce add-path send all
	%s
}
allow from any
allow to any
`, asn, c.Theirs, c.Theirs, c.Ours, password)), c}
}

func (o openBGPD) received(prefix string) (seenPath, bool, error) {
	output, err := o.Ask("show", "rib", "detail")
	if err != nil {
		return seenPath{}, false, err
	}
	var table struct {
		RIB []struct {
			Prefix      string   `json:"prefix"`
			ASPath      string   `json:"aspath"`
			NextHop     string   `json:"exit_nexthop"`
			Metric      uint32   `json:"metric"`
			LocalPref   uint32   `json:"localpref"`
			Stale       bool     `json:"stale"`
			Communities []string `json:"communities"`
			Large       []string `json:"large_communities"`
		} `json:"rib"`
	}
	if err := json.Unmarshal([]byte(output), &table); err != nil {
		return seenPath{}, false, fmt.Errorf("read %s: %w", output, err)
	}
	for _, r := range table.RIB {
		if r.Prefix == prefix {
			return seenPath{r.ASPath, r.Metric, r.LocalPref, joined(r.Communities), joined(r.Large), r.NextHop, r.Stale}, true, nil
		}
	}
	return seenPath{}, false, nil
}

func (o openBGPD) shut(t *testing.T) {
	t.Helper()
	if _, err := o.Ask("neighbor", o.c.Ours.String(), "down", "lunch"); err != nil {
		t.Fatal(err)
	}
}

func (o openBGPD) heard() (string, error) { return o.Output(), nil }
