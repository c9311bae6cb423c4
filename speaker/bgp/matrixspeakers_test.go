package bgp

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/daymark-lb/daymark/internal/netnstest"
)

// goBGP is gobgpd in the tests of all routers.
type goBGP struct {
	*netnstest.GoBGP
	c *cable
}

func startGoBGP(t *testing.T, c *cable, asn int, password string) tableRouter {
	t.Helper()
	families := ""
	for _, family := range []string{"ipv4-unicast", "ipv6-unicast"} {
		families += fmt.Sprintf(`
  [[neighbors.afi-safis]]
    [neighbors.afi-safis.config]
      afi-safi-name = %q
    [neighbors.afi-safis.mp-graceful-restart.config]
      enabled = true
    [neighbors.afi-safis.add-paths.config]
      receive = true
`, family)
	}
	return goBGP{netnstest.StartGoBGP(t, c.Other, fmt.Sprintf(`
[global.config]
  as = %d
  router-id = "%s"
  local-address-list = ["%s"]
[[neighbors]]
  [neighbors.config]
    neighbor-address = "%s"
    peer-as = 64512
    auth-password = "%s"
  [neighbors.transport.config]
    passive-mode = true
  [neighbors.timers.config]
    idle-hold-time-after-reset = 1
  [neighbors.graceful-restart.config]
    enabled = true
    restart-time = 60
    notification-enabled = true
%s`, asn, c.Theirs, c.Theirs, c.Ours, password, families)), c}
}

// goBGPAttribute is an attribute as gobgp shows it; which fields it has depends on the type.
type goBGPAttribute struct {
	Type        int                       `json:"type"`
	ASPaths     []struct{ ASNs []uint32 } `json:"as_paths"`
	Metric      uint32                    `json:"metric"`
	Value       json.RawMessage           `json:"value"`
	NextHop     string                    `json:"nexthop"`
	Communities []uint32                  `json:"communities"`
}

func (g goBGP) received(prefix string) (seenPath, bool, error) {
	family := "ipv4"
	if strings.Contains(prefix, ":") {
		family = "ipv6"
	}
	output, err := g.Ask("global", "rib", "-a", family)
	if err != nil {
		return seenPath{}, false, err
	}
	table := map[string][]struct {
		Stale bool
		Attrs []goBGPAttribute
	}{}
	if err := json.Unmarshal([]byte(output), &table); err != nil {
		return seenPath{}, false, fmt.Errorf("read %s: %w", output, err)
	}
	if len(table[prefix]) != 1 {
		return seenPath{}, false, nil
	}
	found := table[prefix][0]
	s := seenPath{stale: found.Stale}
	for _, a := range found.Attrs {
		s.add(a)
	}
	return s, true, nil
}

// add takes an attribute over: RFC 4271 section 5, RFC 1997, 4760, 8092.
func (s *seenPath) add(a goBGPAttribute) {
	switch a.Type {
	case 2:
		for _, segment := range a.ASPaths {
			s.asPath = strings.Trim(fmt.Sprint(segment.ASNs), "[]")
		}
	case 3, 14:
		s.hop = a.NextHop
	case 4:
		s.med = a.Metric
	case 5:
		_ = json.Unmarshal(a.Value, &s.localPref)
	case 8:
		var all []string
		for _, c := range a.Communities {
			all = append(all, fmt.Sprintf("%d:%d", c>>16, c&0xffff))
		}
		s.standard = joined(all)
	case 32:
		var all []struct{ ASN, LocalData1, LocalData2 uint32 }
		_ = json.Unmarshal(a.Value, &all)
		for _, c := range all {
			s.large = fmt.Sprintf("%d:%d:%d", c.ASN, c.LocalData1, c.LocalData2)
		}
	}
}

func (g goBGP) shut(t *testing.T) {
	t.Helper()
	if _, err := g.Ask("neighbor", g.c.Ours.String(), "shutdown", "--reason", "lunch"); err != nil {
		t.Fatal(err)
	}
}

func (g goBGP) heard() (string, error) { return g.Output(), nil }

// exaBGP is ExaBGP in the tests of all routers.
type exaBGP struct {
	*netnstest.ExaBGP
	c *cable
}

func startExaBGP(t *testing.T, c *cable, asn int, password string) tableRouter {
	t.Helper()
	if password != "" {
		password = fmt.Sprintf("md5-password %q;", password)
	}
	return exaBGP{netnstest.StartExaBGP(t, c.Other, fmt.Sprintf(`neighbor %s {
	router-id %s;
	local-address %s;
	local-as %d;
	peer-as 64512;
	passive true;
	listen 179;
	%s
	capability {
		asn4 enable; route-refresh enable; add-path send/receive; operational enable; aigp enable;
	}
	family { ipv4 unicast; ipv6 unicast; ipv4 flow; l2vpn evpn; ipv4 mpls-vpn; }
	static {
		route 203.0.113.0/24 next-hop self attribute [0x99 0x60 0x00000064];
		route 203.0.113.1/32 next-hop self attribute [0x63 0xc0 0x00000064] community [64513:1];
	}
	api { processes [ events ]; neighbor-changes; receive { parsed; update; keepalive; } }
}
`, c.Ours, c.Theirs, c.Theirs, asn, password)), c}
}

// exaBGPEvent is what ExaBGP tells of a message, or of a change of the session.
type exaBGPEvent struct {
	Type     string
	Neighbor struct {
		State   string
		Message struct {
			Update struct {
				Attribute struct {
					ASPath    []uint32   `json:"as-path"`
					MED       uint32     `json:"med"`
					LocalPref uint32     `json:"local-preference"`
					Community [][]uint32 `json:"community"`
					Large     [][]uint32 `json:"large-community"`
				}
				// By family and next hop.
				Announce map[string]map[string][]struct{ NLRI string }
				Withdraw map[string][]struct{ NLRI string }
			}
		}
	}
}

// received follows the updates, as a router's table would.
func (x exaBGP) received(prefix string) (s seenPath, ok bool, err error) {
	events, err := x.Events()
	for _, line := range events {
		var e exaBGPEvent
		if err := json.Unmarshal([]byte(line), &e); err != nil {
			return s, false, fmt.Errorf("read %s: %w", line, err)
		}
		if e.Type == "state" && e.Neighbor.State == "down" {
			s, ok = seenPath{}, false
		}
		s, ok = e.applied(prefix, s, ok)
	}
	return s, ok, err
}

func (e *exaBGPEvent) applied(prefix string, s seenPath, ok bool) (seenPath, bool) {
	update := e.Neighbor.Message.Update
	for _, list := range update.Withdraw {
		for _, n := range list {
			ok = ok && n.NLRI != prefix
		}
	}
	for _, hops := range update.Announce {
		for hop, list := range hops {
			for _, n := range list {
				if n.NLRI == prefix {
					a := update.Attribute
					s, ok = seenPath{
						asPath: strings.Trim(fmt.Sprint(a.ASPath), "[]"), med: a.MED, localPref: a.LocalPref,
						standard: joined(texts(a.Community)), large: joined(texts(a.Large)), hop: hop,
					}, true
				}
			}
		}
	}
	return s, ok
}

// texts are communities in our form.
func texts(values [][]uint32) (all []string) {
	for _, v := range values {
		all = append(all, strings.ReplaceAll(strings.Trim(fmt.Sprint(v), "[]"), " ", ":"))
	}
	return all
}

func (x exaBGP) shut(t *testing.T) {
	t.Helper()
	if err := x.Tell(fmt.Sprintf("neighbor %s teardown 2", x.c.Ours)); err != nil {
		t.Fatal(err)
	}
}

func (x exaBGP) heard() (string, error) {
	events, err := x.Events()
	return strings.Join(events, "\n"), err
}
