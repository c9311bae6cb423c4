package status

import (
	"math/big"
	"net/netip"
	"testing"
	"time"

	"github.com/daymark-lb/daymark/api/v1beta1"
	"github.com/daymark-lb/daymark/internal/core/ipam"
	"github.com/daymark-lb/daymark/internal/core/lb"
)

func TestPool_WhenItIsWritten(t *testing.T) {
	used := func(change ...func(*ipam.PoolUse)) *ipam.PoolUse {
		use := &ipam.PoolUse{Pool: &lb.Pool{Name: "blue"}, IPv4: &ipam.Count{Assigned: 4, Available: new(big.Int), Reserved: new(big.Int)}}
		for _, f := range change {
			f(use)
		}
		return use
	}
	overlaps := func(other string) func(*ipam.PoolUse) {
		return func(use *ipam.PoolUse) { use.Overlaps = []ipam.Overlap{{Other: &lb.Pool{Name: other}}} }
	}
	node := func(name string) func(*ipam.PoolUse) {
		return func(use *ipam.PoolUse) {
			use.Nodes = []ipam.NodeAddress{{Addr: netip.MustParseAddr("192.0.2.1"), Node: name}}
		}
	}
	resting := func(n int64) func(*ipam.PoolUse) {
		return func(use *ipam.PoolUse) { use.IPv4.ReuseDelayed, use.IPv4.ReusableFrom = n, time.Unix(0, 0) }
	}
	for _, test := range []struct {
		name          string
		before, after *ipam.PoolUse
		// atOnce, or else later, or else never.
		atOnce, later bool
	}{
		{name: "never, when nothing changed", before: used(overlaps("red")), after: used(overlaps("red"))},
		{name: "at once, when it overlaps with another pool than before", before: used(overlaps("red")), after: used(overlaps("green")), atOnce: true},
		{name: "at once, when it has the address of another node", before: used(node("n1")), after: used(node("n2")), atOnce: true},
		{name: "later, when only numbers changed", before: used(), after: used(func(use *ipam.PoolUse) { use.IPv4.Assigned = 3 }), later: true},
		{name: "later, when only the numbers in a message changed", before: used(resting(1)), after: used(resting(2)), later: true},
	} {
		t.Run(test.name, func(t *testing.T) {
			pool, before, after := &v1beta1.IPAddressPool{}, NewPool(test.before), NewPool(test.after)
			before.Write(pool, time.Now())
			if got := !after.SameButCounts(pool); got != test.atOnce {
				t.Errorf("at once: %v", got)
			}
			if got := !after.SameCounts(pool); !test.atOnce && got != test.later {
				t.Errorf("later: %v", got)
			}
		})
	}
}
