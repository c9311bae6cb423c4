package layer2

import (
	"encoding/binary"
	"net/netip"
	"testing"

	"github.com/prometheus/client_golang/prometheus/testutil"
)

// clientNumber returns one of very many clients, each with a MAC address of its own.
func clientNumber(i int) neighbor {
	var b [4]byte
	binary.BigEndian.PutUint32(b[:], uint32(i))
	return neighbor{netip.AddrFrom4([4]byte{10, b[1], b[2], b[3]}), mac{2, 0, b[0], b[1], b[2], b[3]}, "eth0"}
}

func newTestCrowds(addresses ...netip.Addr) *crowds {
	c := newCrowds(newMetrics(nil))
	keep := map[netip.Addr]bool{}
	for _, addr := range addresses {
		keep[addr] = true
	}
	c.keep(keep)
	return c
}

// TestCrowds_ForgetWhoAskedLongestAgo when there are too many of one address.
func TestCrowds_ForgetWhoAskedLongestAgo(t *testing.T) {
	c := newTestCrowds(vip4)
	for i := range maxClients {
		c.heard(vip4, clientNumber(i))
	}
	c.heard(vip4, clientNumber(0)) // It asks again.
	for i := range 10 {
		c.heard(vip4, clientNumber(maxClients+i))
	}
	got := c.clients(vip4)
	if len(got) != maxClients || got[0] != clientNumber(maxClients+9) || got[10] != clientNumber(0) || got[maxClients-1] != clientNumber(11) {
		t.Errorf("%d are remembered: first %v, then %v, last %v", len(got), got[0], got[10], got[len(got)-1])
	}
	if forgotten := testutil.ToFloat64(c.forgotten); forgotten != 10 {
		t.Errorf("%v are counted as forgotten, want 10", forgotten)
	}
	if asked := len(c.of[vip4].asked); asked != maxClients {
		t.Errorf("the hosts of %d are remembered", asked)
	}
}

// TestCrowds_OneAddressLeavesRoomForOthers: the clients of all are bounded together.
func TestCrowds_OneAddressLeavesRoomForOthers(t *testing.T) {
	var addresses []netip.Addr
	for i := range 64 {
		addresses = append(addresses, netip.AddrFrom4([4]byte{192, 0, 2, byte(i)}))
	}
	c := newTestCrowds(addresses...)
	for _, addr := range addresses[:32] {
		for i := range maxClients {
			c.heard(addr, clientNumber(i))
		}
	}
	for _, addr := range addresses[32:] {
		for i := range 100 {
			c.heard(addr, clientNumber(i))
		}
	}
	total := 0
	for i, addr := range addresses {
		n := len(c.clients(addr))
		total += n
		if i >= 32 && n != 100 {
			t.Errorf("%v has only %d", addr, n)
		}
	}
	if total != maxAllClients || c.total != total || int(testutil.ToFloat64(c.remembered)) != total {
		t.Errorf("%d are remembered, %d counted", total, c.total)
	}
	c.keep(map[netip.Addr]bool{addresses[32]: true})
	if c.total != 100 || c.clients(addresses[0]) != nil {
		t.Errorf("%d are left", c.total)
	}
}

// TestCrowds_AHostHasOneEntry: what it asked by last counts, and what it asked by before does not.
func TestCrowds_AHostHasOneEntry(t *testing.T) {
	c := newTestCrowds(vip4)
	host := hostKey{client, "eth0"}
	c.heard(vip4, neighbor{client4, client, "eth0"})
	c.heard(vip4, neighbor{vip4b, client, "eth0"})
	c.heard(vip4c, neighbor{vip4c, client, "eth0"})
	c.heard(vip4, neighbor{netip.IPv4Unspecified(), client, "eth0"})
	if last, ok := c.lastAsked(vip4, host); !ok || last != vip4b {
		t.Errorf("it asked last by %v, %v", last, ok)
	}
	c.heard(vip4, neighbor{vip4b, proxy, "eth0"}) // The address has moved to another host.
	if last, ok := c.lastAsked(vip4, host); ok {
		t.Errorf("it asked last by %v", last)
	}
	if _, ok := c.lastAsked(vip4c, host); ok || len(c.clients(vip4)) != 2 {
		t.Errorf("clients %v", c.clients(vip4))
	}
}

// TestCrowds_HaveRoomForManyAddresses: 400 of them with 300 clients each.
func TestCrowds_HaveRoomForManyAddresses(t *testing.T) {
	addresses := manyAddresses(400)
	c := newTestCrowds(addresses...)
	for i := range 300 {
		for _, addr := range addresses {
			c.heard(addr, clientNumber(i))
		}
	}
	if c.total != 120_000 || testutil.ToFloat64(c.forgotten) > 0 {
		t.Errorf("%d are remembered", c.total)
	}
}
