package election

import (
	"slices"
	"testing"
	"time"

	"github.com/daymark-lb/daymark/internal/core/shares"
)

// sharedBy returns the claim of n0 to address 0 with a table of the first so many nodes.
func sharedBy(nodes int) (Claims, shares.Table) {
	var servers []string
	for i := range nodes {
		servers = append(servers, nodeName(i))
	}
	table := shares.Divide(shares.Table{}, servers)
	return Claims{addr(0): {Addr: addr(0), Node: "n0", Incarnation: 1, Term: 1, Announced: true, Shares: table, Revision: 1}}, table
}

func sharedContest(nodes int) []Contest {
	all := contests(1, group(nodes))
	all[0].Shared = true
	return all
}

// shares asserts how many shares this node answers after the last decision, and that it holds the address or not.
func (s *fixture) shares(count int, holds bool) *fixture {
	s.t.Helper()
	var table shares.Table
	switch {
	case len(s.last.Hold) == 1 && holds:
		table = s.last.Hold[0].Shares
	case len(s.last.Serve) == 1 && !holds:
		table = s.last.Serve[0].Shares
	case count > 0 || holds:
		s.t.Fatalf("after %s %s holds %v and serves %v", s.Now.Sub(epoch), s.elector.node, s.last.Hold, s.last.Serve)
	}
	if got := table.Of(s.elector.node).Len(); got != count {
		s.t.Fatalf("after %s %s answers %d shares, not %d: %s", s.Now.Sub(epoch), s.elector.node, got, count, table)
	}
	return s
}

// serversAnswer lets servers of the address answer for it.
func (s *fixture) serversAnswer(nodes ...string) *fixture {
	s.Answers = map[Question]Answer{}
	for _, node := range nodes {
		s.Answers[Question{node, addr(0)}] = Answered
	}
	return s
}

// A claim by which a holder gives the address to its rival may be lost with it.
func TestServing_WhoIsGivenASharedAddressSaysSo(t *testing.T) {
	claims, _ := sharedBy(3)
	s := newFixture(t, 1, sharedContest(3), alive(3), claims).at(0).shares(20, false)
	s.Claims[addr(0)] = Claim{Addr: addr(0), Node: "n1", Incarnation: 1, Term: 2, Announced: true}
	s.at(ms).wantClaims(1)
	if claim := s.last.Claims[0]; claim.Node != "n1" || claim.Term != 2 || claim.Revision != 1 || claim.Shares.Shared() {
		t.Errorf("it says %+v", claim)
	}
	s.at(2 * ms).wantClaims(0)
}

func TestServing_TheHolderDividesWhatItHasAnnounced(t *testing.T) {
	s := newFixture(t, 0, sharedContest(3), alive(3), Claims{addr(0): {Addr: addr(0), Node: "n0", Incarnation: 1, Term: 1}})
	s.at(0).wantClaims(0)
	s.Answered = append(s.Answered, addr(0))
	s.at(ms).wantClaims(1)
	if claim := s.last.Claims[0]; claim.Term != 1 || claim.Revision != 1 || claim.Shares.Of("n2").Len() != 20 {
		t.Errorf("%+v", claim)
	}
	// It goes on with all clients until the others have answered, too, and for a moment.
	if s.at(2 * ms).wantClaims(0); s.last.Hold[0].Shares.Shared() || !slices.Contains(s.last.Ask, Question{"n2", addr(0)}) {
		t.Errorf("it goes by %s and asks %v", s.last.Hold[0].Shares, s.last.Ask)
	}
	if s.at(2*ms + lingering); s.last.Hold[0].Shares.Shared() {
		t.Errorf("it goes by %s before the others have answered", s.last.Hold[0].Shares)
	}
	s.serversAnswer("n1", "n2").at(3*ms+lingering).shares(20, true)
	s.contests[0].Shared = false
	s.at(time.Second).wantClaims(1)
	if claim := s.last.Claims[0]; claim.Term != 1 || claim.Revision != 2 || claim.Shares.Shared() {
		t.Errorf("%+v", claim)
	}
	// The others may not have stopped yet; this one answers all at once.
	if s.at(time.Second + ms).wantClaims(0); s.last.Hold[0].Shares.Shared() {
		t.Errorf("it goes by %s", s.last.Hold[0].Shares)
	}
}

// A server that is silent is asked; then its clients go to the others at once, whoever holds the address and whether he lives.
func TestServing_HeirsTakeOverWithoutAMessage(t *testing.T) {
	for _, dead := range []string{"n0", "n2"} {
		claims, table := sharedBy(3)
		s := newFixture(t, 1, sharedContest(3), alive(3), claims)
		s.at(0).shares(20, false)
		s.Live = map[string]uint64{"n0": 1, "n1": 1, "n2": 1}
		delete(s.Live, dead)
		s.Silent = map[string]uint64{dead: 1}
		s.at(100*ms).shares(20, false)
		q := Question{dead, addr(0)}
		if !slices.Contains(s.last.Ask, q) {
			t.Fatalf("asks %v", s.last.Ask)
		}
		s.Answers = map[Question]Answer{q: Answered}
		s.at(105*ms).shares(20, false)
		s.Answers[q] = NoAnswer
		s.at(110 * ms)
		served := s.last.Serve
		if len(served) == 0 { // It is the heir of the holder, too.
			served = []Service{{Shares: s.last.Hold[0].Shares}}
		}
		if got := served[0].Shares; got.Of("n1").Len() != 30 || got.Has(dead) || table.Of("n1")&^got.Of("n1") != 0 {
			t.Errorf("without %s it goes by %s", dead, got)
		}
	}
}

func TestServing_TheHolderSaysWhatTheOthersWorkedOut(t *testing.T) {
	claims, table := sharedBy(3)
	s := newFixture(t, 0, sharedContest(4), alive(4), claims)
	s.at(0).wantClaims(0).shares(20, true)
	s.Live = map[string]uint64{"n0": 1, "n1": 1, "n3": 1} // n2 has said that it leaves, and n3 is to serve later.
	s.at(ms).wantClaims(1).shares(30, true)
	if claim := s.last.Claims[0]; claim.Revision != 2 || claim.Shares != shares.Divide(table, []string{"n0", "n1"}) {
		t.Errorf("%+v", claim)
	}
}

// A server that the gossip is cut off from goes on by the table that it knows, and works out as the others do what becomes of the shares of one
// that is gone. Whom the holder refuses it may not know.
func TestServing_ASilentServerIsGivenNothingOfWhomTheHolderRefuses(t *testing.T) {
	for _, refused := range []bool{true, false} {
		claims, table := sharedBy(4)
		s := newFixture(t, 0, sharedContest(4), alive(4), claims)
		s.at(0).serversAnswer("n1", "n3").at(ms)
		delete(s.Live, "n3")
		s.Silent = map[string]uint64{"n3": 1}
		s.at(2*ms).serversAnswer("n1", "n3").at(3 * ms).wantClaims(0)
		want := table.Of("n3").Len()
		if refused {
			s.Answers[Question{"n2", addr(0)}] = NoAnswer
		} else {
			delete(s.Live, "n2")
			want = 20
		}
		s.at(proofTimeout).wantClaims(1)
		if next := s.last.Claims[0].Shares; next.Of("n3").Len() != want || next.Has("n2") {
			t.Errorf("refused: %t, after %s it makes %s", refused, table, next)
		}
		s.Live, s.Silent, s.Answers = map[string]uint64{"n0": 1, "n1": 1, "n3": 1}, nil, nil
		s.contests[0].Group = NewGroup([]Candidate{NewCandidate("n0", 0), NewCandidate("n1", 0), NewCandidate("n3", 0)})
		s.at(sec).at(sec+ms).serversAnswer("n1", "n3").at(2 * sec).at(2*sec + time.Minute)
		if next := s.Claims[addr(0)].Shares; !next.Balanced() || !next.Has("n3") {
			t.Errorf("refused: %t, when it is heard again it makes %s", refused, next)
		}
	}
}

// A node that joins takes a quarter, when addresses are evened out, and the others answer a moment longer.
func TestServing_AJoinerWaits(t *testing.T) {
	claims, _ := sharedBy(3)
	s := newFixture(t, 0, sharedContest(4), alive(4), claims)
	s.at(0).wantClaims(0)
	s.serversAnswer("n1", "n2").at(ms).wantClaims(0).wantWait(time.Minute - ms)
	s.at(time.Minute - ms).wantClaims(0)
	s.at(time.Minute).wantClaims(1)
	if moved := claims[addr(0)].Shares.Moved(s.last.Claims[0].Shares); moved.Len() != 15 {
		t.Errorf("%d shares move", moved.Len())
	}
	s.at(time.Minute+ms).shares(20, true).wantWait(lingering)
	s.serversAnswer("n3").at(time.Minute+ms+lingering).shares(15, true).wantWait(0)
}

func TestServing_ALeaverGoesOnUntilItHasHeirs(t *testing.T) {
	claims, table := sharedBy(3)
	s := newFixture(t, 2, sharedContest(3), alive(3), claims)
	s.at(0).shares(20, false)
	s.Live = map[string]uint64{"n0": 1, "n1": 1}
	s.at(ms).shares(20, false)
	taken := claims[addr(0)]
	taken.Shares, taken.Revision = shares.Divide(table, []string{"n0", "n1"}), 2
	s.Claims.Learn(taken)
	s.at(2*ms).shares(20, false)
	s.at(2*ms+lingering).shares(0, false)

	s = newFixture(t, 2, sharedContest(3), alive(3), claims)
	s.at(0)
	s.Live = map[string]uint64{"n0": 1, "n1": 1}
	s.at(ms)
	s.at(successorTimeout).shares(20, false)
	s.at(ms+successorTimeout).shares(0, false) // Nobody has taken it out of the table.
}

// What it holds it says nothing of any more: its own number is that of nobody then, as is that of a holder that is not known.
func TestServing_AHolderThatLeavesMakesNoTable(t *testing.T) {
	claims, _ := sharedBy(3)
	s := newFixture(t, 0, sharedContest(3), alive(3), claims).at(0).shares(20, true)
	s.Live = map[string]uint64{"n1": 1, "n2": 1}
	s.at(ms).wantClaims(0).shares(20, true)
	s.contests = contests(1, group(3)) // The address is not shared any more.
	for at := 2 * ms; at < successorTimeout; at += 50 * ms {
		s.at(at).wantClaims(0)
	}
	s.at(ms+successorTimeout).wantClaims(0).shares(0, false) // Nor does it serve what it holds no more.
}

// The claim by which it takes the address over has no table, and nothing else wakes it then.
func TestServing_AnHeirOfWhatIsNotSharedAnyMoreAnswersAllClients(t *testing.T) {
	claims, _ := sharedBy(2)
	s := newFixture(t, 1, sharedContest(2), alive(2), claims).at(0).shares(30, false)
	s.contests, s.Live = contests(1, group(2)), map[string]uint64{"n1": 1}
	s.at(ms).wantClaims(1).want(0).wantWait(ms)
	if s.at(2 * ms).want(0); s.last.Hold[0].Shares.Shared() {
		t.Errorf("it goes by %s", s.last.Hold[0].Shares)
	}
}

// Each part of a segment that is cut divides among its own servers, and the table stays as it is.
func TestServing_PartsDivideForThemselves(t *testing.T) {
	claims, table := sharedBy(3)
	s := newFixture(t, 0, sharedContest(3), alive(3), claims)
	cut := map[string]SegmentEdges{"n0": {Cut: []string{"n1", "n2"}}, "n1": {Cut: []string{"n0"}}}
	s.contests[0].Parts = NewParts(map[string][]string{"n0": {"n1", "n2"}, "n1": {"n2", "n0"}, "n2": {"n0", "n1"}}, cut)
	s.at(0).shares(20, true)
	s.Answers = map[Question]Answer{{"n1", addr(0)}: NoAnswer, {"n2", addr(0)}: NoAnswer}
	s.at(standInAfter-ms).shares(20, true)
	s.at(standInAfter).shares(60, true).wantClaims(0)
	s.contests[0].Parts = nil
	s.at(standInAfter + ms)
	s.at(standInAfter+ms+lingering).shares(20, true)
	if s.Claims[addr(0)].Shares != table {
		t.Errorf("the table is %s", s.Claims[addr(0)].Shares)
	}
}

// A server that goes on to announce the address to all hears nothing of its holder, and has taken its place: only one of them goes on.
func TestServing_AServerThatTakesOverUnheardIsARival(t *testing.T) {
	yields := 0
	for _, server := range []string{"n1", "n2", "n3", "n4"} {
		claims, _ := sharedBy(5)
		s := newFixture(t, 0, sharedContest(5), alive(5), claims)
		began := time.Minute
		heard := func(lasts time.Duration) *fixture {
			s.Rivals = []Rival{{
				Addr: addr(0), Node: server, Since: epoch, Last: epoch.Add(began + lasts), HeldSince: epoch.Add(began), Held: epoch.Add(began + lasts),
			}}
			s.Answers = map[Question]Answer{{server, addr(0)}: Answered}
			return s.at(began + lasts + ms)
		}
		heard(rivalTimeout - ms).wantClaims(0).wantDefended()
		if beats("n0", s.Rivals[0]) {
			heard(rivalTimeout).wantClaims(0).wantDefended(0)
			heard(rivalTimeout + time.Second - ms).wantClaims(0).wantDefended(0)
			heard(rivalTimeout + time.Second).wantDefended()
		} else {
			yields++
			heard(rivalTimeout).wantDefended()
		}
		s.wantClaims(1)
		if ceded := s.last.Claims[0]; ceded.Node != server || ceded.Term != 2 || ceded.Shares.Shared() {
			t.Errorf("%+v", ceded)
		}
	}
	if yields == 0 || yields == 4 {
		t.Errorf("it yields at once to %d of 4", yields)
	}
}

// Servers answer questions, and so are heard; that makes none of them a rival. A silent one that holds the address is.
func TestServing_ServersAreNoRivals(t *testing.T) {
	claims, table := sharedBy(3)
	s := newFixture(t, 0, sharedContest(3), alive(3), claims)
	heard := Rival{Addr: addr(0), Node: "n1", Since: epoch, Last: epoch.Add(time.Minute)}
	s.Rivals, s.Answers = []Rival{heard}, map[Question]Answer{{"n1", addr(0)}: Answered}
	if s.at(time.Minute).wantClaims(0).shares(20, true); len(s.last.Defend) > 0 {
		t.Errorf("defends %v", s.last.Defend)
	}
	s.Rivals[0].HeldSince = epoch.Add(time.Minute)
	s.Rivals[0].Held = epoch.Add(time.Minute) // It is alive, and so knows of this holder or will.
	s.at(time.Minute).wantClaims(0).shares(20, true)
	s.Rivals[0].Held = time.Time{}
	s.Live, s.Silent = map[string]uint64{"n0": 1, "n2": 1}, map[string]uint64{"n1": 1}
	s.at(time.Minute+ms).wantClaims(0).shares(20, true)
	s.Rivals[0].HeldSince, s.Rivals[0].Held = epoch, epoch.Add(time.Minute)
	s.at(time.Minute + 2*ms).wantClaims(1)
	if ceded := s.last.Claims[0]; ceded.Node != "n1" || ceded.Term != 2 || ceded.Shares != table { // To that one it is a server now, as n2 is.
		t.Errorf("%+v", ceded)
	}
}

// A silent server does not hear that it has lost its part, and goes on.
func TestServing_WhoServesByATableOfLongAgoIsNoRival(t *testing.T) {
	claims, _ := sharedBy(2)
	s := newFixture(t, 0, sharedContest(3), alive(2), claims)
	s.Silent = map[string]uint64{"n2": 1}
	s.Answers = map[Question]Answer{{"n2", addr(0)}: Answered}
	for i := range 10 {
		s.contests[0].Addr = addr(i)
		claim := claims[addr(0)]
		claim.Addr = addr(i)
		s.Claims[addr(i)] = claim
		s.Answers = map[Question]Answer{{"n2", addr(i)}: Answered}
		s.at(time.Duration(i)*sec).rivalAt("n2", i, 0, time.Duration(i)*sec).at(time.Duration(i)*sec + ms).wantClaims(0).wantDefended()
	}
}

// Who takes the address over has the table in its first claim.
func TestServing_ANewHolderGoesOnWithTheTable(t *testing.T) {
	claims, table := sharedBy(3)
	took := 0
	for node := 1; node <= 2; node++ {
		s := newFixture(t, node, sharedContest(3), alive(3), claims)
		s.at(0)
		s.Live = map[string]uint64{"n1": 1, "n2": 1}
		for _, claim := range s.at(ms).last.Claims {
			took++
			if claim.Term != 2 || claim.Shares != shares.Divide(table, []string{"n1", "n2"}) {
				t.Errorf("%+v", claim)
			}
		}
	}
	if took != 1 {
		t.Errorf("%d nodes take it", took)
	}
}

// Who is asked late, because it is asked about others first, has as long as those to answer.
func TestServing_TheHolderGoesOnUntilTheOthersHaveBeenAsked(t *testing.T) {
	const count, pause = 2*maxProving + 1, proofTimeout - 100*ms
	list, claims := contests(count, group(2)), Claims{}
	for i := range list {
		list[i].Shared = true
		claims[addr(i)] = Claim{Addr: addr(i), Node: "n0", Incarnation: 1, Term: 1}
	}
	s := newFixture(t, 0, list, alive(2), claims).at(0)
	for i := range list {
		s.Answered = append(s.Answered, addr(i))
	}
	s.at(ms).wantClaims(count).at(2 * ms)
	s.Answers = map[Question]Answer{}
	wantAll := func(at time.Duration) {
		t.Helper()
		if s.at(at); s.last.Hold[count-1].Shares.Shared() {
			t.Fatalf("after %s it does not go on", at)
		}
	}
	for range 2 {
		wantAll(s.Now.Sub(epoch) + pause) // The second time it has waited for longer than an answer may take.
		for _, q := range s.last.Ask {
			s.Answers[q] = Answered
		}
		wantAll(s.Now.Sub(epoch) + ms)
		wantAll(s.Now.Sub(epoch) + ms)
	}
	asked := s.Now.Sub(epoch) - ms
	if !slices.Contains(s.last.Ask, Question{"n1", addr(count - 1)}) {
		t.Fatalf("asks %v", s.last.Ask)
	}
	wantAll(asked + lingering + proofTimeout - ms)
	if s.at(asked + lingering + proofTimeout + ms); !s.last.Hold[count-1].Shares.Shared() {
		t.Error("it goes on")
	}
}

// It hears nobody any more, so it finds out by itself that one of the others does not answer. The holder, who refuses that one, cannot know this.
// Some clients have two answers then, and none has no answer.
func TestServing_AServerThatHearsNobodyLeavesNoClientWithoutAnAnswer(t *testing.T) {
	claims, table := sharedBy(4)
	holder := newFixture(t, 0, sharedContest(4), alive(4), claims)
	holder.at(0).serversAnswer("n1", "n3").at(ms)
	delete(holder.Live, "n3")
	holder.Silent = map[string]uint64{"n3": 1}
	holder.at(2*ms).serversAnswer("n1", "n3").at(3 * ms)
	holder.Answers[Question{"n2", addr(0)}] = NoAnswer
	next := holder.at(proofTimeout).wantClaims(1).last.Claims[0].Shares

	s := newFixture(t, 3, sharedContest(4), alive(4), claims).at(0).at(ms)
	s.Live, s.Silent = map[string]uint64{"n3": 1}, map[string]uint64{"n0": 1, "n1": 1, "n2": 1}
	s.Answers = map[Question]Answer{{"n0", addr(0)}: Answered, {"n1", addr(0)}: Answered, {"n2", addr(0)}: NoAnswer}
	s.at(2 * ms).at(3 * ms)
	own := s.last.Serve[0].Shares.Of("n3")
	if twice := own &^ next.Of("n3"); twice.Len() != 5 || next.Of("n3")&^own != 0 || next.Of("n3") != table.Of("n3") {
		t.Errorf("%d shares have two servers: by %s, and %s", twice.Len(), next, s.last.Serve[0].Shares)
	}
}
