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

func TestClaimStore_KeepsTheStrongest(t *testing.T) {
	store := newClaimStore()
	store.setWanted(begins, only("10.0.0.1", "10.0.0.2"))
	first, second, other := claim("10.0.0.1", "a", 1), claim("10.0.0.1", "b", 2), claim("10.0.0.2", "a", 1)
	added, stronger := store.merge(begins, []election.Claim{first, second, first, other, other})
	if !reflect.DeepEqual(added, []election.Claim{first, second, other}) || !reflect.DeepEqual(stronger, []election.Claim{second}) {
		t.Errorf("added %v, stronger %v", added, stronger)
	}
}

func TestClaimStore_ASnapshotDoesNotChangeAndIsShared(t *testing.T) {
	store := newClaimStore()
	store.merge(begins, []election.Claim{claim("10.0.0.1", "a", 1)})
	before := known(store)
	if reflect.ValueOf(before).Pointer() != reflect.ValueOf(known(store)).Pointer() {
		t.Error("it is copied though nothing was merged")
	}
	store.merge(begins, []election.Claim{claim("10.0.0.1", "b", 2)})
	if before[netip.MustParseAddr("10.0.0.1")].Node != "a" || known(store)[netip.MustParseAddr("10.0.0.1")].Node != "b" {
		t.Error("it has changed, or the store has not")
	}
	store.unwanted = 0
	store.expire(begins.Add(time.Hour))
	if len(before) != 1 || store.size() != 0 {
		t.Error("expiry has changed it")
	}
}

func TestClaimStore_ClaimsNobodyWantsExpireAndAreNotPassedOn(t *testing.T) {
	store := newClaimStore()
	store.unwanted = 0
	store.merge(begins, []election.Claim{claim("10.0.0.1", "a", 1), claim("10.0.0.2", "a", 1)})
	if n := len(store.all()); n != 2 {
		t.Errorf("before it is said what is wanted %d are passed on", n)
	}
	at := begins
	for _, step := range []struct {
		after       time.Duration
		want        map[netip.Addr]struct{}
		received    bool
		passed, has int
	}{
		{0, only("10.0.0.1"), false, 1, 2},
		{claimTimeout - time.Second, only("10.0.0.1"), false, 1, 2},
		{time.Second, only("10.0.0.1"), false, 1, 1},           // The second one was wanted last, and learned, 10 minutes ago.
		{0, nil, false, 0, 1},                                  // The first one is wanted until now,
		{claimTimeout - time.Second, nil, false, 0, 1},         // and kept for as long from now on,
		{0, nil, true, 0, 1},                                   // and when it is told again by a stronger claim,
		{claimTimeout - time.Second, nil, false, 0, 1},         // from then on.
		{0, only("10.0.0.1"), false, 1, 1},                     // Wanted again it is passed on again.
		{time.Second, only("10.0.0.1"), false, 1, 1},           // Wanted it stays.
		{100 * time.Hour, only("10.0.0.1"), false, 1, 1},       //
		{0, map[netip.Addr]struct{}{}, false, 0, 1},            //
		{claimTimeout, map[netip.Addr]struct{}{}, false, 0, 0}, //
		{time.Second, only("10.0.0.1"), false, 0, 0},           //
		{time.Second, only("10.0.0.1"), true, 1, 1},            //
	} {
		at = at.Add(step.after)
		store.setWanted(at, step.want)
		if step.received {
			store.merge(at, []election.Claim{claim("10.0.0.1", "a", uint64(at.Unix()))})
		}
		store.expire(at)
		if passed, has := len(store.all()), store.size(); passed != step.passed || has != step.has {
			t.Errorf("after %v: %d known, %d passed on; want %d and %d", at.Sub(begins), has, passed, step.has, step.passed)
		}
	}
}

func TestClaimStore_IsBoundedButTakesWhatIsWanted(t *testing.T) {
	store := newClaimStore()
	addr := netip.MustParseAddr("10.0.0.0")
	flood := make([]election.Claim, 0, maxClaims+1000)
	for range cap(flood) {
		addr = addr.Next()
		flood = append(flood, election.Claim{Addr: addr, Node: "a", Term: 1})
	}
	store.merge(begins, flood)
	if store.size() != maxClaims {
		t.Errorf("%d are known", store.size())
	}
	store.setWanted(begins, map[netip.Addr]struct{}{addr: {}})
	store.merge(begins, flood)
	if _, known := known(store)[addr]; !known || store.size() != maxClaims+1 {
		t.Errorf("the one that is wanted is known: %v, of %d", known, store.size())
	}
}

func TestClaimStore_MissedAreThoseReceivedSinceAndOurOwn(t *testing.T) {
	store := newClaimStore()
	old, own, recent := claim("10.0.0.1", "a", 1), claim("10.0.0.2", "self", 1), claim("10.0.0.3", "a", 1)
	store.merge(begins, []election.Claim{old, own})
	store.merge(begins.Add(time.Minute), []election.Claim{recent})
	got := election.Claims{}
	for _, each := range store.missed(begins.Add(time.Second), author{"self", 1}) {
		got.Learn(each)
	}
	if want := (election.Claims{own.Addr: own, recent.Addr: recent}); !reflect.DeepEqual(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	store.setWanted(begins, nil)
	if got := store.missed(begins, author{"self", 1}); len(got) > 0 {
		t.Errorf("of none that is wanted %v", got)
	}
}

// Nor does it matter who passes what on to whom.
func TestClaimStore_TheOrderOfMergingDoesNotMatter(t *testing.T) {
	claims := manyClaims(300)
	for i := range claims { // several to each address
		claims[i].Addr = claims[i%40].Addr
	}
	var want election.Claims
	for seed := range uint64(20) {
		rand.New(rand.NewPCG(seed, 2)).Shuffle(len(claims), func(i, j int) { claims[i], claims[j] = claims[j], claims[i] })
		first, second := newClaimStore(), newClaimStore()
		first.merge(begins, claims[:150])
		second.merge(begins, claims[100:])
		second.merge(begins, first.all())
		first.merge(begins, second.all())
		for _, store := range []*claimStore{first, second} {
			got := known(store)
			if want == nil {
				want = got
			}
			if !reflect.DeepEqual(got, want) {
				t.Fatalf("seed %d: got %v, want %v", seed, got, want)
			}
		}
	}
}

// A claim that was recorded when an address was in use is sent again when it has been given out anew, weeks later.
func TestClaimStore_WhatWasKnownIsStrongerThanWhatWasRecorded(t *testing.T) {
	store := newClaimStore()
	store.setWanted(begins, only("10.0.0.1"))
	recorded := claim("10.0.0.1", "a", 5)
	store.merge(begins, []election.Claim{recorded})
	store.merge(begins, []election.Claim{{Addr: recorded.Addr, Term: 6}}) // It was released when its Service went.
	store.setWanted(begins, only())
	later := begins.Add(1000 * time.Hour)
	store.expire(later)
	if digest := store.digest.Load(); digest != 0 {
		t.Errorf("with one claim that nobody wants the digest is %x", digest)
	}
	store.setWanted(later, only("10.0.0.1"))
	if added, _ := store.merge(later, []election.Claim{recorded}); len(added) > 0 {
		t.Errorf("the recorded claim counts: %v", added)
	}
}

// Of what nobody wants the latest are kept.
func TestClaimStore_OfUnwantedClaimsTheLatestStay(t *testing.T) {
	store := newClaimStore()
	store.unwanted = 2
	for i, addr := range []string{"10.0.0.4", "10.0.0.2", "10.0.0.3", "10.0.0.1"} {
		store.merge(begins.Add(time.Duration(i)*time.Second), []election.Claim{claim(addr, "a", 1)})
	}
	store.setWanted(begins, only("10.0.0.4"))
	store.expire(begins.Add(time.Hour))
	for addr, want := range map[string]bool{"10.0.0.1": true, "10.0.0.2": false, "10.0.0.3": true, "10.0.0.4": true} {
		if _, known := known(store)[netip.MustParseAddr(addr)]; known != want {
			t.Errorf("%s is known: %v", addr, known)
		}
	}
	if len(store.all()) != 1 || store.digest.Load() == 0 {
		t.Errorf("passed on are %v, with the digest %x", store.all(), store.digest.Load())
	}
}

// known are the claims that a store has.
func known(s *claimStore) election.Claims {
	claims, _ := s.snapshot()
	return claims
}
