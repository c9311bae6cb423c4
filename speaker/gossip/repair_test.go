package gossip

import (
	"math/rand/v2"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/daymark-lb/daymark/internal/core/detector"
	"github.com/daymark-lb/daymark/internal/core/election"
)

// A batch on a network that loses half of it, without anything of memberlist's that would bring it: as in a large cluster, where its
// exchanges are far apart, and gossip repeats a batch over minutes.
func TestClaims_WhatDatagramsLoseIsFoundByTheDigest(t *testing.T) {
	on := newNetwork()
	timing := withoutExchanges()
	timing.GossipInterval, timing.TCPTimeout = time.Hour, 10*time.Second
	all := gather(t, on, "127.7.0.", timing, "a", "b", "c")
	random := rand.New(rand.NewPCG(1, 2))
	on.lose(func(size int) bool { return size > 600 && random.IntN(2) == 0 })
	claims := manyClaims(2000)
	for i := range claims {
		claims[i].Node, claims[i].Incarnation = "a", all[0].Incarnation()
	}
	all[0].BroadcastClaims(claims)
	for _, s := range all {
		t.Logf("%s has all after %v", s.cfg.Node, s.awaits(t, "all claims", has(claims)))
	}
	on.lose(nil)
	// Then there is nothing more to do.
	eventually(t, "they agree", func() bool {
		return all[0].store().digest.Load() == all[1].store().digest.Load() && len(all[0].repairs)+len(all[1].repairs) == 0
	})
}

// Claims go on changing at two speakers, and the third has missed one.
func TestClaims_WhatIsLostIsFoundWhileOthersChange(t *testing.T) {
	timing := withoutExchanges()
	timing.GossipInterval = time.Hour
	all := gather(t, newNetwork(), "127.7.3.", timing, "a", "b", "c")
	term := uint64(0)
	change := func() {
		term++
		for i, s := range all[:2] {
			s.BroadcastClaims([]election.Claim{{
				Addr: netip.AddrFrom4([4]byte{198, 51, 100, byte(i)}), Node: s.cfg.Node, Incarnation: s.Incarnation(), Term: term,
			}})
		}
		time.Sleep(25 * ms)
	}
	lost := all[0].claims("192.0.2.99")
	all[0].store().merge(time.Now(), lost) // As if every datagram with it were lost.
	began := time.Now()
	for _, s := range all[1:] {
		for !has(lost)(s.View()) {
			if change(); time.Since(began) > 20*time.Second {
				t.Fatalf("%s has not got the claim that was lost", s.cfg.Node)
			}
		}
		t.Logf("%s has it after %v", s.cfg.Node, time.Since(began))
	}
}

// Claims of two speakers change all the time. That news is on its way is no reason to compare them all; that one is missing is.
func TestMembership_ComparesClaimsThatChangeOnlyWhenOneIsMissing(t *testing.T) {
	const delay, pings = 2 * ms, 50 * ms
	for _, test := range []struct {
		name string
		// rate is how many claims each of the two makes in a second.
		rate int
		lost bool
		// from and to are how often all claims are compared in a minute.
		from, to int
	}{
		{"seldom", 1, false, 0, 0},
		{"ten a second", 10, false, 0, 0},
		{"fifty a second", 50, false, 0, 0},
		{"two hundred a second", 200, false, 0, 0},
		{"seldom, and one is missing", 1, true, 1, 1},
		{"ten a second, and one is missing", 10, true, 1, 1},
		{"two hundred a second, and one is missing", 200, true, 1, 1},
	} {
		t.Run(test.name, func(t *testing.T) {
			m := New(Config{Node: "a", Keys: secrets("k")})
			m.peers.setListed(begins, "b", listing{1, versionRange{version1, newest}, gossipAt("127.0.0.1")}, true)
			random := rand.New(rand.NewPCG(1, uint64(test.rate)))
			ours, theirs, term, compared := newClaimStore(), newClaimStore(), uint64(0), 0
			type news struct {
				at    time.Time
				to    *claimStore
				claim election.Claim
			}
			var underway []news
			var missing election.Claim
			var said uint64
			for now := begins; now.Before(begins.Add(time.Minute)); now = now.Add(ms) {
				for _, maker := range []*claimStore{ours, theirs} {
					if random.IntN(1000) >= test.rate {
						continue
					}
					term++
					made, to := claim("10.0.0.1", "n", term), theirs
					if maker == theirs {
						made, to = claim("10.0.0.2", "n", term), ours
					}
					maker.merge(now, []election.Claim{made})
					underway = append(underway, news{now.Add(delay), to, made})
				}
				if test.lost && missing.Term == 0 && now.Sub(begins) > 10*time.Second {
					missing = claim("10.0.0.3", "n", 1)
					theirs.merge(now, []election.Claim{missing})
				}
				for len(underway) > 0 && !underway[0].at.After(now) {
					underway[0].to.merge(now, []election.Claim{underway[0].claim})
					underway = underway[1:]
				}
				switch now.Sub(begins) % pings {
				case 0:
					said = theirs.digest.Load()
				case delay:
					known := ours.digest.Load()
					had := known != said && ours.had(said)
					if _, due := m.peers.noteDifference(now, "b", known, said, had, 1); due {
						compared++
						ours.merge(now, theirs.all())
					}
				}
			}
			t.Logf("compared %d times", compared)
			if compared < test.from || compared > test.to {
				t.Errorf("claims are compared %d times, want %d to %d", compared, test.from, test.to)
			}
		})
	}
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
	other.merge(begins, claims[199:]) // What is not wanted has no digest.
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
	if other.digest.Load() != 0 {
		t.Error("nothing has a digest")
	}
}

// A firewall that lets TCP through and no datagram, from the beginning.
func TestMembership_SaysThatDatagramsDoNotGetThrough(t *testing.T) {
	on := newNetwork()
	timing := withSlowProbes()
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

	claims, state := a.unexchanged("192.0.2.1"), State{Known: true}
	a.BroadcastClaims(claims)
	b.awaits(t, "the claim", has(claims))
	a.BroadcastState(state)
	b.awaits(t, "the state", func(v View) bool { return v.Peers["a"].StateKnown })
	if v := a.View(); v.Returned > 0 {
		t.Errorf("%d returned", v.Returned)
	}
	on.lose(nil)
	a.awaits(t, "all is well", func(v View) bool { return alive("a", "b")(v) && v.Why == "" })
}

// unexchanged are claims that no exchange brings, because their addresses are not wanted: they are sent, or do not come.
func (s *speaker) unexchanged(addrs ...string) []election.Claim {
	s.SetWanted(map[netip.Addr]struct{}{})
	return s.claims(addrs...)
}

// What a speaker says is sent by TCP at once to those that datagrams do not reach, and not left to the next exchange.
func TestMembership_SendsByTCPWhatDatagramsDoNotBring(t *testing.T) {
	m := New(Config{Node: "self", Keys: secrets("k")})
	m.Set(map[string]ExpectedPeer{"a": {Address: gossipAt("127.0.0.1")}})
	m.peers.setListed(begins, "a", listing{1, versionRange{version1, version2}, gossipAt("127.0.0.1")}, true)
	for after := range 60 {
		m.peers.withDetector(func(d *detector.Detector) { d.Tick(begins.Add(time.Duration(after) * 50 * ms)) })
	}
	m.BroadcastState(State{Known: true})
	m.BroadcastClaims([]election.Claim{{Addr: netip.MustParseAddr("192.0.2.1"), Node: "self", Incarnation: m.Incarnation(), Term: 1}})
	for _, want := range []kind{kindState, kindClaims} {
		select {
		case r := <-m.repairs:
			if r.node != "a" || r.content == nil || r.kind != want {
				t.Errorf("%+v is sent, want a message of kind %v", r, want)
			}
		default:
			t.Errorf("no message of kind %v is sent", want)
		}
	}
}

// The same in the middle of things: that looks like a death for a moment, and is not taken for one for ever.
func TestMembership_ReturnsWhoIsReachedByTCPOnly(t *testing.T) {
	on := newNetwork()
	all := gather(t, on, "127.7.2.", withoutExchanges(), "a", "b")
	a, b := all[0], all[1]
	on.lose(func(int) bool { return true })
	a.awaits(t, "nothing comes from b", alive("a"))
	took := a.awaits(t, "it is there all the same", alive("a", "b"))
	t.Logf("taken back after %v", took)
	if took < 4*time.Second {
		t.Errorf("after %v: memberlist had no time to confirm a death", took)
	}
	claims := a.unexchanged("192.0.2.1")
	a.BroadcastClaims(claims)
	b.awaits(t, "the claim", has(claims))
	b.crash(t)
	took = a.awaits(t, "it is dead", alive("a"))
	t.Logf("its crash was found after %v", took)
}

// Who was cut off from all others hears them again. What they have claimed meanwhile comes only when they have heard it: until then
// what it knows is old, and it knows that.
func TestMembership_WhoReturnsLacksTheClaimsMadeMeanwhile(t *testing.T) {
	on := newNetwork()
	all := gather(t, on, "127.10.31.", Timing{}, "a", "b", "c")
	a, b, c := all[0], all[1], all[2]
	a.awaits(t, "that nothing is missing", func(v View) bool { return !v.ClaimsMissing })
	on.part(a, b, c)
	a.awaits(t, "that it is alone", alive("a"))
	b.awaits(t, "that a is gone", alive("b", "c"))
	meanwhile := manyClaims(1)
	meanwhile[0].Node, meanwhile[0].Incarnation = "b", b.Incarnation()
	b.BroadcastClaims(meanwhile)
	on.mute(a, b, c)
	a.awaits(t, "that somebody is heard", func(v View) bool { return len(v.Alive) > 1 })
	if v := a.View(); !v.ClaimsMissing || has(meanwhile)(v) {
		t.Errorf("claims are missing: %v; %v are there", v.ClaimsMissing, v.Claims)
	}
	on.heal()
	a.awaits(t, "that nothing is missing", func(v View) bool {
		if !v.ClaimsMissing && !has(meanwhile)(v) {
			t.Errorf("it says so with %v", v.Claims)
		}
		return !v.ClaimsMissing
	})
}

// Nothing has changed meanwhile, and it need not exchange all to know that.
func TestMembership_WhoReturnsAndAgreesLacksNothing(t *testing.T) {
	s := newPeerStore("a", 1, Timing{HeartbeatInterval: 50 * ms, HeartbeatMultiplier: 5})
	now := time.Now()
	heard := func(nodes ...string) {
		for _, node := range nodes {
			s.detector.Heard(now, node, 1, true)
		}
		s.latest()
	}
	for _, node := range []string{"b", "c"} {
		s.detector.Listed(now, node, 1, true)
	}
	heard("b", "c")
	if all := s.agreed("b"); all || !s.claimsMissing() {
		t.Error("of c nothing is known")
	}
	if all := s.agreed("c"); !all || s.claimsMissing() {
		t.Error("all agree")
	}
	for _, node := range []string{"b", "c"} {
		s.detector.Listed(now, node, 1, false)
	}
	for ; len(s.latest().alive) > 1; now = now.Add(10 * ms) {
		s.detector.Tick(now)
		s.detector.TakePings(now)
		s.detector.Evaluate(now)
	}
	if s.claimsMissing() {
		t.Error("nobody is alive who could have claimed anything")
	}
	now = time.Now()
	if heard("b"); !s.claimsMissing() {
		t.Error("b may have claimed something")
	}
	if all := s.agreed("b"); !all || s.claimsMissing() {
		t.Error("b has not, and nobody else was heard")
	}
}
