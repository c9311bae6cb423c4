package connections

import (
	"bytes"
	"fmt"

	"github.com/google/nftables"
	"github.com/google/nftables/userdata"
)

// markType is the type of what a rule of this program carries. The programs of nftables know the types 0 and 1, and pass over others.
const markType userdata.Type = 0x64

// mark is what the rule at a place of a chain carries, and none that another program puts there instead.
func mark(chain string, place int) []byte {
	return userdata.Append(nil, markType, fmt.Appendf(nil, "%s %d", chain, place))
}

// intact reports whether the rules in the kernel are those that were written, and see packets. Another program may have flushed or replaced
// them, have put its own between, made packets be dropped that no rule decides on, or put the table to sleep.
func (t *table) intact() bool {
	c, err := nftables.New()
	if err != nil {
		return false
	}
	if !t.awake(c) {
		return false
	}
	if base, err := c.ListChain(t.kernel(), chainBase); err != nil || !isBase(base) {
		return false
	}
	for _, name := range t.chainNames() {
		list, err := c.GetRules(t.kernel(), &nftables.Chain{Name: name, Table: t.kernel()})
		if err != nil || len(list) != len(t.rules(name, DefaultRate)) {
			return false
		}
		for place, rule := range list {
			if !bytes.Equal(rule.UserData, mark(name, place)) {
				return false
			}
		}
	}
	return true
}

// awake reports whether the kernel has the table and its rules see packets: one that is dormant has rules that do nothing.
func (t *table) awake(c *nftables.Conn) bool {
	k, err := c.ListTableOfFamily(tableName, t.nft)
	return err == nil && k.Flags == 0
}
