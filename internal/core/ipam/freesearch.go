package ipam

import (
	"net/netip"

	"github.com/daymark-lb/daymark/internal/core/lb"
)

// freeSearch finds the lowest free address of some ranges. Within a pass addresses are only ever taken. So a search begins
// where the last one ended, and costs the same however many addresses there are or are taken.
type freeSearch struct {
	// ranges that are left to search, in order of address.
	ranges []lb.Range
	// atFree: the first address of the first range is free.
	atFree bool
}

// free returns the lowest free address, which stays free until a Service takes it. If ok is false there is none, now and for
// the rest of the pass. skipBroadcast leaves out addresses that end in .0 or .255.
func (s *freeSearch) free(all *allocations, skipBroadcast bool) (addr netip.Addr, ok bool) {
	for len(s.ranges) > 0 {
		first := &s.ranges[0]
		if s.atFree {
			return first.From, true
		}
		for addr := first.From; ; addr = addr.Next() {
			if !(skipBroadcast && mayBeBroadcast(addr)) && all.free(addr) {
				first.From, s.atFree = addr, true
				return addr, true
			}
			if addr == first.To {
				break
			}
		}
		s.ranges = s.ranges[1:]
	}
	return netip.Addr{}, false
}

// skip goes on behind an address that was just taken, if the search stands there.
func (s *freeSearch) skip(addr netip.Addr) {
	if !s.atFree || s.ranges[0].From != addr {
		return
	}
	s.atFree = false
	if addr == s.ranges[0].To {
		s.ranges = s.ranges[1:]
	} else {
		s.ranges[0].From = addr.Next()
	}
}

// mayBeBroadcast reports whether an IPv4 address ends in .0 or .255. Some old equipment takes those for broadcast addresses.
func mayBeBroadcast(addr netip.Addr) bool {
	if !addr.Is4() {
		return false
	}
	last := addr.As4()[3]
	return last == 0 || last == 255
}

// countMayBeBroadcast counts the addresses of a range that end in .0 or .255.
func countMayBeBroadcast(r lb.Range) int64 {
	if !r.From.Is4() {
		return 0
	}
	upTo := func(n int64) int64 { // among 0.0.0.0 to n
		full, rest := (n+1)/256, (n+1)%256
		if rest > 0 {
			return 2*full + 1
		}
		return 2 * full
	}
	return upTo(number(r.To)) - upTo(number(r.From)-1)
}

func number(addr netip.Addr) int64 {
	b := addr.As4()
	return int64(b[0])<<24 | int64(b[1])<<16 | int64(b[2])<<8 | int64(b[3])
}
