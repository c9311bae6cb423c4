package election

import (
	"math/rand/v2"
	"testing"
)

func TestClaim_HigherTermThenLaterIncarnationWins(t *testing.T) {
	for name, test := range map[string]struct{ stronger, weaker Claim }{
		"the higher term wins":                               {Claim{Addr: addr(1), Node: "a", Incarnation: 1, Term: 2, Announced: true}, Claim{Addr: addr(1), Node: "b", Incarnation: 9, Term: 1, Announced: true}},
		"the higher term wins over a later incarnation":      {Claim{Addr: addr(1), Node: "a", Incarnation: 1, Term: 2, Announced: true}, Claim{Addr: addr(1), Node: "a", Incarnation: 2, Term: 1, Announced: true}},
		"of one claim made twice the announced one is":       {Claim{Addr: addr(1), Node: "a", Incarnation: 1, Term: 1, Announced: true}, Claim{Addr: addr(1), Node: "a", Incarnation: 1, Term: 1}},
		"of one node's equal terms the later incarnation is": {Claim{Addr: addr(1), Node: "a", Incarnation: 2, Term: 1, Announced: true}, Claim{Addr: addr(1), Node: "a", Incarnation: 1, Term: 1, Announced: true}},
	} {
		t.Run(name, func(t *testing.T) {
			if !test.stronger.Beats(test.weaker) || test.weaker.Beats(test.stronger) {
				t.Fatalf("%v does not beat %v, or the other way round", test.stronger, test.weaker)
			}
		})
	}
}

func TestClaim_EqualTermsAreDecidedByHash(t *testing.T) {
	wins := 0
	for i := range 1000 {
		a, b := Claim{Addr: addr(i), Node: "a", Incarnation: 1, Term: 1, Announced: true}, Claim{Addr: addr(i), Node: "b", Incarnation: 1, Term: 1, Announced: true}
		if a.Beats(b) == b.Beats(a) {
			t.Fatalf("%v and %v: both or neither wins", a, b)
		}
		if a.Beats(b) {
			wins++
		}
	}
	if wins < 400 || wins > 600 {
		t.Fatalf("one node wins %d of 1000 ties", wins)
	}
	if claim := (Claim{Addr: addr(1), Node: "a", Incarnation: 1, Term: 1, Announced: true}); claim.Beats(claim) {
		t.Fatal("a claim beats itself")
	}
}

func TestClaims_OrderOfLearningDoesNotMatter(t *testing.T) {
	var claims []Claim
	for i := range 300 {
		claims = append(claims, Claim{Addr: addr(i % 3), Node: nodeName(i % 7), Incarnation: uint64(i % 5), Term: uint64(i % 4), Announced: i%2 > 0})
	}
	want := Claims{}
	for _, claim := range claims {
		want.Learn(claim)
	}
	for range 50 {
		rand.Shuffle(len(claims), func(i, j int) { claims[i], claims[j] = claims[j], claims[i] })
		got := Claims{}
		for _, claim := range claims {
			known, ok := got[claim.Addr]
			if stronger := got.Learn(claim); stronger != (!ok || claim.Beats(known)) {
				t.Fatalf("%v after %v: stronger is %t", claim, known, stronger)
			}
		}
		for a, claim := range want {
			if got[a] != claim {
				t.Fatalf("%v in one order, %v in another", claim, got[a])
			}
		}
	}
}
