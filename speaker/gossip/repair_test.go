package gossip

import (
	"math/rand/v2"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/daymark-lb/daymark/internal/core/election"
)

// A batch that is far too large to be repeated by gossip soon, on a network that loses half of it, without any of memberlist's
// own exchanges: as in a large cluster, where those are far apart.
func TestClaims_WhatDatagramsLoseIsFoundByTheDigest(t *testing.T) {
	on := newNetwork()
	timing, _ := Preset(Fast)
	timing.PushPullInterval = time.Hour
	all := gather(t, on, "127.7.0.", timing, "a", "b", "c")
	random := rand.New(rand.NewPCG(1, 2))
	on.lose(func(size int) bool { return size > 600 && random.IntN(2) == 0 })
	claims := manyClaims(5000)
	for i := range claims {
		claims[i].Node, claims[i].Incarnation = "a", all[0].Incarnation()
	}
	all[0].BroadcastClaims(claims)
	for _, s := range all {
		took := s.awaits(t, "all claims", has(claims))
		t.Logf("%s has all after %v", s.cfg.Node, took)
		if took > soon {
			t.Errorf("it took %v", took)
		}
	}
	on.lose(nil)
	// Then there is nothing more to do.
	eventually(t, "they agree", func() bool {
		return all[0].store().digest.Load() == all[1].store().digest.Load() && len(all[0].repairs)+len(all[1].repairs) == 0
	})
}

// store is the store, which the harness hides.
func (s *speaker) store() *claimStore { return s.Membership.claims }

// The sum is that of the claims that are passed on, whatever came in which order.
func TestClaimStore_TheDigestIsThatOfWhatIsPassedOn(t *testing.T) {
	claims := manyClaims(200)
	wanted := map[netip.Addr]struct{}{}
	for _, claim := range claims[:100] {
		wanted[claim.Addr] = struct{}{}
	}
	one, other := newClaimStore(), newClaimStore()
	one.merge(begins, claims)
	one.setWanted(begins, wanted)
	other.setWanted(begins, wanted)
	other.merge(begins, claims[199:]) // The digest is 0 only before the first one, wanted or not.
	for _, i := range rand.Perm(len(claims)) {
		weaker := claims[i]
		weaker.Node, weaker.Term = "before", 0
		if i%2 == 0 {
			other.merge(begins, []election.Claim{weaker})
		}
		before := other.digest.Load()
		other.merge(begins, []election.Claim{claims[i]})
		if _, is := wanted[claims[i].Addr]; is == (other.digest.Load() == before) {
			t.Fatalf("a claim that is wanted changes it, and no other: %v", is)
		}
	}
	if one.digest.Load() != other.digest.Load() || one.digest.Load() == 0 {
		t.Errorf("%x and %x", one.digest.Load(), other.digest.Load())
	}
	marked := claims[0]
	marked.Announced = true
	one.merge(begins, []election.Claim{marked})
	if one.digest.Load() == other.digest.Load() {
		t.Error("the mark is not in it")
	}
	other.merge(begins, []election.Claim{marked})
	other.expire(begins.Add(time.Hour))
	if one.digest.Load() != other.digest.Load() {
		t.Error("what is not passed on is in it")
	}
	other.setWanted(begins, nil)
	other.expire(begins.Add(time.Hour))
	if other.digest.Load() != 0 {
		t.Error("nothing has a digest")
	}
}

// A firewall that lets TCP through and no datagram, from the beginning.
func TestMembership_SaysThatDatagramsDoNotGetThrough(t *testing.T) {
	on := newNetwork()
	timing, _ := Preset(Fast)
	timing.PushPullInterval = time.Hour
	on.lose(func(int) bool { return true })
	var all []*speaker
	for i, node := range []string{"a", "b"} {
		at := gossipAt([]string{"127.7.1.1", "127.7.1.2"}[i])
		all = append(all, beginWith(t, Config{Node: node, Bind: at, Keys: secrets("k"), Timing: timing}, on))
	}
	meet(t, all...)
	a, b := all[0], all[1]
	a.awaits(t, "it takes part", alive("a", "b"))
	b.awaits(t, "it takes part", alive("a", "b"))
	const want = "datagrams do not get through from b at 127.7.1.2:7946, TCP does: is the UDP port blocked?"
	a.awaits(t, "it says so", func(v View) bool { return v.Known && strings.Contains(v.Why, want) })
	b.awaits(t, "so does the other", func(v View) bool { return strings.Contains(v.Why, "datagrams do not get through from a") })

	claims, state := a.claims("192.0.2.1"), State{Known: true}
	a.BroadcastClaims(claims)
	if took := b.awaits(t, "the claim", has(claims)); took > 500*ms {
		t.Errorf("a claim took %v", took)
	}
	a.BroadcastState(state)
	if took := b.awaits(t, "the state", func(v View) bool { return v.Peers["a"].StateKnown }); took > 500*ms {
		t.Errorf("a state took %v", took)
	}
	if v := a.View(); v.Returned > 0 {
		t.Errorf("%d returned", v.Returned)
	}
	on.lose(nil)
	a.awaits(t, "all is well", func(v View) bool { return alive("a", "b")(v) && v.Why == "" })
}

// The same in the middle of things: that looks like a death for a moment, and is not taken for one for ever.
func TestMembership_ReturnsWhoIsReachedByTCPOnly(t *testing.T) {
	on := newNetwork()
	timing, _ := Preset(Fast)
	timing.PushPullInterval = time.Hour
	all := gather(t, on, "127.7.2.", timing, "a", "b")
	a, b := all[0], all[1]
	on.lose(func(int) bool { return true })
	a.awaits(t, "nothing comes from b", alive("a"))
	took := a.awaits(t, "it is there all the same", alive("a", "b"))
	t.Logf("taken back after %v", took)
	if took < 4*time.Second {
		t.Errorf("after %v: memberlist had no time to confirm a death", took)
	}
	claims := a.claims("192.0.2.1")
	a.BroadcastClaims(claims)
	if took := b.awaits(t, "the claim", has(claims)); took > 500*ms {
		t.Errorf("a claim took %v", took)
	}
	b.crash(t)
	took = a.awaits(t, "it is dead", alive("a"))
	t.Logf("its crash was found after %v", took)
}
