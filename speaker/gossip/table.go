package gossip

import (
	"maps"
	"net/netip"
	"sync"
	"time"

	"github.com/daymark-lb/daymark/internal/core/election"
)

const (
	// mostClaims bounds the table against nonsense; what is wanted is always taken.
	mostClaims = 200_000
	// keepFor is how long a claim to an address that nobody wants any more is kept, for the sake of its term.
	keepFor = 10 * time.Minute
	// stride is how many claims are learned before others get a turn.
	stride = 1000
)

// table is the claims known, and which of them may be passed on. It may be used by several goroutines; the time is given.
type table struct {
	mu     sync.Mutex
	claims election.Claims
	// lent: the claims were given out, and must be copied before they change.
	lent   bool
	stamps map[netip.Addr]stamp
	// want are the addresses whose claims are passed on; nil: not told yet, and all are.
	want map[netip.Addr]struct{}
}

// stamp says when the claim to an address was learned, and when it was last wanted.
type stamp struct{ learned, wanted time.Time }

func newTable() *table {
	return &table{claims: election.Claims{}, stamps: map[netip.Addr]stamp{}}
}

// learn takes claims in. It returns those that were news, and those known that are stronger than what was told, which
// the teller should hear of.
func (t *table) learn(now time.Time, claims []election.Claim) (news, stronger []election.Claim) {
	for len(claims) > 0 {
		part := claims[:min(stride, len(claims))]
		claims = claims[len(part):]
		t.mu.Lock()
		for _, claim := range part {
			known, ok := t.claims[claim.Addr]
			switch {
			case !ok && len(t.claims) >= mostClaims && !t.wants(claim.Addr):
			case !ok || claim.Beats(known):
				t.own()
				t.claims.Learn(claim)
				t.stamps[claim.Addr] = stamp{learned: now, wanted: t.stamps[claim.Addr].wanted}
				news = append(news, claim)
			case known != claim && t.wants(claim.Addr):
				stronger = append(stronger, known)
			}
		}
		t.mu.Unlock()
	}
	return news, stronger
}

// own makes the claims our own before they change. The caller holds mu.
func (t *table) own() {
	if t.lent {
		t.claims, t.lent = maps.Clone(t.claims), false
	}
}

// wants reports whether an address is wanted for sure. The caller holds mu.
func (t *table) wants(addr netip.Addr) bool {
	_, wanted := t.want[addr]
	return wanted
}

// snapshot is what is known now. It does not change any more, and must not be changed.
func (t *table) snapshot() election.Claims {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.lent = true
	return t.claims
}

func (t *table) size() int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return len(t.claims)
}

// setWant says which addresses are of interest from now on. The table keeps the map.
func (t *table) setWant(now time.Time, want map[netip.Addr]struct{}) {
	if want == nil {
		want = map[netip.Addr]struct{}{}
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.want != nil {
		for addr := range t.want {
			if _, still := want[addr]; still {
				continue
			}
			if s, known := t.stamps[addr]; known {
				s.wanted = now
				t.stamps[addr] = s
			}
		}
	}
	t.want = want
}

// sweep forgets what nobody has wanted for long, nor told anew.
func (t *table) sweep(now time.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for addr, s := range t.stamps {
		if !t.wants(addr) && now.Sub(s.learned) >= keepFor && now.Sub(s.wanted) >= keepFor {
			t.own()
			delete(t.claims, addr)
			delete(t.stamps, addr)
		}
	}
}

// wanted are the claims that may be passed on, for a complete exchange.
func (t *table) wanted() []election.Claim {
	return t.pick(func(claim election.Claim, _ stamp) bool { return t.want == nil || t.wants(claim.Addr) })
}

// missed are the claims that one has missed who has heard nothing since a time, and those by an author.
func (t *table) missed(since time.Time, node string, instance uint64) []election.Claim {
	return t.pick(func(claim election.Claim, s stamp) bool {
		if t.want != nil && !t.wants(claim.Addr) {
			return false
		}
		return !s.learned.Before(since) || claim.Node == node && claim.Incarnation == instance
	})
}

func (t *table) pick(wanted func(election.Claim, stamp) bool) []election.Claim {
	t.mu.Lock()
	defer t.mu.Unlock()
	var picked []election.Claim
	for addr, claim := range t.claims {
		if wanted(claim, t.stamps[addr]) {
			picked = append(picked, claim)
		}
	}
	return picked
}
