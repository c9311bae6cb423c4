package gossip

import (
	"fmt"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/daymark-lb/daymark/internal/netnstest"
)

// Parts of the rules of a firewall at a speaker's address.
const (
	inTCP, outTCP = "ip daddr ADDR tcp dport 7946", "ip saddr ADDR tcp dport 7946"
	inUDP, outUDP = "ip daddr ADDR udp dport 7946", "ip saddr ADDR udp dport 7946"
	reset, icmp   = " reject with tcp reset", " reject with icmp port-unreachable"
	drop          = " drop"
)

// firewallAt loads rules until the test's end.
func firewallAt(t *testing.T, addr string, rules ...string) {
	t.Helper()
	table := "rejected" + strings.ReplaceAll(addr, ".", "_")
	load := func(text string) {
		nft := exec.Command("nft", "-f", "-")
		nft.Stdin = strings.NewReader(text)
		if out, err := nft.CombinedOutput(); err != nil {
			t.Fatalf("nft: %v: %s", err, out)
		}
	}
	hooks := map[string]string{}
	for _, rule := range rules {
		hook := "output"
		if strings.HasPrefix(rule, "ip daddr") {
			hook = "input"
		}
		hooks[hook] += strings.ReplaceAll(rule, "ADDR", addr) + "\n"
	}
	text := fmt.Sprintf("table inet %s {\n", table)
	for hook, rules := range hooks {
		text += fmt.Sprintf("chain %s {\ntype filter hook %s priority -300;\n%s}\n", hook, hook, rules)
	}
	load(text + "}\n")
	t.Cleanup(func() { load("delete table inet " + table + "\n") })
}

// Firewalls of the kernel that reject. Whoever starts behind one must not take the others for gone, whatever answers for them.
func TestMembership_AFirewallThatRejectsIsNoHostWithoutASpeaker(t *testing.T) {
	netnstest.NeedProgram(t, "nft")
	const (
		waits = "firewall"
		tcp   = "TCP does not get through to"
		udp   = "datagrams do not get through from"
	)
	for i, test := range []struct {
		name  string
		rules []string
		// meets: it meets the other one all the same. says is what one of the two says then, or the one that starts.
		meets bool
		says  string
	}{
		{"TCP by resets", []string{inTCP + reset, outTCP + reset}, true, tcp},
		{"TCP by resets, what comes alone", []string{inTCP + reset}, true, tcp},
		{"TCP by resets, what leaves alone", []string{outTCP + reset}, true, tcp},
		{"UDP by ICMP", []string{inUDP + icmp, outUDP + icmp}, true, udp},
		{"UDP by ICMP, what comes alone", []string{inUDP + icmp}, true, udp},
		{"UDP by ICMP, what leaves alone", []string{outUDP + icmp}, true, udp},
		{"both as a host does, what comes alone", []string{inTCP + reset, inUDP + icmp}, true, "get through"},
		{"both as a host does, what leaves alone", []string{outTCP + reset, outUDP + icmp}, true, "get through"},
		{"both by ICMP", []string{inTCP + icmp, outTCP + icmp, inUDP + icmp, outUDP + icmp}, false, waits},
		{"TCP by resets, and UDP is dropped", []string{inTCP + reset, outTCP + reset, inUDP + drop, outUDP + drop}, false, waits},
		{"TCP by resets, and UDP that leaves is dropped", []string{inTCP + reset, outTCP + reset, outUDP + drop}, false, waits},
		{"TCP by resets, and UDP that comes is dropped", []string{inTCP + reset, outTCP + reset, inUDP + drop}, false, waits},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			timing, _ := Preset(Fast, true)
			timing.PushPullInterval = 200 * ms
			prefix := fmt.Sprintf("127.11.%d.", i)
			firewallAt(t, prefix+"1", test.rules...)
			b := beginWith(t, Config{Node: "b", Bind: gossipAt(prefix + "2"), Keys: secrets("k"), Timing: timing}, nil)
			b.Set(nil)
			b.awaits(t, "it is the only one", alive("b"))
			a := beginWith(t, Config{Node: "a", Bind: gossipAt(prefix + "1"), Keys: secrets("k"), Timing: timing}, nil)
			meet(t, a, b)
			for _, s := range []*speaker{a, b} {
				s.BroadcastState(State{Known: true})
			}
			if !test.meets {
				a.awaits(t, "it says that it waits", func(v View) bool {
					return strings.Contains(v.Why, "b at "+prefix+"2:7946 (") && strings.Contains(v.Why, test.says) &&
						strings.Contains(v.Why, "TCP and UDP port 7946 must pass")
				})
				if waitedFor, gone := a.waitsFor(); a.View().Known || waitedFor != 1 || gone != 0 {
					t.Errorf("known: %v; %d are waited for, %d gone", a.View().Known, waitedFor, gone)
				}
				return
			}
			for _, s := range []*speaker{a, b} {
				s.awaits(t, "both, in all that they say", func(v View) bool {
					return alive("a", "b")(v) && v.Peers["a"].StateKnown && v.Peers["b"].StateKnown && v.Version == int(newest)
				})
			}
			eventually(t, "one of them says what does not get through", func() bool {
				return strings.Contains(a.View().Why+b.View().Why, test.says)
			})
		})
	}
}

// waitsFor is how many others are waited for, and how many are gone.
func (s *speaker) waitsFor() (waitedFor, gone int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return countExpected(s.expected, s.failures, s.peers.spokeLately(time.Now()))
}

// Both ports closed as a host closes them, but for what the other one sends by UDP: who sends is there.
func TestMembership_WhoIsHeardIsNotGone(t *testing.T) {
	netnstest.NeedProgram(t, "nft")
	timing := withoutExchanges()
	firewallAt(t, "127.11.20.1", inTCP+reset, outTCP+reset, inUDP+icmp)
	a := beginWith(t, Config{Node: "a", Bind: gossipAt("127.11.20.1"), Keys: secrets("k"), Timing: timing}, nil)
	b := beginWith(t, Config{Node: "b", Bind: gossipAt("127.11.20.2"), Keys: secrets("k"), Timing: timing}, nil)
	meet(t, a, b)
	b.awaits(t, "a refuses as a host does, and is heard", func(v View) bool {
		return strings.Contains(v.Why, "a at 127.11.20.1:7946 (the connection is refused, though it is heard: as by a firewall)") &&
			strings.Contains(v.Why, "TCP and UDP port 7946 must pass")
	})
	if waitedFor, gone := b.waitsFor(); waitedFor != 1 || gone != 0 || b.View().Known {
		t.Errorf("%d are waited for, %d gone; known: %v", waitedFor, gone, b.View().Known)
	}
}
