package election

import (
	"maps"
	"net/netip"
	"slices"
	"testing"
	"time"
)

// disputing are two nodes of which each knows that only it may hold some addresses, as when one of them has no API server any more.
type disputing struct {
	electors [2]*Elector
	contests [2][]Contest
	claims   [2]Claims
	holds    [2]map[netip.Addr]bool
}

func newDisputing(addresses int) *disputing {
	d := &disputing{}
	for i := range d.electors {
		d.electors[i], d.claims[i] = NewElector(nodeName(i), 1, time.Minute), held(addresses)
		d.contests[i], d.holds[i] = contests(addresses, weighted(map[string]int{nodeName(i): 0})), map[netip.Addr]bool{}
	}
	return d
}

// run has both decide every 200 ms, and hear each other's claims at the next one, and returns how often each address changed its holder.
func (d *disputing) run(answer Answer, until time.Duration) (changes []int) {
	changes = make([]int, len(d.contests[0]))
	for at := time.Duration(0); at < until; at += 200 * ms {
		var claims []Claim
		for i := range d.electors {
			claims = append(claims, d.decide(i, answer, epoch.Add(at), changes)...)
		}
		for _, claim := range claims {
			d.claims[0].Learn(claim)
			d.claims[1].Learn(claim)
		}
	}
	return changes
}

// decide has one of them decide, of which the other one answers about what it holds, and returns its claims.
func (d *disputing) decide(i int, answer Answer, now time.Time, changes []int) []Claim {
	answers := map[Question]Answer{}
	for _, contest := range d.contests[i] {
		given := answer
		if answer == Answered && !d.holds[1-i][contest.Addr] {
			given = NoAnswer
		}
		answers[Question{nodeName(1 - i), contest.Addr}] = given
	}
	decision := d.electors[i].Decide(d.contests[i], Input{Now: now, Live: alive(2), Claims: maps.Clone(d.claims[i]), Answers: answers})
	before := d.holds[i]
	d.holds[i] = map[netip.Addr]bool{}
	for _, h := range decision.Hold {
		if d.holds[i][h.Addr] = true; !before[h.Addr] {
			changes[number(h.Addr)]++
		}
	}
	return decision.Claims
}

// Neither can know who is right. An address that changes its holder several times a second breaks all connections, so each waits for longer
// and longer, while the other one answers.
func TestDispute_AnAddressChangesItsHolderEverLessOften(t *testing.T) {
	if changes := newDisputing(1).run(Answered, 3*time.Hour)[0]; changes < 5 || changes > 70 {
		t.Errorf("the address has changed its holder %d times in three hours", changes)
	}
}

// It cannot be known whether the other one answers, and to wait would leave the address without an answer if it does not.
func TestDispute_WhoCannotBeAskedIsLeftTheAddressForTwoSeconds(t *testing.T) {
	if changes := newDisputing(1).run(Unasked, 3*time.Hour)[0]; changes < 4000 || changes > 6000 {
		t.Errorf("the address has changed its holder %d times in three hours", changes)
	}
}

// There are more addresses than a node is asked about at a time. One process answers for all.
func TestDispute_ManyAddressesChangeTheirHolderAsSeldomAsOne(t *testing.T) {
	changes := newDisputing(3*maxDisputed+1).run(Answered, 2*time.Minute)
	if most := slices.Max(changes); most > slices.Min(changes)+1 || most > 20 {
		t.Errorf("the addresses have changed their holders %d to %d times in two minutes", slices.Min(changes), most)
	}
}

// The other one stops to answer for an address that it is not asked about at first, and goes on for all others.
func TestDispute_EachOfManyAddressesIsAskedAbout(t *testing.T) {
	const count = 2*maxDisputed + 1
	s := newFixture(t, 0, contests(count, group(1)), alive(2), held(count)).at(0)
	s.Answers = map[Question]Answer{}
	at := time.Duration(0)
	for term := uint64(2); term < 20; term += 2 {
		at += 2 * time.Minute
		for i := range count {
			s.Claims.Learn(Claim{Addr: addr(i), Node: "n1", Incarnation: 1, Term: term, Announced: true})
			s.Answers[Question{"n1", addr(i)}] = NoAnswer
		}
		s.at(at).at(at + unverifiedClaimTimeout).at(at + sec).at(at + 2*sec).at(at + 3*sec)
	}
	at += 2 * time.Minute
	for i := range count {
		s.Claims.Learn(Claim{Addr: addr(i), Node: "n1", Incarnation: 1, Term: 20, Announced: true})
		s.Answers[Question{"n1", addr(i)}] = Answered
	}
	s.at(at).want().wantAsked("n1", maxDisputed).wantWait(askedFor)
	s.Answers[Question{"n1", addr(count - 1)}] = NoAnswer
	s.at(at + askedFor).want().at(at + 2*askedFor).want(count - 1).at(at + 3*askedFor).want(count - 1)
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
