package netnstest

import (
	"fmt"
	"net/netip"
	"sync/atomic"
	"testing"
)

// Cable is a veth pair from the tests' own namespace (Near) to another one (Other, by Far), with addresses at both ends.
// Each has subnets of its own, so that tests can run side by side.
type Cable struct {
	Other          *Namespace
	Ours, Theirs   netip.Addr // in a /30
	Ours6, Theirs6 netip.Addr // in a /64
	Near, Far      string     // the names of the two links

	// Link-local addresses, invalid before AddLinkLocal. They have no zone.
	OursLL, TheirsLL netip.Addr
}

// subnets counts the subnets given to cables: 198.19.64.4/30, 198.19.64.8/30 and so on, 2001:db8:1::/64, 2001:db8:2::/64
// and so on. Our address is the first of a subnet, theirs the second.
var subnets atomic.Int32

// NewCable makes a namespace and a cable to it. Both are removed at the end of the test.
func NewCable(t testing.TB) *Cable {
	t.Helper()
	n := int(subnets.Add(1))
	c := &Cable{
		Other: New(t), Near: fmt.Sprintf("near%d", n), Far: fmt.Sprintf("far%d", n),
		Ours:    netip.AddrFrom4([4]byte{198, 19, 64 + byte(n>>6), byte(4*n + 1)}),
		Theirs:  netip.AddrFrom4([4]byte{198, 19, 64 + byte(n>>6), byte(4*n + 2)}),
		Ours6:   netip.MustParseAddr(fmt.Sprintf("2001:db8:%x::1", n)),
		Theirs6: netip.MustParseAddr(fmt.Sprintf("2001:db8:%x::2", n)),
	}
	Veth(t, c.Near, c.Other, c.Far)
	c.address(t, c.Ours, c.Theirs, 30)
	c.address(t, c.Ours6, c.Theirs6, 64)
	return c
}

// AddLinkLocal adds fe80::1 to our end and fe80::2 to theirs.
func (c *Cable) AddLinkLocal(t testing.TB) {
	t.Helper()
	c.OursLL, c.TheirsLL = netip.MustParseAddr("fe80::1"), netip.MustParseAddr("fe80::2")
	c.address(t, c.OursLL, c.TheirsLL, 64)
}

// address gives each end an address.
func (c *Cable) address(t testing.TB, ours, theirs netip.Addr, bits int) {
	t.Helper()
	Address(t, c.Near, netip.PrefixFrom(ours, bits))
	c.Other.Do(t, func() { Address(t, c.Far, netip.PrefixFrom(theirs, bits)) })
}
