package connections

import (
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/daymark-lb/daymark/internal/core/handover"
)

// Who plans a move reads before it whether connections will break. So it is said while nothing is to be passed on, and before the first plan.
func TestUnable_SaysWhyWhileNothingMoves(t *testing.T) {
	r := newRig(t, 1, modeNFTables, false)
	n := r.nodes[0]
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

// What the kernel lacks shows when it is to pass something on, and is as true when there is nothing more to pass on.
func TestUnable_RemembersWhatTheKernelLacks(t *testing.T) {
	r := newRig(t, 1, modeNFTables, false)
	n := r.nodes[0]
	n.relay.tables[1].commit = failing(unix.ENOENT, 2)
	n.ns.Do(t, func() {
		for _, plan := range []handover.Plan{pass(1, 1), {}} {
			if err := n.relay.Set(t.Context(), plan); err != nil {
				t.Error(err)
			}
			if why := n.relay.Unable(); !strings.Contains(why, "the kernel lacks a part") {
				t.Errorf("with %d passages: unable because %q", len(plan.Passages), why)
			}
		}
	})
}
