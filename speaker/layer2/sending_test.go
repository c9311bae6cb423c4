package layer2

import (
	"bytes"
	"errors"
	"fmt"
	"net/netip"
	"os/exec"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/daymark-lb/daymark/internal/core/lb"
	"github.com/daymark-lb/daymark/internal/netnstest"
)

// refuseFrames makes the kernel drop all that is sent on an interface, as a firewall may, and tell the sender (ENOBUFS).
func refuseFrames(t *testing.T, name string) {
	t.Helper()
	netnstest.NeedProgram(t, "tc")
	tc(t, "qdisc", "replace", "dev", name, "root", "pfifo", "limit", "0")
}

func TestResponder_SaysThatItCannotSend(t *testing.T) {
	s := newSegment(t, "near0")
	r := begin(t, Config{})
	mustSet(t, r, on([]string{"near0"}, vip4, vip6))
	conn, ours := s.listen(t, unix.ETH_P_ARP), s.mac(t)
	send(t, conn, request(ours, client4, vip4))
	receive(t, conn, "an answer", equalTo(arpAnswer(ours)))
	refuseFrames(t, "near0")
	began := time.Now()
	send(t, conn, request(ours, client4, vip4))
	netnstest.Eventually(t, "it says so", func() error {
		for _, u := range r.Unable() {
			if u.Interface == "near0" && u.Family == lb.IPv4 && strings.Contains(u.Why, "frames cannot be sent: ") {
				return nil
			}
		}
		return fmt.Errorf("it says %v", r.Unable())
	})
	if took := time.Since(began); took > time.Second {
		t.Errorf("it took %v", took)
	}
	select {
	case <-r.Urgent():
	default:
		t.Error("the election is not woken")
	}

	tc(t, "qdisc", "del", "dev", "near0", "root")
	netnstest.Eventually(t, "it finds out that it is able", func() error {
		if got := r.Unable(); len(got) > 0 {
			return fmt.Errorf("it says %v", got)
		}
		return nil
	})
}

// A firewall lets requests and probes through, and drops what answers: all of it, or that about addresses which are not the node's.
func TestResponder_SaysThatItCannotAnswer(t *testing.T) {
	netnstest.NeedProgram(t, "nft")
	for name, test := range map[string]struct {
		rule   string
		family lb.Family
	}{
		"ARP replies":              {"arp operation reply drop", lb.IPv4},
		"ARP of others' addresses": {"arp saddr ip != { 192.0.2.1, 0.0.0.0 } drop", lb.IPv4},
		"neighbor advertisements":  {"icmpv6 type nd-neighbor-advert drop", lb.IPv6},
	} {
		t.Run(name, func(t *testing.T) {
			s := newSegment(t, "near0")
			r := begin(t, Config{})
			mustSet(t, r, on([]string{"near0"}, vip4, vip6))
			conn, ours := s.listen(t, unix.ETH_P_ALL), s.mac(t)
			ask := func() {
				send(t, conn, request(ours, client4, vip4))
				send(t, conn, solicit(groupMAC6, client6, group6, vip6))
			}
			ask()
			receive(t, conn, "an answer", equalTo(arpAnswer(ours)))
			nft(t, "add table netdev mute")
			t.Cleanup(func() { _ = exec.Command("nft", "delete table netdev mute").Run() })
			nft(t, "add chain netdev mute out { type filter hook egress device near0 priority 0; policy accept; }")
			nft(t, "add rule netdev mute out "+test.rule)
			ask()
			netnstest.Eventually(t, "it says so", func() error {
				if u := r.Unable(); len(u) != 1 || u[0].Family != test.family {
					return fmt.Errorf("it says %v", u)
				}
				return nil
			})
			nft(t, "delete table netdev mute")
			netnstest.Eventually(t, "it finds out that it is able", func() error {
				if got := r.Unable(); len(got) > 0 {
					return fmt.Errorf("it says %v", got)
				}
				return nil
			})
		})
	}
}

// The rule is about addresses, and those who ask for others are answered all the while. It stays when the election has taken the addresses
// away: the node must not take part again until it could answer.
func TestResponder_SaysForWhichAddressItCannotAnswer(t *testing.T) {
	netnstest.NeedProgram(t, "nft")
	for name, rule := range map[string]string{
		"all that are not the node's":          "arp saddr ip != { 192.0.2.1, 0.0.0.0 } drop",
		"answers about what is not the node's": "arp operation reply arp saddr ip != { 192.0.2.1, 0.0.0.0 } drop",
	} {
		t.Run(name, func(t *testing.T) {
			s := newSegment(t, "near0")
			r := begin(t, Config{})
			all := []netip.Addr{vip4}
			for i := range byte(8) {
				all = append(all, netip.AddrFrom4([4]byte{192, 0, 2, 70 + i}))
			}
			mustSet(t, r, on([]string{"near0"}, all...))
			conn, ours := s.listen(t, unix.ETH_P_ARP), s.mac(t)
			send(t, conn, request(ours, client4, vip4))
			receive(t, conn, "an answer", equalTo(arpAnswer(ours)))
			nft(t, "add table netdev mute")
			t.Cleanup(func() { _ = exec.Command("nft", "delete table netdev mute").Run() })
			nft(t, "add chain netdev mute out { type filter hook egress device near0 priority 0; policy accept; }")
			nft(t, "add rule netdev mute out "+rule)
			netnstest.Eventually(t, "it says so", func() error {
				for _, addr := range all {
					send(t, conn, request(ours, client4, addr))
				}
				if u := r.Unable(); len(u) != 1 || !strings.Contains(u[0].Why, "answers about 192.0.2.") {
					return fmt.Errorf("it says %v", u)
				}
				return nil
			})
			mustSet(t, r, nil)
			for i := range time.Duration(3) {
				if r.tryDue(time.Now().Add((1 + i) * maxUnableWait)); len(r.Unable()) != 1 {
					t.Fatal("it takes part again, and could not answer")
				}
			}
			nft(t, "delete table netdev mute")
			if r.tryDue(time.Now().Add(4 * maxUnableWait)); len(r.Unable()) > 0 {
				t.Errorf("when the rule is gone it says %v", r.Unable())
			}
		})
	}
}

// Where all nodes have such a rule the address comes back, and what they hold besides must not be silent for it.
func TestResponder_OneAddressThatNobodyCanAnswerForTakesNoOtherAlong(t *testing.T) {
	netnstest.NeedProgram(t, "nft")
	s := newSegment(t, "near0")
	r := begin(t, Config{})
	other := netip.MustParseAddr("192.0.2.70")
	conn, ours := s.listen(t, unix.ETH_P_ARP), s.mac(t)
	nft(t, "add table netdev mute")
	t.Cleanup(func() { _ = exec.Command("nft", "delete table netdev mute").Run() })
	nft(t, "add chain netdev mute out { type filter hook egress device near0 priority 0; policy accept; }")
	nft(t, "add rule netdev mute out arp saddr ip "+vip4.String()+" drop")
	for i := range maxMuted {
		mustSet(t, r, on([]string{"near0"}, vip4, other))
		netnstest.Eventually(t, "it says so", func() error {
			send(t, conn, request(ours, client4, vip4))
			if u := r.Unable(); len(u) != 1 || !strings.Contains(u[0].Why, "answers about "+vip4.String()) {
				return fmt.Errorf("time %d: it says %v", i, u)
			}
			return nil
		})
		mustSet(t, r, nil)
		netnstest.Eventually(t, "it takes part again, for it can answer for others", func() error {
			if r.tryDue(time.Now().Add(maxUnableWait)); len(r.Unable()) > 0 {
				return fmt.Errorf("it says %v", r.Unable())
			}
			return nil
		})
	}
	mustSet(t, r, on([]string{"near0"}, vip4, other))
	socket := (*r.live.Load())[0]
	socket.noteSent(errors.New("operation not permitted"), asAnswer, socket.answerToSelf(vip4))
	if r.trySockets(time.Now().Add(time.Hour)); len(r.Unable()) > 0 {
		t.Errorf("it lets go of everything once more: %v", r.Unable())
	}
	send(t, conn, request(ours, client4, other))
	receive(t, conn, "an answer about the other address", func(f []byte) bool { return bytes.Contains(f, other.AsSlice()) && bytes.Equal(f[6:12], ours[:]) })
}

func nft(t *testing.T, command string) {
	t.Helper()
	if output, err := exec.CommandContext(t.Context(), "nft", command).CombinedOutput(); err != nil {
		t.Fatalf("nft %s: %v: %s", command, err, output)
	}
}

// A frame that is refused while others get through is none of it.
func TestResponder_AShortRefusalIsNoReasonToLetGo(t *testing.T) {
	newSegment(t, "near0")
	r := begin(t, Config{})
	mustSet(t, r, on([]string{"near0"}, vip4))
	s := (*r.live.Load())[0]
	s.noteSent(errors.New("no buffer space available"), asAnswer, arpAnswer(s.nic.mac))
	netnstest.Eventually(t, "the next frame gets through", func() error {
		if s.trouble.Load() != nil {
			return errors.New("it is still in trouble")
		}
		return nil
	})
	if r.trySockets(time.Now().Add(time.Hour)); len(r.Unable()) > 0 {
		t.Errorf("it says %v", r.Unable())
	}
}

func tc(t *testing.T, args ...string) {
	t.Helper()
	if output, err := exec.CommandContext(t.Context(), "tc", args...).CombinedOutput(); err != nil {
		t.Fatalf("tc %v: %v: %s", args, err, output)
	}
}
