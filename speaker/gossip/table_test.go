package gossip

import (
	"math/rand/v2"
	"net/netip"
	"reflect"
	"testing"
	"time"

	"github.com/daymark-lb/daymark/internal/core/election"
)

func only(addrs ...string) map[netip.Addr]struct{} {
	want := map[netip.Addr]struct{}{}
	for _, addr := range addrs {
		want[netip.MustParseAddr(addr)] = struct{}{}
	}
	return want
}

func claim(addr, node string, term uint64) election.Claim {
	return election.Claim{Addr: netip.MustParseAddr(addr), Node: node, Incarnation: 1, Term: term}
}

func TestTheTableKeepsTheStrongest(t *testing.T) {
	table := newTable()
	table.setWant(begins, only("10.0.0.1", "10.0.0.2"))
	first, second, other := claim("10.0.0.1", "a", 1), claim("10.0.0.1", "b", 2), claim("10.0.0.2", "a", 1)
	news, stronger := table.learn(begins, []election.Claim{first, second, first, other, other})
	if !reflect.DeepEqual(news, []election.Claim{first, second, other}) || !reflect.DeepEqual(stronger, []election.Claim{second}) {
		t.Errorf("news %v, stronger %v", news, stronger)
	}
}

func TestASnapshotDoesNotChangeAndIsNotMadeAgain(t *testing.T) {
	table := newTable()
	table.learn(begins, []election.Claim{claim("10.0.0.1", "a", 1)})
	before := table.snapshot()
	if reflect.ValueOf(before).Pointer() != reflect.ValueOf(table.snapshot()).Pointer() {
		t.Error("it is made again though nothing was learned")
	}
	table.learn(begins, []election.Claim{claim("10.0.0.1", "b", 2)})
	if before[netip.MustParseAddr("10.0.0.1")].Node != "a" || table.snapshot()[netip.MustParseAddr("10.0.0.1")].Node != "b" {
		t.Error("it has changed, or the table has not")
	}
	table.sweep(begins.Add(time.Hour))
	if len(before) != 1 || table.size() != 0 {
		t.Error("sweeping has changed it")
	}
}

func TestClaimsNobodyWantsAreKeptForAWhileAndNotPassedOn(t *testing.T) {
	table := newTable()
	table.learn(begins, []election.Claim{claim("10.0.0.1", "a", 1), claim("10.0.0.2", "a", 1)})
	if n := len(table.wanted()); n != 2 {
		t.Errorf("before it is said what is wanted %d are passed on", n)
	}
	at := begins
	for _, step := range []struct {
		after       time.Duration
		want        map[netip.Addr]struct{}
		told        bool
		passed, has int
	}{
		{0, only("10.0.0.1"), false, 1, 2},
		{keepFor - time.Second, only("10.0.0.1"), false, 1, 2},
		{time.Second, only("10.0.0.1"), false, 1, 1},      // The second one was wanted last, and learned, 10 minutes ago.
		{0, nil, false, 0, 1},                             // The first one is wanted until now,
		{keepFor - time.Second, nil, false, 0, 1},         // and kept for as long from now on,
		{0, nil, true, 0, 1},                              // and when it is told again by a stronger claim,
		{keepFor - time.Second, nil, false, 0, 1},         // from then on.
		{0, only("10.0.0.1"), false, 1, 1},                // Wanted again it is passed on again.
		{time.Second, only("10.0.0.1"), false, 1, 1},      // Wanted it stays.
		{100 * time.Hour, only("10.0.0.1"), false, 1, 1},  //
		{0, map[netip.Addr]struct{}{}, false, 0, 1},       //
		{keepFor, map[netip.Addr]struct{}{}, false, 0, 0}, //
		{time.Second, only("10.0.0.1"), false, 0, 0},      //
		{time.Second, only("10.0.0.1"), true, 1, 1},       //
	} {
		at = at.Add(step.after)
		table.setWant(at, step.want)
		if step.told {
			table.learn(at, []election.Claim{claim("10.0.0.1", "a", uint64(at.Unix()))})
		}
		table.sweep(at)
		if passed, has := len(table.wanted()), table.size(); passed != step.passed || has != step.has {
			t.Errorf("after %v: %d known, %d passed on; want %d and %d", at.Sub(begins), has, passed, step.has, step.passed)
		}
	}
}

func TestTheTableIsBoundedButTakesWhatIsWanted(t *testing.T) {
	table := newTable()
	addr := netip.MustParseAddr("10.0.0.0")
	flood := make([]election.Claim, 0, mostClaims+1000)
	for range cap(flood) {
		addr = addr.Next()
		flood = append(flood, election.Claim{Addr: addr, Node: "a", Term: 1})
	}
	table.learn(begins, flood)
	if table.size() != mostClaims {
		t.Errorf("%d are known", table.size())
	}
	table.setWant(begins, map[netip.Addr]struct{}{addr: {}})
	table.learn(begins, flood)
	if _, known := table.snapshot()[addr]; !known || table.size() != mostClaims+1 {
		t.Errorf("the one that is wanted is known: %v, of %d", known, table.size())
	}
}

func TestWhatOneHasMissedIsWhatWasLearnedSinceAndItsTellersOwn(t *testing.T) {
	table := newTable()
	old, own, recent := claim("10.0.0.1", "a", 1), claim("10.0.0.2", "self", 1), claim("10.0.0.3", "a", 1)
	table.learn(begins, []election.Claim{old, own})
	table.learn(begins.Add(time.Minute), []election.Claim{recent})
	got := election.Claims{}
	for _, each := range table.missed(begins.Add(time.Second), "self", 1) {
		got.Learn(each)
	}
	if want := (election.Claims{own.Addr: own, recent.Addr: recent}); !reflect.DeepEqual(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	table.setWant(begins, nil)
	if got := table.missed(begins, "self", 1); len(got) > 0 {
		t.Errorf("of none that is wanted %v", got)
	}
}

// TestTheOrderOfLearningDoesNotMatter, nor does who passes what on to whom.
func TestTheOrderOfLearningDoesNotMatter(t *testing.T) {
	claims := manyClaims(300)
	for i := range claims { // several to each address
		claims[i].Addr = claims[i%40].Addr
	}
	var want election.Claims
	for seed := range uint64(20) {
		rand.New(rand.NewPCG(seed, 2)).Shuffle(len(claims), func(i, j int) { claims[i], claims[j] = claims[j], claims[i] })
		first, second := newTable(), newTable()
		first.learn(begins, claims[:150])
		second.learn(begins, claims[100:])
		second.learn(begins, first.wanted())
		first.learn(begins, second.wanted())
		for _, table := range []*table{first, second} {
			got := table.snapshot()
			if want == nil {
				want = got
			}
			if !reflect.DeepEqual(got, want) {
				t.Fatalf("seed %d: got %v, want %v", seed, got, want)
			}
		}
	}
}
