package election

import "testing"

// A node left, and came back in a part of the gossip that does not reach this side. Here it is known as one that has left.
func TestReturned_OneOfTheTwoStopsWithoutAClaim(t *testing.T) {
	deferred := 0
	for i := range 20 {
		all := []Contest{{Addr: addr(i), Group: group(2), HasInterface: true}}
		claims := Claims{addr(i): {Addr: addr(i), Node: "n0", Incarnation: 1, Term: 3, Announced: true}}
		s := newFixture(t, 0, all, alive(1), claims).at(0)
		from, until := 5*ms, 5*ms+returnedAfter
		s.rivalAt("n1", i, from, until).answer(Answered)
		s.Rivals[0].HeldSince, s.Rivals[0].Held = epoch.Add(from), epoch.Add(until-ms)
		s.at(until).want(i).wantDefended().wantAsked("n1", 0) // It may still hand over.
		s.Rivals[0].Held = epoch.Add(until)
		s.at(until+ms).wantClaims(0).wantAsked("n1", 1).answer(Answered)
		if s.at(until + 2*ms).wantClaims(0); beats("n0", s.Rivals[0]) {
			s.want(i).wantDefended(i)
			continue
		}
		deferred++
		s.want().wantAsked("n1", 1)
		s.Rivals = nil
		s.at(until+sec).want().wantAsked("n1", 1)
		s.answer(NoAnswer).at(until + 2*sec).want(i).wantClaims(0)
	}
	if deferred == 0 {
		t.Error("nobody stops")
	}
}

func TestReturned_TheClaimsSettleItWhenTheGossipIsWhole(t *testing.T) {
	i := 0
	for beats("n0", Rival{Addr: addr(i), Node: "n1"}) {
		i++
	}
	all := []Contest{{Addr: addr(i), Group: group(2), HasInterface: true}}
	claims := Claims{addr(i): {Addr: addr(i), Node: "n0", Incarnation: 1, Term: 3, Announced: true}}
	s := newFixture(t, 0, all, alive(1), claims).at(0).rivalAt("n1", i, 0, returnedAfter)
	s.Rivals[0].HeldSince, s.Rivals[0].Held = s.Rivals[0].Since, s.Rivals[0].Last
	s.at(returnedAfter).answer(Answered).at(returnedAfter + ms).want()
	s.Live, s.Rivals = alive(2), nil
	s.at(2*sec).want(i).wantAsked("n1", 0)
}

// The kernel of a node whose speaker has left may go on to answer who asks it.
func TestReturned_WhoOnlyAnswersHasNotReturned(t *testing.T) {
	for i := range 5 {
		all := []Contest{{Addr: addr(i), Group: group(2), HasInterface: true}}
		claims := Claims{addr(i): {Addr: addr(i), Node: "n0", Incarnation: 1, Term: 3, Announced: true}}
		s := newFixture(t, 0, all, alive(1), claims).at(0).rivalAt("n1", i, 0, returnedAfter)
		s.at(returnedAfter).answer(Answered).at(returnedAfter+ms).want(i).wantDefended().wantAsked("n1", 0)
	}
}
