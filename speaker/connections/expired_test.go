package connections

import (
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/google/nftables"
)

// An address whose time ends in the kernel just before it is taken out must not have the table written anew: connections to the
// others would be without it meanwhile.
func TestTable_AnElementThatHasExpiredIsNoFault(t *testing.T) {
	tab := newTable(ipv4)
	list := make([]entry, batchSize+1)
	for i := range list {
		addr := netip.AddrFrom4([4]byte{198, 18, byte(i >> 8), byte(i)})
		list[i] = entry{addr: addr, next: netip.MustParseAddr("192.0.2.12"), hops: 1}
	}
	list[5].moved, list[5].until = true, time.Now().Add(time.Second)
	list[6] = entry{addr: list[6].addr, moved: true, until: list[5].until}
	if err := tab.set(list, DefaultRate, lease, false); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = tab.remove() }()
	for has := true; has; time.Sleep(10 * time.Millisecond) {
		kept, err := newTable(ipv4).read()
		if err != nil {
			t.Fatal(err)
		}
		has = false
		for i := range kept {
			has = has || kept[i].moved
		}
	}
	transactions := 0
	tab.commit = func(c *nftables.Conn) error {
		transactions++
		return c.Flush()
	}
	list = slices.Delete(slices.Clone(list), 6, 7)
	list[5].moved, list[5].until = false, time.Time{}
	if err := tab.set(list, DefaultRate, lease, false); err != nil || transactions != 1 {
		t.Errorf("%d transactions (%v), want 1", transactions, err)
	}
	kept, err := newTable(ipv4).read()
	if err != nil || len(kept) != len(list) || kept[5] != list[5] {
		t.Errorf("the kernel has %d addresses (%v), want %d; %+v", len(kept), err, len(list), kept[5])
	}
}
