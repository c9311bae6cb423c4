package connections

import (
	"strings"
	"testing"
	"time"

	"github.com/google/nftables"
	"golang.org/x/sys/unix"

	"github.com/daymark-lb/daymark/internal/core/handover"
	"github.com/daymark-lb/daymark/internal/core/lb"
)

// Who plans a move reads before it whether connections will break. So it is said while nothing is to be passed on, and before the first plan.
func TestUnable_SaysWhyWhileNothingMoves(t *testing.T) {
	r := newRig(t, 1, modeNFTables, false)
	n := r.nodes[0]
	if n.relay.Sure() {
		t.Error("it is sure before it has looked")
	}
	for _, step := range []struct {
		name, do, want string
		grace          time.Duration
	}{
		{"all is well", "true", "", time.Minute},
		{"strict connection tracking", "sysctl -qw net.netfilter.nf_conntrack_tcp_loose=0", "nf_conntrack_tcp_loose is 0", time.Minute},
		{"it is mended", "sysctl -qw net.netfilter.nf_conntrack_tcp_loose=1", "", time.Minute},
		{"the rules of kube-proxy are away for a moment", "nft flush ruleset", "", time.Minute},
		{"they stay away", "true", "no rules of kube-proxy are found", 0},
		{"it is known and must not be forgotten in the next minute", "true", "no rules of kube-proxy are found", time.Minute},
		{"they come", "nft add table ip kube-proxy", "", time.Minute},
	} {
		sh(t, n.ns, step.do)
		n.relay.grace = step.grace
		n.ns.Do(t, n.relay.renew)
		if why := n.relay.Unable(); !strings.Contains(why, step.want) || (why == "") != (step.want == "") {
			t.Errorf("%s, before the first plan: unable because %q", step.name, why)
		}
		if sure := n.relay.Sure(); sure != (step.name != "the rules of kube-proxy are away for a moment") {
			t.Errorf("%s, before the first plan: sure %t", step.name, sure)
		}
		n.ns.Do(t, func() {
			other := New(Config{})
			other.grace, other.unable, other.doubt = step.grace, n.relay.unable, n.relay.doubt
			if err := other.Set(t.Context(), handover.Plan{}); err != nil {
				t.Error(err)
			}
			if why := other.Unable(); !strings.Contains(why, step.want) || (why == "") != (step.want == "") {
				t.Errorf("%s, with an empty plan: unable because %q", step.name, why)
			}
		})
	}
}

// What the kernel lacks shows when it is to pass something on, and is as true when there is nothing more to pass on. It is tried again, for a
// module may have been loaded meanwhile; of the other family packets are passed on all the time.
func TestUnable_RemembersWhatTheKernelLacks(t *testing.T) {
	r := newRig(t, 1, modeNFTables, false)
	n := r.nodes[0]
	expect := func(when, want string, only lb.Family) {
		t.Helper()
		if why := n.relay.Unable(); !strings.Contains(why, want) || (why == "") != (want == "") || n.relay.Only() != only {
			t.Errorf("%s: unable because %q, only of %d", when, why, n.relay.Only())
		}
	}
	set := func(plan handover.Plan) {
		t.Helper()
		n.ns.Do(t, func() {
			if err := n.relay.Set(t.Context(), plan); err != nil {
				t.Error(err)
			}
		})
	}
	const lacks = "table ip6 daymark: the kernel lacks a part"
	for _, idle := range []handover.Plan{{}, {Passages: pass(1, 1).Passages[:1]}} { // nothing, or of IPv4 alone
		refuses := failing(unix.ENOENT, 2)
		n.relay.tables[1].commit = func(c *nftables.Conn) error { return refuses(c) }
		set(pass(1, 1))
		expect("it is to pass on", lacks, lb.IPv4)
		set(idle)
		expect("there is nothing more of IPv6", lacks, lb.IPv4)
		refuses = failing(unix.ENOENT, 2)
		n.ns.Do(t, n.relay.renew)
		expect("it is tried again", lacks, lb.IPv4)
		n.ns.Do(t, n.relay.renew)
		expect("the module is there", "", 0)
		if tables := n.ns.Run(t, "nft", "list", "tables"); strings.Contains(tables, "ip6 daymark") {
			t.Errorf("a table is left:\n%s", tables)
		}
	}
	n.relay.tables[0].commit, n.relay.tables[1].commit = failing(unix.ENOENT, 4), failing(unix.ENOENT, 2) // It changes the one, or makes it anew.
	set(pass(1, 2))
	expect("neither", "table ip daymark: the kernel lacks a part", 0)
}
