package connections

import (
	"maps"
	"net/netip"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/daymark-lb/daymark/internal/core/handover"
)

// Entries are those of the passages and of what moved, each address once and in order; changes are what makes one list another.
func TestTable_ChangesMakeOneListAnother(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		table := newTable(ipv4)
		draw := func() ([]entry, map[netip.Addr]entry) {
			want, passages, moved := map[netip.Addr]entry{}, []handover.Passage{}, map[netip.Addr]time.Time{}
			for i := range 8 {
				addr := netip.AddrFrom4([4]byte{192, 0, 2, byte(i)})
				e := entry{addr: addr}
				if rapid.Bool().Draw(t, "passed on") {
					e.next, e.hops = netip.AddrFrom4([4]byte{192, 0, 2, byte(100 + rapid.IntRange(0, 1).Draw(t, "next"))}), 1
					passages = append(passages, handover.Passage{Addr: addr, Via: e.next, Hops: e.hops})
				}
				if rapid.Bool().Draw(t, "moved") {
					e.moved, e.until = true, time.Unix(int64(rapid.IntRange(1, 2).Draw(t, "until")), 0)
					moved[addr] = e.until
				}
				if e != (entry{addr: addr}) {
					want[addr] = e
				}
			}
			moved[netip.MustParseAddr("2001:db8::1")] = time.Unix(1, 0)
			return table.entries(passages, moved), want
		}
		last, wantLast := draw()
		next, wantNext := draw()
		for _, each := range []struct {
			got  []entry
			want map[netip.Addr]entry
		}{{last, wantLast}, {next, wantNext}} {
			if want := inOrder(each.want); !slices.Equal(each.got, want) {
				t.Fatalf("the entries are %v, want %v", each.got, want)
			}
		}
		all, got := changes(last, next, false), maps.Clone(wantLast)
		for _, c := range all {
			if c.was != nil && c.is != nil && *c.was == *c.is {
				t.Fatalf("%v does not change", *c.was)
			}
			if c.was != nil {
				delete(got, c.was.addr)
			}
			if c.is != nil {
				got[c.is.addr] = *c.is
			}
		}
		if !maps.Equal(got, wantNext) {
			t.Fatalf("%v make %v, want %v", all, got, wantNext)
		}
		both := map[netip.Addr]entry{}
		maps.Copy(both, wantLast)
		maps.Copy(both, wantNext)
		if renewed := changes(last, next, true); len(renewed) != len(both) {
			t.Fatalf("renewed are %d of %d", len(renewed), len(both))
		}
	})
}
