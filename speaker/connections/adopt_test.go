package connections

import (
	"errors"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/google/nftables"
	"github.com/google/nftables/expr"
)

// manyEntries are more than a transaction takes.
func manyEntries() []entry {
	list := make([]entry, 2*batchSize+1)
	for i := range list {
		addr := netip.AddrFrom4([4]byte{198, 18, byte(i >> 8), byte(i)})
		list[i] = entry{addr: addr, next: netip.MustParseAddr("192.0.2.12"), hops: 1}
	}
	return list
}

// Packets of open connections come at any moment. So whatever is written anew, each address is there after each transaction, with the rules.
func TestTable_WhatIsThereStays(t *testing.T) {
	change := func(t *testing.T, do func(c *nftables.Conn, k *nftables.Table)) {
		t.Helper()
		c, err := nftables.New()
		if err != nil {
			t.Fatal(err)
		}
		do(c, newTable(ipv4).kernel())
		if err := c.Flush(); err != nil {
			t.Fatal(err)
		}
	}
	for _, test := range []struct {
		name   string
		change func(c *nftables.Conn, k *nftables.Table)
		// restarts: another process takes the table over.
		restarts bool
	}{
		{"a speaker restarts", nil, true},
		{"a speaker restarts, and the one before had other rules", func(c *nftables.Conn, k *nftables.Table) {
			c.AddRule(&nftables.Rule{Table: k, Chain: &nftables.Chain{Name: chainPass, Table: k}, Exprs: verdict(expr.VerdictDrop)})
		}, true},
		{"somebody takes rules away", func(c *nftables.Conn, k *nftables.Table) {
			c.FlushChain(&nftables.Chain{Name: chainPass, Table: k})
		}, false},
		{"nothing has changed, and the time is renewed", nil, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			list, tab := manyEntries(), newTable(ipv4)
			if err := tab.set(list, DefaultRate, lease, false); err != nil {
				t.Fatal(err)
			}
			defer func() { _ = newTable(ipv4).remove() }()
			if test.change != nil {
				change(t, test.change)
			}
			if test.restarts {
				tab = newTable(ipv4)
			}
			transactions := 0
			tab.commit = func(c *nftables.Conn) error {
				err := c.Flush()
				transactions++
				if kept, failed := newTable(ipv4).read(); failed != nil || !slices.Equal(kept, list) || !tab.intact() {
					t.Errorf("after transaction %d (%v) the kernel has %d of %d addresses (%v), rules as written: %t",
						transactions, err, len(kept), len(list), failed, tab.intact())
				}
				return err
			}
			if err := tab.set(list, DefaultRate, lease, true); err != nil || !tab.written || transactions < 3 {
				t.Errorf("%v after %d transactions, written: %t", err, transactions, tab.written)
			}
		})
	}
}

// Of a table that somebody made in another way nothing stays.
func TestTable_IsReplacedIfItIsMadeOtherwise(t *testing.T) {
	prerouting, policy := nftables.ChainHookPrerouting, nftables.ChainPolicyAccept
	for name, add := range map[string]func(c *nftables.Conn, k *nftables.Table){
		"a chain": func(c *nftables.Conn, k *nftables.Table) {
			c.AddChain(&nftables.Chain{
				Name: "foreign", Table: k, Type: nftables.ChainTypeFilter, Hooknum: prerouting, Priority: nftables.ChainPriorityRaw, Policy: &policy,
			})
		},
		"a set": func(c *nftables.Conn, k *nftables.Table) {
			_ = c.AddSet(&nftables.Set{Table: k, Name: "foreign", KeyType: nftables.TypeIPAddr}, nil)
		},
		"another way to it": func(c *nftables.Conn, k *nftables.Table) {
			c.DelTable(k)
			c.AddTable(k)
			_ = newTable(ipv4).addAll(c, k, DefaultRate)
			base := &nftables.Chain{Name: chainBase, Table: k}
			c.FlushChain(base)
			c.DelChain(base)
			c.AddChain(&nftables.Chain{
				Name: chainBase, Table: k, Type: nftables.ChainTypeFilter, Hooknum: prerouting, Priority: nftables.ChainPriorityRaw, Policy: &policy,
			})
		},
		"a policy that drops": func(c *nftables.Conn, k *nftables.Table) {
			drop := nftables.ChainPolicyDrop
			c.AddChain(&nftables.Chain{
				Name: chainBase, Table: k, Type: nftables.ChainTypeFilter, Hooknum: prerouting, Priority: nftables.ChainPriorityRef(beforeProxy), Policy: &drop,
			})
		},
	} {
		t.Run(name, func(t *testing.T) {
			list := manyEntries()[:3]
			before, tab := newTable(ipv4), newTable(ipv4)
			if err := before.set(list, DefaultRate, lease, false); err != nil {
				t.Fatal(err)
			}
			defer func() { _ = tab.remove() }()
			c, err := nftables.New()
			if err != nil {
				t.Fatal(err)
			}
			add(c, before.kernel())
			if err := c.Flush(); err != nil {
				t.Fatal(err)
			}
			if err := tab.alike(); !errors.Is(err, errOtherwise) {
				t.Errorf("it is taken for ours: %v", err)
			}
			if err := tab.set(list, DefaultRate, lease, false); err != nil {
				t.Fatal(err)
			}
			if err := tab.alike(); err != nil {
				t.Errorf("after it is written: %v", err)
			}
			if kept, err := newTable(ipv4).read(); err != nil || !slices.Equal(kept, list) {
				t.Errorf("the kernel has %v, %v", kept, err)
			}
		})
	}
}

// A process that takes over a table removes from it what it does not want.
func TestTable_WhatAnEarlierProcessWantedGoes(t *testing.T) {
	list, tab := manyEntries(), newTable(ipv4)
	list[0].moved, list[0].until = true, time.Now().Add(time.Hour)
	if err := newTable(ipv4).set(list, DefaultRate, lease, false); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = tab.remove() }()
	want := slices.Clone(list[batchSize:])
	want[0].next, want[1].hops = netip.MustParseAddr("192.0.2.13"), 2
	if err := tab.set(want, DefaultRate, lease, false); err != nil {
		t.Fatal(err)
	}
	if kept, err := newTable(ipv4).read(); err != nil || !slices.Equal(kept, want) {
		t.Errorf("the kernel has %d addresses, want %d (%v)", len(kept), len(want), err)
	}
}

// The kernel leaves some elements of a set out when it makes room for more of them meanwhile.
func TestTable_WhatTheKernelLeavesOutOnceGoesAsWell(t *testing.T) {
	list := manyEntries()
	if err := newTable(ipv4).set(list, DefaultRate, lease, false); err != nil {
		t.Fatal(err)
	}
	for _, set := range []string{mapNext, mapHops} {
		t.Run(set, func(t *testing.T) {
			tab, left := newTable(ipv4), false
			tab.dump = func(c *nftables.Conn, s *nftables.Set) ([]nftables.SetElement, error) {
				elements, err := c.GetSetElements(s)
				if s.Name == set && !left {
					left = true
					elements = elements[35:]
				}
				return elements, err
			}
			kept, err := tab.read()
			if err != nil || !left || !slices.Equal(kept, list) {
				t.Errorf("read are %d addresses, want %d (%v)", len(kept), len(list), err)
			}
		})
	}
	if err := newTable(ipv4).remove(); err != nil {
		t.Error(err)
	}
}
