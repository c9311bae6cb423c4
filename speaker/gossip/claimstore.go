package gossip

import (
	"cmp"
	"maps"
	"net/netip"
	"reflect"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/daymark-lb/daymark/internal/core/election"
	"github.com/daymark-lb/daymark/internal/core/rendezvous"
)

const (
	// maxClaims bounds the store against invented claims; those to wanted addresses are always taken.
	maxClaims = 200_000
	// claimTimeout is how long a claim to an address that is not wanted any more is kept at least, because of its term.
	claimTimeout = 10 * time.Minute
	// maxUnwanted is how many of those are kept for longer, the latest, so that a claim which somebody recorded is not stronger than what
	// is known when the address is given out again.
	maxUnwanted = 10_000
	// maxLocked is how many claims are merged before other callers get the lock.
	maxLocked = 1000
)

// claimStore is the strongest known claim to each address. Its methods may be called by several goroutines.
type claimStore struct {
	// unwanted is how many claims are kept for long that nobody wants.
	unwanted int

	mu     sync.Mutex
	claims election.Claims
	// shared: the map was returned by snapshot, and must be copied before it changes.
	shared bool
	// version is one more with each claim that is learnt or forgotten.
	version uint64
	times   map[netip.Addr]claimTimes
	// wanted are the addresses whose claims are passed on; nil: not known yet, and all are.
	wanted map[netip.Addr]struct{}
	// digest is a sum of all claims that are passed on: two speakers with the same ones have the same. It is never 0 unless
	// there are none.
	digest atomic.Uint64
	// sum is the digest as it is computed, and passing how many claims are in it.
	sum     uint64
	passing int
	// recent are the latest digests.
	recent digests
	// count is how many claims there are, or addresses that are wanted, whichever is more: what others may pass on.
	count atomic.Int64
}

// digestOf returns the part of a claim in a digest.
func digestOf(claim election.Claim) uint64 {
	addr := claim.Addr.As16()
	h := rendezvous.Hash(addr[:]) ^ rendezvous.Mix(rendezvous.Hash(claim.Node)^claim.Incarnation)
	if claim.Announced {
		h++
	}
	sum := rendezvous.Mix(rendezvous.Mix(h) ^ claim.Term)
	if claim.Shares.Shared() {
		// A speaker of an earlier version knows no tables. With a claim that has none it has the same digest.
		sum = rendezvous.Mix(sum ^ rendezvous.Hash(appendTable(nil, claim.Shares)) ^ rendezvous.Mix(claim.Revision))
	}
	return sum
}

// passedOn reports whether claims to an address are passed on. The caller holds mu.
func (s *claimStore) passedOn(addr netip.Addr) bool { return s.wanted == nil || s.wants(addr) }

// expected is how many claims there are or should be: who has just started waits for those of the wanted addresses.
func (s *claimStore) expected() int { return int(s.count.Load()) }

// publish publishes the sum and the count. The caller holds mu.
func (s *claimStore) publish() {
	s.count.Store(int64(max(len(s.claims), len(s.wanted))))
	digest := s.sum
	if s.passing > 0 && digest == 0 {
		digest = 1
	}
	s.recent.add(digest)
	s.digest.Store(digest)
}

// had reports whether the digest was another one lately.
func (s *claimStore) had(digest uint64) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.recent.has(digest)
}

// sumUp computes the sum anew. The caller holds mu.
func (s *claimStore) sumUp() {
	s.sum, s.passing = 0, 0
	for addr, claim := range s.claims {
		if s.passedOn(addr) {
			s.sum ^= digestOf(claim)
			s.passing++
		}
	}
	s.publish()
}

// claimTimes are when the claim to an address was received, and until when the address was wanted.
type claimTimes struct{ received, wanted time.Time }

// latest is when the claim was last received or wanted.
func (t claimTimes) latest() time.Time {
	if t.wanted.After(t.received) {
		return t.wanted
	}
	return t.received
}

func newClaimStore() *claimStore {
	return &claimStore{unwanted: maxUnwanted, claims: election.Claims{}, version: 1, times: map[netip.Addr]claimTimes{}}
}

// merge takes in claims. It returns those of them that were new, and the known ones that are stronger than those given,
// which the sender should be told.
func (s *claimStore) merge(now time.Time, claims []election.Claim) (added, stronger []election.Claim) {
	for len(claims) > 0 {
		part := claims[:min(maxLocked, len(claims))]
		claims = claims[len(part):]
		s.mu.Lock()
		for _, claim := range part {
			known, ok := s.claims[claim.Addr]
			switch {
			case !ok && len(s.claims) >= maxClaims && !s.wants(claim.Addr):
			case !ok || claim.Beats(known):
				s.unshare()
				s.claims.Learn(claim)
				if s.passedOn(claim.Addr) {
					s.sum ^= digestOf(claim)
					if ok {
						s.sum ^= digestOf(known)
					} else {
						s.passing++
					}
				}
				s.times[claim.Addr] = claimTimes{received: now, wanted: s.times[claim.Addr].wanted}
				added = append(added, claim)
			case known != claim && s.wants(claim.Addr):
				stronger = append(stronger, known)
			}
		}
		s.publish()
		s.mu.Unlock()
	}
	return added, stronger
}

// contests reports whether some of the claims are by others and to addresses that a node has claimed.
func (s *claimStore) contests(node string, claims []election.Claim) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.ContainsFunc(claims, func(c election.Claim) bool { return c.Node != node && s.claims[c.Addr].Node == node })
}

// unshare is called before the map changes: it copies one that a snapshot uses. The caller holds mu.
func (s *claimStore) unshare() {
	s.version++
	if s.shared {
		s.claims, s.shared = maps.Clone(s.claims), false
	}
}

// wants reports whether an address is known to be wanted. The caller holds mu.
func (s *claimStore) wants(addr netip.Addr) bool {
	_, wanted := s.wanted[addr]
	return wanted
}

// snapshot returns what is known now, and its version: of two snapshots with the same version the claims are the same. It does not
// change any more, and must not be changed.
func (s *claimStore) snapshot() (claims election.Claims, version uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.shared = true
	return s.claims, s.version
}

func (s *claimStore) size() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.claims)
}

// setWanted says which addresses are of interest from now on. The store keeps the map.
func (s *claimStore) setWanted(now time.Time, wanted map[netip.Addr]struct{}) {
	if wanted == nil {
		wanted = map[netip.Addr]struct{}{}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.wanted != nil && reflect.ValueOf(s.wanted).Pointer() == reflect.ValueOf(wanted).Pointer() {
		return // It is the same map, which does not change.
	}
	before := s.wanted
	s.wanted = wanted
	kept := 0
	for addr := range before {
		if _, still := wanted[addr]; still {
			kept++
			continue
		}
		if times, known := s.times[addr]; known {
			times.wanted = now
			s.times[addr] = times
		}
		s.toggle(addr, -1)
	}
	switch {
	case before == nil: // all were passed on
		s.sumUp()
	case kept < len(wanted):
		for addr := range wanted {
			if _, was := before[addr]; !was {
				s.toggle(addr, 1)
			}
		}
		s.publish()
	default:
		s.publish()
	}
}

// toggle takes the claim to an address into the sum, which has one more then, or out of it. The caller holds mu.
func (s *claimStore) toggle(addr netip.Addr, more int) {
	if claim, known := s.claims[addr]; known {
		s.sum ^= digestOf(claim)
		s.passing += more
	}
}

// expire drops claims that were neither wanted nor received for long, if there are many.
func (s *claimStore) expire(now time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var old []netip.Addr
	for addr, times := range s.times {
		if !s.wants(addr) && now.Sub(times.latest()) >= claimTimeout {
			old = append(old, addr)
		}
	}
	if len(old) <= s.unwanted {
		return
	}
	slices.SortFunc(old, func(a, b netip.Addr) int {
		return cmp.Or(s.times[a].latest().Compare(s.times[b].latest()), a.Compare(b))
	})
	s.unshare()
	for _, addr := range old[:len(old)-s.unwanted] {
		if s.passedOn(addr) {
			s.sum ^= digestOf(s.claims[addr])
			s.passing--
		}
		delete(s.claims, addr)
		delete(s.times, addr)
	}
	s.publish()
}

// all returns the claims that are passed on, for an exchange.
func (s *claimStore) all() []election.Claim {
	return s.filter(func(claimTimes, election.Claim) bool { return true })
}

// missed returns those of all that were received since a time, and those by an author.
func (s *claimStore) missed(since time.Time, by author) []election.Claim {
	return s.filter(func(times claimTimes, claim election.Claim) bool {
		return !times.received.Before(since) || author{claim.Node, claim.Incarnation} == by
	})
}

// filter returns the claims that are passed on and for which keep returns true.
func (s *claimStore) filter(keep func(claimTimes, election.Claim) bool) []election.Claim {
	s.mu.Lock()
	defer s.mu.Unlock()
	var kept []election.Claim
	for addr, claim := range s.claims {
		if s.passedOn(addr) && keep(s.times[addr], claim) {
			kept = append(kept, claim)
		}
	}
	return kept
}
