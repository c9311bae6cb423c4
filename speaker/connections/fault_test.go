package connections

import (
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/nftables"
	"golang.org/x/sys/unix"

	"github.com/daymark-lb/daymark/internal/core/handover"
)

// The node that is asked last has no endpoint any more, so its service proxy drops what it does not know. Clients of connections that
// nobody has learn of it nevertheless, those whose connection is there are served.
func TestRelay_WhatNobodyKnowsIsReset(t *testing.T) {
	for _, unresetting := range []bool{false, true} {
		r := newRig(t, 2, modeNFTables, false)
		former := r.nodes[0]
		if unresetting {
			for _, table := range former.relay.tables {
				table.commit = failing(unix.EOPNOTSUPP, 1)
			}
		}
		kept := append(r.dial(vip4, 2), r.dial(vip6, 2)...)
		lost := slices.Concat(r.dial(vip4, 1), r.dial(vip6, 1), r.dial(vip4, 1), r.dial(vip6, 1))
		r.set(0, handover.Plan{Counted: counted(vip4, vip6)})
		r.set(1, pass(0, 1))
		for _, c := range lost {
			sh(t, former.ns, "conntrack -D -p tcp --orig-port-src "+portOf(c)+" -f "+familyOf(c)+" 2>/dev/null")
		}
		for _, f := range []struct{ nft, vip string }{{"ip", vip4.String()}, {"ip6", vip6.String()}} {
			sh(t, former.ns, "nft 'flush chain "+f.nft+" kube-proxy nat-prerouting; add rule "+f.nft+" kube-proxy filter-forward "+f.nft+" daddr "+f.vip+" drop'")
		}
		if unresetting { // A kernel before 5.9.
			r.move(1)
			r.expect("pod1", kept)
			if rules := former.ns.Run(t, "nft", "list", "ruleset"); !strings.Contains(rules, "@moved drop") || strings.Contains(rules, "reject") {
				t.Errorf("the rules are not those that the kernel can have:\n%s", rules)
			}
			continue
		}
		// By the other node, and by the client's old entry of ARP.
		for to, half := range [][]*talk{lost[2:], lost[:2]} {
			r.move(to)
			r.expect("pod1", kept)
			if n := broken(half); n != len(half) {
				t.Errorf("by node %d, %d of %d connections that nobody knows are reset", to, n, len(half))
			}
		}
	}
}

// failing is a way to the kernel on which some transactions fail first.
func failing(err error, count int) func(*nftables.Conn) error {
	return func(c *nftables.Conn) error {
		if count--; count >= 0 {
			return err
		}
		return c.Flush()
	}
}

func portOf(c *talk) string {
	_, port, _ := strings.Cut(netip.MustParseAddrPort(c.LocalAddr().String()).String(), "]:")
	if port == "" {
		_, port, _ = strings.Cut(c.LocalAddr().String(), ":")
	}
	return port
}

func familyOf(c *talk) string {
	if netip.MustParseAddrPort(c.LocalAddr().String()).Addr().Is4() {
		return "ipv4"
	}
	return "ipv6"
}

// What fails for a moment takes nothing from the kernel.
func TestRelay_AFaultOfAMoment(t *testing.T) {
	r := newRig(t, 3, modeNFTables, false)
	n := r.nodes[1]
	talks := append(r.dial(vip4, 2), r.dial(vip6, 2)...)
	plan := pass(0, 1)
	r.set(1, plan)
	r.move(1)

	n.relay.tables[0].commit = failing(unix.ENOBUFS, 5)
	n.ns.Do(t, n.relay.renew)
	r.expect("pod1", talks)
	n.ns.Do(t, func() {
		if err := n.relay.Set(t.Context(), pass(2, 1)); err == nil {
			t.Error("a plan that the kernel has not taken is no error")
		}
	})
	r.expect("pod1", talks[:2]) // as before
	n.relay.tables[0].commit = (*nftables.Conn).Flush
	r.set(1, plan)
	r.expect("pod1", talks)
	if n.relay.failed {
		t.Error("it is still tried again")
	}

	sh(t, n.ns, "nft delete table ip kube-proxy; nft delete table ip6 kube-proxy")
	n.ns.Do(t, n.relay.renew)
	r.expect("pod1", talks)
	if n.relay.doubt.IsZero() {
		t.Error("nobody looks again")
	}
	n.proxy(t, modeNFTables, 1, false)
	n.ns.Do(t, n.relay.retry)
	r.expect("pod1", talks)
	if why := n.relay.Unable(); why != "" || !n.relay.doubt.IsZero() {
		t.Errorf("unable because %q, in doubt since %v", why, n.relay.doubt)
	}
}

// What a family cannot, and what takes too long, is said and is no error of the pass. The other family works.
func TestRelay_AFaultThatStays(t *testing.T) {
	for name, row := range map[string]struct {
		err   error
		times int
		grace time.Duration
		says  string
	}{
		"the kernel lacks a part": {unix.ENOENT, 4, time.Minute, "table ip6 daymark: the kernel lacks a part of nf_tables"},
		"it takes too long":       {unix.ENOBUFS, 3, 0, "table ip6 daymark: the kernel refuses the rules"},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, 2, modeNFTables, false)
			n := r.nodes[1]
			n.relay.grace = row.grace
			r.set(1, pass(0, 1))
			// The table itself can be removed.
			n.relay.tables[1].commit = failing(row.err, row.times)
			talks := r.dial(vip4, 2)
			r.move(1)
			n.ns.Do(t, func() {
				if err := n.relay.Set(t.Context(), pass(0, 2)); err != nil {
					t.Errorf("the pass fails: %v", err)
				}
			})
			if why := n.relay.Unable(); !strings.Contains(why, row.says) {
				t.Errorf("unable because %q", why)
			}
			r.expect("pod1", talks)
			if n.relay.failed {
				t.Error("it is tried again each second, and not when the rest is renewed")
			}
			if tables := n.ns.Run(t, "nft", "list", "tables"); strings.Contains(tables, "ip6 daymark") || !strings.Contains(tables, "ip daymark") {
				t.Errorf("the tables are\n%s", tables)
			}
		})
	}
}
