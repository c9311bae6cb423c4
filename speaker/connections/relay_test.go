package connections

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/nftables"
	"pgregory.net/rapid"

	"github.com/daymark-lb/daymark/internal/core/handover"
	"github.com/daymark-lb/daymark/internal/netnstest"
)

const errReset = syscall.ECONNRESET

func TestRelay_OpenConnectionsSurviveAMove(t *testing.T) {
	for _, mode := range []proxyMode{modeNFTables, modeIPTables} {
		for _, policy := range []string{"Local", "Cluster"} {
			t.Run(fmt.Sprintf("%s %s", mode, policy), func(t *testing.T) {
				r := newRig(t, 2, mode, policy == "Cluster")
				first, second := "pod1", "pod2"
				if policy == "Cluster" {
					first, second = second, first
				}
				for _, vip := range []netip.Addr{vip4, vip6} {
					r.move(0)
					r.set(1, handover.Plan{})
					lost := r.dial(vip, 5)
					r.expect(first, lost)
					r.move(1)
					if n := broken(lost); n != 5 {
						t.Fatalf("%v: %d of 5 connections are reset by a move without the table: the rig does not show what it is to", vip, n)
					}

					r.move(0)
					kept := r.dial(vip, 20)
					r.expect(first, kept)
					r.set(1, pass(0, 1))
					r.move(1)
					r.expect(first, kept)
					r.expect(second, r.dial(vip, 5))
					r.expect(first, kept)
				}
			})
		}
	}
}

// A node that holds the address for the third time in a row passes what it does not know to the second, and that to the first.
func TestRelay_AnAddressMovesTwice(t *testing.T) {
	r := newRig(t, 3, modeNFTables, false)
	for _, vip := range []netip.Addr{vip4, vip6} {
		r.move(0)
		first := r.dial(vip, 3)
		r.set(1, pass(0, 1))
		r.move(1)
		second := r.dial(vip, 3)
		r.set(2, pass(1, 2))
		r.move(2)
		third := r.dial(vip, 3)
		r.expect("pod1", first)
		r.expect("pod2", second)
		r.expect("pod3", third)
	}
}

// Three nodes pass on to each other. Wherever a packet comes in, it finds the node that knows the connection; one that nobody knows
// ends at the last, with a reset.
func TestRelay_PacketsGoRound(t *testing.T) {
	r := newRig(t, 3, modeNFTables, false)
	for i := range r.nodes {
		r.set(i, pass((i+1)%3, 2))
	}
	for _, vip := range []netip.Addr{vip4, vip6} {
		var talks [3][]*talk
		for i := range r.nodes {
			r.move(i)
			talks[i] = r.dial(vip, 3)
		}
		for to := range r.nodes {
			r.move(to)
			for i, of := range talks {
				r.expect(r.nodes[i].name, of)
			}
		}
		for _, of := range talks {
			for _, talk := range of {
				_ = talk.Close()
			}
		}
	}
	netnstest.Eventually(t, "the others have ended, and their last packets are not counted", func() error {
		for i, n := range r.nodes {
			if open := r.entriesAt(i, func(c *connection) bool { return !c.ended() }); open > 0 {
				return fmt.Errorf("%s has %d", n.name, open)
			}
		}
		return nil
	})

	lost := r.dial(vip4, 1)
	for _, n := range r.nodes {
		sh(t, n.ns, "conntrack -D -p tcp 2>/dev/null || true")
	}
	before := r.passed()
	if broken(lost) != 1 {
		t.Error("a connection that no node knows is not reset")
	}
	if after := r.passed(); after-before != 2 {
		t.Errorf("a packet that nobody knows was passed on %d times, not twice", after-before)
	}
}

// Whatever the nodes believe: two that pass everything to each other do so only as often as the plan says.
func TestRelay_NoPacketGoesRoundForEver(t *testing.T) {
	r := newRig(t, 2, modeNFTables, false)
	lost := r.dial(vip4, 1)
	r.set(0, pass(1, handover.MaxMembers-1))
	r.set(1, pass(0, 3))
	for _, n := range r.nodes {
		sh(t, n.ns, "conntrack -D -p tcp 2>/dev/null || true")
	}
	before := r.passed()
	_ = broken(lost)
	// The first node lets a packet have all its hops; the second then takes it as it is, or lowers it to its own.
	if passed := r.passed() - before; passed < 2 || passed > handover.MaxMembers-1 {
		t.Errorf("a packet was passed on %d times", passed)
	}
}

// The first thing that a client says after the move may be that it closes: the server must learn of it.
func TestRelay_TheEndOfAConnectionIsPassedOn(t *testing.T) {
	r := newRig(t, 2, modeNFTables, false)
	for _, vip := range []netip.Addr{vip4, vip6} {
		r.move(0)
		talks := r.dial(vip, 4)
		r.expect("pod1", talks)
		r.set(1, pass(0, 1))
		r.move(1)
		for i, c := range talks {
			if i%2 == 0 {
				_ = c.Conn.(*net.TCPConn).SetLinger(0) // a reset
			}
			_ = c.Close()
		}
		netnstest.Eventually(t, "the pod has no connection left", func() error {
			if open := r.nodes[0].pod.Run(t, "ss", "-Htn", "state", "established"); open != "" {
				return errors.New(open)
			}
			return nil
		})
	}
}

// What the network card or a virtual link has joined to packets of up to 64 KiB is passed on as well.
func TestRelay_AnUploadIsPassedOn(t *testing.T) {
	r := newRig(t, 2, modeNFTables, false)
	var conn net.Conn
	to := discard(t, r.nodes[0])
	r.client.Do(t, func() {
		var err error
		if conn, err = net.Dial("tcp", to.String()); err != nil {
			t.Fatal(err)
		}
	})
	defer conn.Close()
	r.set(1, pass(0, 1))
	r.move(1)
	_ = conn.SetDeadline(time.Now().Add(10 * time.Second))
	if err := upload(conn, 16); err != nil {
		t.Fatal(err)
	}
}

// What goes on by the kernel alone: while the speaker restarts, until the lease ends.
func TestRelay_GoesOnWhileTheSpeakerRestarts(t *testing.T) {
	r := newRig(t, 2, modeNFTables, false)
	plan := pass(0, 3)
	plan.Counted = counted(netip.MustParseAddr("192.0.2.201"), netip.MustParseAddr("2001:db8::201"))
	talks := append(r.dial(vip4, 3), r.dial(vip6, 3)...)
	r.set(1, plan)
	r.move(1)
	r.nodes[1].relay = New(Config{})
	r.expect("pod1", talks)
	r.nodes[1].ns.Do(t, func() {
		kept, err := r.nodes[1].relay.Kept()
		if diff := cmp.Diff(plan, kept, samePlan); diff != "" || err != nil {
			t.Errorf("kept (-set +read), %v:\n%s", err, diff)
		}
	})
	r.set(1, handover.Plan{Counted: plan.Counted})
	if n := broken(talks); n != len(talks) {
		t.Errorf("%d of %d connections are reset when nothing is passed on any more", n, len(talks))
	}

	short := New(Config{})
	short.lease = time.Second
	r.nodes[1].relay = short
	r.set(1, plan)
	netnstest.Eventually(t, "the lease of a speaker that is gone ends", func() (err error) {
		r.nodes[1].ns.Do(t, func() {
			for _, table := range short.tables {
				entries, readErr := table.read()
				if slices.ContainsFunc(entries, func(e entry) bool { return e.next.IsValid() }) || readErr != nil {
					err = fmt.Errorf("%+v, %w", entries, readErr)
				}
			}
		})
		return err
	})
	// What it counted is remembered for as long as the plan said, however long the speaker is away.
	r.nodes[1].ns.Do(t, func() {
		kept, err := New(Config{}).Kept()
		if diff := cmp.Diff(handover.Plan{Counted: plan.Counted}, kept, samePlan); diff != "" || err != nil {
			t.Errorf("kept after the lease (-set +read), %v:\n%s", err, diff)
		}
	})
}

// A speaker that runs renews what it wrote, and counts.
func TestRelay_RenewsAndCounts(t *testing.T) {
	r := newRig(t, 1, modeNFTables, false)
	n := r.nodes[0]
	n.relay.lease = 30 * time.Second // renewed every 5 s
	r.dial(vip4, 2)
	r.start(0)
	plan := pass(1, 1)
	plan.Counted = counted(vip4)
	r.set(0, plan)
	for left := 0; left != 2; left = n.relay.Left()[vip4] { // A wake may be for something else.
		select {
		case <-n.relay.Changes():
		case <-time.After(20 * time.Second):
			t.Fatalf("%d connections are counted, of 2", left)
		}
	}

	expires := func() (d time.Duration) {
		n.ns.Do(t, func() {
			c, err := nftables.New()
			if err != nil {
				t.Fatal(err)
			}
			elements, err := c.GetSetElements(&nftables.Set{Name: mapNext, IsMap: true, Table: n.relay.tables[0].kernel()})
			if err != nil || len(elements) != 1 {
				t.Fatalf("%v, %v", elements, err)
			}
			d = elements[0].Expires
		})
		return d
	}
	last := expires()
	netnstest.Eventually(t, "the lease is renewed", func() error {
		now := expires()
		defer func() { last = now }()
		if now <= last {
			return fmt.Errorf("it expires in %v", now)
		}
		return nil
	})
}

// Rules of others stay as they are, and those of this package go without a trace.
func TestRelay_TouchesNothingOfOthers(t *testing.T) {
	r := newRig(t, 1, modeNFTables, false)
	n := r.nodes[0]
	sh(t, n.ns, `nft 'table inet daymark { set next { type ipv4_addr; elements = { 192.0.2.1 }; }; }'`, "ip rule add fwmark 0x10 lookup 100")
	look := func() string {
		return n.ns.Run(t, "sh", "-c", "nft list ruleset; ip rule; ip route show table all; sysctl -a 2>/dev/null | grep -E 'net.ipv4.conf.*(redirects|rp_filter)'")
	}
	before := look()
	n.ns.Do(t, func() { netnstest.Address(t, "eth0", netip.MustParsePrefix("198.51.100.1/24")) })
	withAddress := look()
	plan := handover.Plan{Passages: []handover.Passage{{Addr: vip4, Via: netip.MustParseAddr("192.0.2.50"), Hops: 1}}, Counted: counted(vip6)}
	r.set(0, plan)
	if look() == withAddress {
		t.Fatal("nothing was written")
	}
	r.set(0, handover.Plan{})
	sh(t, n.ns, "ip addr del 198.51.100.1/24 dev eth0")
	if diff := cmp.Diff(before, look()); diff != "" {
		t.Errorf("after an empty plan (-before +after):\n%s", diff)
	}
}

// Whatever others did to the table, the renewal mends it.
func TestRelay_MendsItsTable(t *testing.T) {
	r := newRig(t, 2, modeNFTables, false)
	r.set(1, pass(0, 1))
	n := r.nodes[1]
	want := n.ns.Run(t, "nft", "-s", "list", "table", "ip", "daymark")
	for _, harm := range []string{
		"nft delete table ip daymark", "nft flush table ip daymark", "nft flush chain ip daymark pass", "nft flush map ip daymark next",
		"nft flush ruleset; nft add table ip kube-proxy; nft add chain ip kube-proxy any",
		`nft "replace rule ip daymark hops1 ` + lastRule + ` drop"`, "nft 'chain ip daymark prerouting { policy drop; }'",
		"nft 'add table ip daymark { flags dormant; }'",
	} {
		sh(t, n.ns, harm)
		n.ns.Do(t, n.relay.renew)
		if diff := cmp.Diff(leaseless(want), leaseless(n.ns.Run(t, "nft", "-s", "list", "table", "ip", "daymark"))); diff != "" {
			t.Errorf("after %q and a renewal (-want +got):\n%s", harm, diff)
		}
	}
}

// leaseless is a listing without the times until elements expire.
func leaseless(listing string) string {
	return regexp.MustCompile(` expires \S+`).ReplaceAllString(listing, "")
}

// Any plans in any order: after each the kernel has what was asked.
func TestRelay_SetIsTheWholeState(t *testing.T) {
	r := newRig(t, 3, modeNFTables, false)
	n := r.nodes[0]
	rapid.Check(t, func(rt *rapid.T) {
		plan := handover.Plan{}
		for _, i := range rapid.SliceOfDistinct(rapid.IntRange(1, 40), rapid.ID[int]).Draw(rt, "addresses") {
			addr, via := netip.MustParseAddr(fmt.Sprintf("192.0.2.%d", 200+i)), nodeAddr(1+i%2)
			if i%3 == 0 {
				addr, via = netip.MustParseAddr(fmt.Sprintf("2001:db8::%d", 200+i)), nodeAddr6(1+i%2)
			}
			if i%5 != 0 {
				plan.Passages = append(plan.Passages, handover.Passage{Addr: addr, Via: via, Hops: 1 + i%7})
			}
			if i%2 == 0 {
				plan.Counted = append(plan.Counted, counted(addr)...)
			}
		}
		slices.SortFunc(plan.Passages, func(a, b handover.Passage) int { return a.Addr.Compare(b.Addr) })
		slices.SortFunc(plan.Counted, func(a, b handover.Counted) int { return a.Addr.Compare(b.Addr) })
		n.ns.Do(t, func() {
			if err := n.relay.Set(t.Context(), plan); err != nil {
				rt.Fatal(err)
			}
			kept, err := n.relay.Kept()
			if diff := cmp.Diff(plan, kept, samePlan); diff != "" || err != nil {
				rt.Fatalf("the kernel has (-asked +has), %v:\n%s", err, diff)
			}
		})
	})
}

// Some thousand addresses fit, though a message of netlink has a bound.
func TestRelay_ManyAddresses(t *testing.T) {
	r := newRig(t, 2, modeNFTables, false)
	var plan handover.Plan
	addr := netip.MustParseAddr("198.19.0.0")
	for range 10_000 {
		plan.Passages = append(plan.Passages, handover.Passage{Addr: addr, Via: nodeAddr(0), Hops: 1})
		addr = addr.Next()
	}
	begin := time.Now()
	r.set(1, plan)
	t.Logf("10,000 addresses are written in %v", time.Since(begin))
	r.nodes[1].ns.Do(t, func() {
		if kept, err := r.nodes[1].relay.Kept(); len(kept.Passages) != len(plan.Passages) {
			t.Errorf("the kernel has %d of %d, %v", len(kept.Passages), len(plan.Passages), err)
		}
	})
}

// No redirect of ICMP tells clients or routers about the other node, though the packet leaves by the link that it came by.
func TestRelay_SendsNoRedirects(t *testing.T) {
	r := newRig(t, 2, modeNFTables, false)
	sh(t, r.nodes[1].ns, "sysctl -qw net.ipv4.conf.all.send_redirects=1 net.ipv4.conf.eth0.send_redirects=1")
	sh(t, r.client, `nft 'table inet seen { counter redirects { }
		chain in { type filter hook input priority 0; icmp type redirect counter name redirects; icmpv6 type nd-redirect counter name redirects; }; }'`)
	talks := append(r.dial(vip4, 5), r.dial(vip6, 5)...)
	r.set(1, pass(0, 1))
	r.move(1)
	r.expect("pod1", talks)
	if seen := r.client.Run(t, "nft", "list", "counter", "inet", "seen", "redirects"); !strings.Contains(seen, "packets 0 ") {
		t.Errorf("redirects have been sent: %s", seen)
	}
}

func TestRelay_PassesNothingThatDidNotMove(t *testing.T) {
	r := newRig(t, 2, modeNFTables, false)
	r.set(1, handover.Plan{Passages: []handover.Passage{{Addr: netip.MustParseAddr("192.0.2.201"), Via: nodeAddr(0), Hops: 1}}})
	lost := r.dial(vip4, 3)
	r.move(1)
	if n := broken(lost); n != 3 {
		t.Errorf("%d of 3 connections are reset", n)
	}
	if passed, _ := r.counters(1); passed != 0 {
		t.Errorf("%d packets have been passed on", passed)
	}
}

// passed is how many packets all nodes have passed on.
func (r *rig) passed() (sum uint64) {
	for i := range r.nodes {
		passed, _ := r.counters(i)
		sum += passed
	}
	return sum
}

// counters are those of a node.
func (r *rig) counters(node int) (passed, limited uint64) {
	n := r.nodes[node]
	n.ns.Do(r.t, func() {
		for _, t := range n.relay.tables {
			p, l := t.counters()
			passed, limited = passed+p, limited+l
		}
	})
	return passed, limited
}

// What belongs to no connection of a node that the address moved away from is translated by nobody: the node does not route it, which
// would be back to the segment.
func TestRelay_SendsNothingBackToTheSegment(t *testing.T) {
	r := newRig(t, 1, modeNFTables, false)
	n := r.nodes[0]
	sh(t, n.ns, `nft 'table ip seen { counter routed { }; counter came { }
		chain in { type filter hook prerouting priority -300; ip daddr 192.0.2.200 counter name came; }
		chain out { type filter hook forward priority -10; ip daddr 192.0.2.200 counter name routed; }; }'`)
	const fin = 0x11
	send := func(count string) {
		t.Helper()
		r.client.Do(t, func() { forge(t, netip.MustParseAddr(client4), vip4, 1, fin) })
		netnstest.Eventually(t, "the packet has come", func() error {
			if seen := n.ns.Run(t, "nft", "list", "counter", "ip", "seen", "came"); !strings.Contains(seen, "packets "+count+" ") {
				return errors.New(seen)
			}
			return nil
		})
	}
	routed := func() bool {
		return !strings.Contains(n.ns.Run(t, "nft", "list", "counter", "ip", "seen", "routed"), "packets 0 ")
	}
	r.set(0, handover.Plan{Counted: counted(vip4)})
	if send("1"); routed() {
		t.Error("the packet was routed")
	}
	r.set(0, handover.Plan{})
	if send("2"); !routed() {
		t.Error("the packet is not routed without the table either: the test shows nothing")
	}
}
