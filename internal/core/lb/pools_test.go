package lb

import (
	"errors"
	"net/netip"
	"testing"
	"time"
)

func testPool(name string, born int64, priority int32, addresses string, exclude ...string) *Pool {
	r, err := ParseRange(addresses)
	if err != nil {
		panic(err)
	}
	p := &Pool{Name: name, Created: time.Unix(born, 0), Priority: priority, Ranges: []Range{r}}
	for _, text := range exclude {
		hole, err := ParseRange(text)
		if err != nil {
			panic(err)
		}
		p.Exclude = append(p.Exclude, hole)
	}
	return p
}

func TestPools_SourceOf(t *testing.T) {
	broken := testPool("broken", 1, 0, "192.0.2.240")
	broken.Err, broken.Ranges = errors.New("cannot be read"), nil
	pools := NewPools([]*Pool{
		testPool("young", 3, 0, "192.0.2.8-192.0.2.23"), testPool("old", 2, 0, "192.0.2.0-192.0.2.15", "192.0.2.9"), broken,
	})
	for _, test := range []struct {
		name, addr string
		source     string
		want       string
	}{
		{"an address belongs to the pool that contains it", "192.0.2.1", "", "old"},
		{"of two that contain it, to the older", "192.0.2.8", "", "old"},
		{"the one that gave it comes first all the same", "192.0.2.8", "young", "young"},
		{"what the older excludes is the younger's", "192.0.2.9", "", "young"},
		{"a source that does not contain it any more does not count", "192.0.2.1", "young", "old"},
		{"a source that is gone does not count", "192.0.2.1", "gone", "old"},
		{"a source that cannot be read keeps what it gave", "192.0.2.240", "broken", "broken"},
		{"one that cannot be read and is not the source has nothing", "192.0.2.240", "old", ""},
		{"an address of no pool is of none", "203.0.113.1", "old", ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			got := ""
			if pool := pools.SourceOf(test.source, netip.MustParseAddr(test.addr)); pool != nil {
				got = pool.Name
			}
			if got != test.want {
				t.Errorf("got %q, want %q", got, test.want)
			}
		})
	}
}

func TestPools_ByPriority(t *testing.T) {
	pools := NewPools([]*Pool{
		testPool("none", 1, 0, "192.0.2.1"), testPool("b", 2, 20, "192.0.2.2"), testPool("c", 3, 10, "192.0.2.3"), testPool("a", 4, 20, "192.0.2.4"),
	})
	var got string
	for _, pool := range pools.ByPriority() {
		got += pool.Name + " "
	}
	if got != "c a b none " {
		t.Errorf("asked in the order %s", got)
	}
}

func TestPools_Overlaps(t *testing.T) {
	pools := NewPools([]*Pool{
		testPool("young", 3, 0, "192.0.2.8-192.0.2.23"), testPool("old", 2, 0, "192.0.2.0-192.0.2.15"), testPool("far", 1, 0, "203.0.113.0/24"),
		testPool("apart", 4, 0, "192.0.2.0-192.0.2.30", "192.0.2.0-192.0.2.23"),
	})
	if got := pools.Overlaps(); len(got) != 1 || got[0][0].Name != "old" || got[0][1].Name != "young" {
		t.Errorf("overlaps %v", got)
	}
}
