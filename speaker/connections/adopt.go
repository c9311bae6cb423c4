package connections

import (
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/google/nftables"
)

// errOtherwise: the kernel's table is not made as this program makes it.
var errOtherwise = errors.New("the table is made in another way")

// adopt takes over the table that the kernel has, of an earlier process or changed by somebody: its rules are written anew in one
// transaction, and its addresses stay as they are, so that there is no moment without them, however many there are. It fails where there is
// no table, or one that is made in another way.
func (t *table) adopt(rate uint64) error {
	if err := t.alike(); err != nil {
		return fmt.Errorf("look at the table %s: %w", t.family, err)
	}
	entries, err := t.read()
	if err != nil {
		return err
	}
	err = t.flush(func(c *nftables.Conn) error {
		for _, name := range t.chainNames() {
			c.FlushChain(&nftables.Chain{Name: name, Table: t.kernel()})
		}
		t.addRules(c, t.kernel(), rate)
		return nil
	})
	if err != nil {
		return fmt.Errorf("write the rules of the table %s: %w", t.family, err)
	}
	t.absent, t.last = false, entries
	return nil
}

// alike returns an error unless the kernel's table has the sets and chains of this program and no others, by their names: what is made in
// another way is to have another name.
func (t *table) alike() error {
	c, err := nftables.New()
	if err != nil {
		return fmt.Errorf("open a socket to nftables: %w", err)
	}
	if !t.awake(c) {
		return fmt.Errorf("%w: there is none, or its rules see no packets", errOtherwise)
	}
	sets, err := c.GetSets(t.kernel())
	if err != nil {
		return fmt.Errorf("list its sets: %w", err)
	}
	chains, err := c.ListChainsOfTableFamily(t.nft)
	if err != nil {
		return fmt.Errorf("list its chains: %w", err)
	}
	has, wants := map[string]bool{}, map[string]bool{"set " + setRates: true}
	for _, s := range sets {
		has["set "+s.Name] = true
	}
	for _, chain := range chains {
		if chain.Table.Name == tableName {
			has["chain "+chain.Name] = chain.Name != chainBase || isBase(chain)
		}
	}
	for _, s := range t.sets(t.kernel()) {
		wants["set "+s.Name] = true
	}
	for _, name := range t.chainNames() {
		wants["chain "+name] = true
	}
	if !maps.Equal(has, wants) {
		return fmt.Errorf("%w: it has %v", errOtherwise, slices.Sorted(maps.Keys(has)))
	}
	return nil
}

// isBase reports whether packets come by a chain where they are to, and go on behind it.
func isBase(chain *nftables.Chain) bool {
	return chain.Type == nftables.ChainTypeFilter && is(chain.Hooknum, *nftables.ChainHookPrerouting) && is(chain.Priority, beforeProxy) &&
		is(chain.Policy, nftables.ChainPolicyAccept)
}

func is[T comparable](value *T, wanted T) bool { return value != nil && *value == wanted }
