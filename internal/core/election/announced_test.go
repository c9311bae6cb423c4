package election

import (
	"net/netip"
	"slices"
	"testing"
	"time"
)

// unannounced are claims of term 1 to addresses that were never announced.
func unannounced(node string, addresses ...int) Claims {
	claims := Claims{}
	for _, i := range addresses {
		claims.Learn(Claim{Addr: addr(i), Node: node, Incarnation: 1, Term: 1})
	}
	return claims
}

// firsts are the addresses that are held and that no holder has announced.
func (s *fixture) firsts() []int {
	var first []int
	for _, h := range s.last.Hold {
		if h.First {
			first = append(first, number(h.Addr))
		}
	}
	return first
}

func TestElector_AnAddressIsFirstUntilItWasAnnounced(t *testing.T) {
	s := newFixture(t, 0, contests(2, group(1)), alive(1), Claims{}).at(0).at(newAddressDelay).want(0, 1)
	if s.at(sec); !slices.Equal(s.firsts(), []int{0, 1}) || len(s.last.Claims) > 0 {
		t.Fatalf("first are %v, claims %v: nothing was announced yet", s.firsts(), s.last.Claims)
	}
	s.Answered = []netip.Addr{addr(1)}
	if s.at(2 * sec).wantClaims(1); s.last.Claims[0] != (Claim{Addr: addr(1), Node: "n0", Incarnation: 1, Term: 1, Announced: true}) {
		t.Fatalf("claims %v, want the same claim with the mark", s.last.Claims)
	}
	if s.at(3 * sec).wantClaims(0); !slices.Equal(s.firsts(), []int{0}) {
		t.Fatalf("first are %v", s.firsts())
	}
}

// The holder found a foreign host and is gone, by whatever way. Its successor must look as well, and be told to take its time.
func TestElector_SuccessorOfAHolderThatNeverAnnouncedIsFirst(t *testing.T) {
	for name, change := range map[string]func(*fixture){
		"crashed":   func(s *fixture) { delete(s.Live, "n1") },
		"restarted": func(s *fixture) { s.Live["n1"] = 2 },
		"drained": func(s *fixture) {
			s.contests = contests(2, weighted(map[string]int{"n0": 0}))
		},
		"outweighed": func(s *fixture) {
			s.contests = contests(2, weighted(map[string]int{"n0": 1, "n1": 0}))
		},
	} {
		t.Run(name, func(t *testing.T) {
			claims := unannounced("n1", 0)
			claims.Learn(Claim{Addr: addr(1), Node: "n1", Incarnation: 1, Term: 4, Announced: true})
			s := newFixture(t, 0, contests(2, group(2)), alive(2), claims).at(0).want()
			change(s)
			for at := sec; at < 2*time.Minute && len(s.last.Hold) == 0; at += 100 * ms {
				s.at(at)
			}
			for _, hold := range s.last.Hold {
				if claim := s.Claims[hold.Addr]; hold.First != (hold.Addr == addr(0)) || hold.Withheld != hold.First || claim.Announced == hold.First {
					t.Errorf("%v is held with %v", hold, claim)
				}
			}
			if len(s.last.Hold) == 0 {
				t.Error("holds nothing")
			}
		})
	}
}

// A process that has just been started has the claims alone to know by what another host may have answered for.
func TestElector_WhoWasJustStartedIsToldToTakeItsTime(t *testing.T) {
	for name, test := range map[string]struct {
		claims   Claims
		change   func(*fixture)
		withheld bool
	}{
		"its last run held it":                           {unannounced("n0", 0), func(*fixture) {}, true},
		"one that is gone held it":                       {unannounced("n7", 0), func(*fixture) {}, true},
		"its last run held it, and it may hold it later": {unannounced("n0", 0), func(s *fixture) { s.vacate(); s.at(2 * sec).at(3 * sec); s.fill(1) }, true},
		"it is new": {Claims{}, func(*fixture) {}, false},
		"one that it has never seen hold it claims it later": {Claims{}, func(s *fixture) {
			s.vacate()
			s.at(2 * sec)
			s.Claims.Learn(unannounced("n7", 0)[addr(0)])
			s.fill(1)
		}, false},
	} {
		t.Run(name, func(t *testing.T) {
			s := newFixture(t, 0, contests(1, group(1)), map[string]uint64{"n0": 2}, test.claims)
			s.elector.incarnation, s.Settling = 2, true
			s.at(0).want()
			s.Settling = false
			test.change(s)
			s.awaitHold(10 * sec).want(0)
			if hold := s.last.Hold[0]; !hold.First || hold.Withheld != test.withheld {
				t.Errorf("it holds %+v", hold)
			}
		})
	}
}

func TestElector_EarlierClaimWithTheMarkIsTheSameClaim(t *testing.T) {
	s := newFixture(t, 1, contests(1, group(2)), alive(2), unannounced("n0", 0)).at(0).want()
	s.Claims.Learn(Claim{Addr: addr(0), Node: "n0", Incarnation: 1, Term: 1, Announced: true})
	delete(s.Live, "n0")
	if s.at(sec).want(0); s.last.Hold[0].First {
		t.Error("an announced address is held as the first")
	}
}

func TestElector_AddressThatWasNeverAnnouncedIsNotMovedToEvenOut(t *testing.T) {
	claims := unannounced("n0", 0, 1, 2, 3)
	s := newFixture(t, 1, contests(6, group(2)), alive(2), claims)
	s.Claims.Learn(Claim{Addr: addr(4), Node: "n0", Incarnation: 1, Term: 1, Announced: true})
	s.Claims.Learn(Claim{Addr: addr(5), Node: "n0", Incarnation: 1, Term: 1, Announced: true})
	s.at(0)
	for at := sec; at < 5*time.Minute; at += sec {
		s.at(at)
	}
	s.want(4, 5)
}
