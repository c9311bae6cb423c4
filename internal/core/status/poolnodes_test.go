package status

import (
	"net/netip"
	"strings"
	"testing"

	"github.com/daymark-lb/daymark/internal/core/ipam"
	"github.com/daymark-lb/daymark/internal/core/lb"
)

func TestNewPool_NamesTheNodeOfARange(t *testing.T) {
	use := &ipam.PoolUse{
		Pool:    &lb.Pool{Name: "lan"},
		Blocked: []ipam.BlockedRange{{Range: lb.RangeOf(netip.MustParsePrefix("192.0.2.4/31")), Cause: ipam.NodeOwned, Name: "n1"}},
	}
	if got := poolBlocked(use); got.Reason.Name != NodeAddress.Name || !strings.Contains(got.Message, "192.0.2.4/31 has addresses of node n1") {
		t.Errorf("the condition is %+v", got)
	}
}
