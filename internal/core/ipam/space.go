package ipam

import (
	"net/netip"

	"github.com/daymark-lb/daymark/internal/core/lb"
)

// space is addresses to give, the lowest first. Within a pass an address is only ever taken, so the place where the last
// search ended is where the next begins: a search costs the same however many addresses there are or are taken.
type space struct {
	stretches []lb.Range
	// found: the first address of the first stretch is free.
	found bool
}

// free finds the lowest address that is free; ok is false when there is none, now and for the rest of the pass. It stays
// free until somebody takes it.
func (s *space) free(b *book, skipBuggy bool) (addr netip.Addr, ok bool) {
	for len(s.stretches) > 0 {
		stretch := &s.stretches[0]
		if s.found {
			return stretch.From, true
		}
		for addr := stretch.From; ; addr = addr.Next() {
			if !(skipBuggy && buggy(addr)) && b.free(addr) {
				stretch.From, s.found = addr, true
				return addr, true
			}
			if addr == stretch.To {
				break
			}
		}
		s.stretches = s.stretches[1:]
	}
	return netip.Addr{}, false
}

// taken is told when an address of the pool is taken, and steps over it.
func (s *space) taken(addr netip.Addr) {
	if !s.found || s.stretches[0].From != addr {
		return
	}
	s.found = false
	if addr == s.stretches[0].To {
		s.stretches = s.stretches[1:]
	} else {
		s.stretches[0].From = addr.Next()
	}
}

// buggy reports whether some old equipment takes an address for a broadcast.
func buggy(addr netip.Addr) bool {
	if !addr.Is4() {
		return false
	}
	last := addr.As4()[3]
	return last == 0 || last == 255
}

// countBuggy is how many such addresses a range has.
func countBuggy(r lb.Range) int64 {
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
