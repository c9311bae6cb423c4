package election

import (
	"maps"
	"testing"
	"time"
)

// disputing are two nodes of which each knows that only it may hold an address, as when one of them has no API server any more.
type disputing struct {
	electors [2]*Elector
	claims   [2]Claims
}

// run has both decide every 200 ms, and hear each other's claims at the next one, and returns how often the address changed its holder.
func (d *disputing) run(answer Answer, until time.Duration) (changes int) {
	holds := [2]bool{}
	for at := time.Duration(0); at < until; at += 200 * ms {
		var claims []Claim
		for i, e := range d.electors {
			q := Question{nodeName(1 - i), addr(0)}
			given := answer
			if answer == Answered && !holds[1-i] {
				given = NoAnswer
			}
			all := contests(1, weighted(map[string]int{nodeName(i): 0}))
			decision := e.Decide(all, Input{Now: epoch.Add(at), Live: alive(2), Claims: maps.Clone(d.claims[i]), Answers: map[Question]Answer{q: given}})
			if held := len(decision.Hold) > 0; held != holds[i] {
				holds[i] = held
				if held {
					changes++
				}
			}
			claims = append(claims, decision.Claims...)
		}
		for _, claim := range claims {
			d.claims[0].Learn(claim)
			d.claims[1].Learn(claim)
		}
	}
	return changes
}

// Neither can know who is right. An address that changes its holder several times a second breaks all connections, so each waits for longer
// and longer, while the other one answers.
func TestDispute_AnAddressChangesItsHolderEverLessOften(t *testing.T) {
	for answer, most := range map[Answer]int{Answered: 70, Unasked: 6000} {
		d := &disputing{electors: [2]*Elector{NewElector("n0", 1, time.Minute), NewElector("n1", 1, time.Minute)}, claims: [2]Claims{held(1), held(1)}}
		if changes := d.run(answer, 3*time.Hour); changes < 5 || changes > most {
			t.Errorf("answer %d: the address has changed its holder %d times in three hours", answer, changes)
		}
	}
}

// It has learned that it may not have the address, and has stopped. To wait would leave the address without an answer.
func TestDispute_WhoDoesNotAnswerIsNotWaitedFor(t *testing.T) {
	s := newFixture(t, 0, contests(1, group(1)), alive(2), held(1)).at(0).want(0)
	claims := func(term uint64, at time.Duration) {
		s.Claims.Learn(Claim{Addr: addr(0), Node: "n1", Incarnation: 1, Term: term, Announced: true})
		s.at(at).want()
	}
	claims(2, sec)
	s.at(sec + unverifiedClaimTimeout).want(0).wantClaims(1)
	claims(4, 2*sec)
	s.wantAsked("n1", 1).answer(Answered).at(2*sec + unverifiedClaimTimeout).want().wantWait(unverifiedClaimTimeout)
	s.answer(NoAnswer).at(2*sec+unverifiedClaimTimeout+ms).want(0).wantClaims(1).wantAsked("n1", 1)
	s.at(2*sec+unverifiedClaimTimeout+2*ms).wantAsked("n1", 0)
}

// Claims that are ahead of what this node knows of the candidates, again and again, are no dispute.
func TestDispute_WhoTurnsOutToBeACandidateIsWaitedForAsBefore(t *testing.T) {
	one, two := contests(1, group(1)), contests(1, group(2))
	s := newFixture(t, 0, one, alive(2), held(1)).at(0).want(0)
	for term := uint64(2); term < 12; term += 2 {
		at := time.Duration(term) * sec
		s.Claims.Learn(Claim{Addr: addr(0), Node: "n1", Incarnation: 1, Term: term, Announced: true})
		s.at(at).want().wantWait(unverifiedClaimTimeout).wantAsked("n1", 0)
		s.contests = two
		s.at(at + 100*ms).want().wantClaims(0)
		s.contests = one
		s.at(at + 200*ms).want(0).wantClaims(1).at(at + 201*ms)
	}
}
