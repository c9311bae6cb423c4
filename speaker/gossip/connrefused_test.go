package gossip

import (
	"errors"
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/daymark-lb/daymark/internal/netnstest"
)

var errRefused = errors.New("dial tcp: connect: connection refused")

// A firewall that rejects must not make two speakers think themselves alone.
func TestRefusalOf_IsNotFooledByAFirewall(t *testing.T) {
	netnstest.NeedProgram(t, "nft")
	const tcp, udp = "tcp dport 7946 ", "udp dport 7946 "
	for _, test := range []struct {
		name    string
		rules   []string
		refused bool
	}{
		{"nobody listens", nil, true},
		{"TCP is rejected by ICMP", []string{tcp + "reject with icmpx type port-unreachable"}, false},
		{"TCP is reset, and UDP is dropped", []string{tcp + "reject with tcp reset", udp + "drop"}, false},
		{"TCP is reset, and UDP is prohibited", []string{tcp + "reject with tcp reset", udp + "reject with icmpx type admin-prohibited"}, false},
		{"both are dropped", []string{tcp + "drop", udp + "drop"}, false},
		{"both are closed as a host does it", []string{tcp + "reject with tcp reset", udp + "reject with icmpx type port-unreachable"}, true},
	} {
		host := netnstest.New(t)
		host.Run(t, "nft", "add table inet f; add chain inet f in { type filter hook input priority 0; }")
		for _, rule := range test.rules {
			host.Run(t, "nft", "add rule inet f in "+rule)
		}
		for _, at := range []string{"127.0.0.1", "::1"} {
			addr := netip.MustParseAddr(at)
			host.Do(t, func() {
				for _, from := range []netip.Addr{addr, {}} {
					if got := refusalOf(from, netip.AddrPortFrom(addr, 7946), errRefused, joinFailure{}).refused; got != test.refused {
						t.Errorf("%s: refused by the host %v from %v: %v", test.name, at, from, got)
					}
				}
			})
		}
	}
}

// A host answers some datagrams by ICMP and not the next ones.
func TestRefusalOf_WhatAHostHasSaidCountsForAWhile(t *testing.T) {
	netnstest.NeedProgram(t, "nft")
	host, at := netnstest.New(t), netip.MustParseAddrPort("127.0.0.1:7946")
	var first joinFailure
	host.Do(t, func() { first = refusalOf(at.Addr(), at, errRefused, joinFailure{}) })
	host.Run(t, "nft", "add table inet f; add chain inet f in { type filter hook input priority 0; }; add rule inet f in udp dport 7946 drop")
	host.Do(t, func() {
		if second := refusalOf(at.Addr(), at, errRefused, first); !first.refused || second != first {
			t.Errorf("%+v, then %+v", first, second)
		}
		first.closed = first.closed.Add(-closedTimeout)
		if third := refusalOf(at.Addr(), at, errRefused, first); third.refused {
			t.Errorf("%+v, long after %+v", third, first)
		}
	})
}

// Who listens for datagrams alone, as behind a firewall that resets TCP, is there.
func TestRefusalOf_ASocketForDatagramsIsSomebody(t *testing.T) {
	host := netnstest.New(t)
	addr := netip.MustParseAddr("127.0.0.1")
	host.Do(t, func() {
		listener, err := net.ListenUDP("udp4", net.UDPAddrFromAddrPort(netip.AddrPortFrom(addr, 7946)))
		if err != nil {
			t.Fatal(err)
		}
		defer listener.Close()
		if refusalOf(addr, netip.AddrPortFrom(addr, 7946), errRefused, joinFailure{}).refused {
			t.Error("nobody listens there")
		}
	})
}

func TestDescribe_SaysWhatAFailureMeans(t *testing.T) {
	for text, want := range map[string]string{
		"1 error occurred:\n\t* failed to join 1.2.3.4:7946: dial tcp: connect: connection refused": "refused",
		"failed to join 1.2.3.4:7946: dial tcp: i/o timeout":                                        "nothing answers",
		"failed to join 1.2.3.4:7946: dial tcp: connect: no route to host":                          "its host is not there, or a firewall",
		"failed to join 1.2.3.4:7946: EOF":                                                          "key",
		"something\n\t* new":                                                                        "something * new",
	} {
		if got := describe(errors.New(text)); !strings.Contains(got, want) {
			t.Errorf("%q became %q, want %q in it", text, got, want)
		}
	}
}

// What is said of a node that is dead is the same after each attempt, also where the answers to some are left out by a firewall that sends so
// many a second: each change is a write.
func TestSteady_SilenceTakesNothingBackAtOnce(t *testing.T) {
	const rejects, closed = "its host is not there, or a firewall rejects the connection", "the connection is refused"
	begins := time.Now()
	text, seen := "", time.Time{}
	for _, step := range []struct {
		at         time.Duration
		text, says string
	}{
		{0, silence, silence},
		{time.Second, rejects, rejects},
		{2 * time.Second, silence, rejects},
		{3 * time.Second, rejects, rejects},
		{4 * time.Second, closed, closed},
		{4*time.Second + silenceAfter - 1, silence, closed},
		{4*time.Second + silenceAfter, silence, silence},
	} {
		if text, seen = steady(step.text, begins.Add(step.at), text, seen); text != step.says {
			t.Errorf("%s after %v: it says %q", step.text, step.at, text)
		}
	}
}
