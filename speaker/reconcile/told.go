package reconcile

import (
	"net/netip"
	"slices"
	"time"
)

// shortenInterval is the least time between two states of the gossip in which the list of addresses with connections is shorter. Each
// is sent whole to every node, and of 2,000 addresses the last connections end at any time.
const shortenInterval = 10 * time.Second

// told is what the others were told last of the addresses that connections are left to.
type told struct {
	addrs []netip.Addr
	// shortened is when the list became shorter last.
	shortened time.Time
}

// next is what to tell them, given those that connections are left to, in order: new ones at once, and that there are none any more at most
// once in shortenInterval; and when to ask again, 0: no need.
func (t *told) next(now time.Time, left []netip.Addr) (tell []netip.Addr, wait time.Duration) {
	ended := slices.ContainsFunc(t.addrs, func(addr netip.Addr) bool {
		_, found := slices.BinarySearchFunc(left, addr, netip.Addr.Compare)
		return !found
	})
	since := now.Sub(t.shortened)
	switch {
	case !ended:
		t.addrs = left
	case since >= shortenInterval:
		t.addrs, t.shortened = left, now
	default:
		all := slices.Concat(t.addrs, left)
		slices.SortFunc(all, netip.Addr.Compare)
		t.addrs, wait = slices.Compact(all), shortenInterval-since
	}
	return t.addrs, wait
}
