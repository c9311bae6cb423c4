package handover

import (
	"net/netip"
	"slices"
	"testing"
	"time"
)

// An address that is not announced for a moment, or without connectionDraining, has its former holders again when it is back.
func TestMemory_AnAddressThatIsAwayForAMomentIsRemembered(t *testing.T) {
	for _, test := range []struct {
		name string
		away []Address
		held string
	}{
		{"it is not announced", nil, "n2"},
		{"another one is", []Address{{Addr: netip.MustParseAddr("192.0.2.1"), Holders: []string{"n1"}, Draining: draining}}, "n2"},
		{"it has no connectionDraining", []Address{{Addr: moved, Holders: []string{"n2"}, Draining: 0}}, "n2"},
		{"it comes back elsewhere", nil, "n3"},
	} {
		m, now := Memory{}, start
		next := func(addresses ...Address) Decision {
			return m.Next(Input{Now: now, Node: "n1", Addresses: addresses, Dead: func(string) bool { return false }})
		}
		next(Address{Addr: moved, Holders: []string{"n1"}, Draining: draining})
		if test.held == "n2" {
			next(Address{Addr: moved, Holders: []string{"n2"}, Draining: draining})
		}
		now = now.Add(time.Minute)
		if d := next(test.away...); len(d.Plan.Counted) > 0 || len(d.Left) > 0 {
			t.Errorf("%s: meanwhile it decided %+v", test.name, d)
		}
		now = now.Add(draining/2 - time.Minute)
		if d := next(Address{Addr: moved, Holders: []string{test.held}, Draining: draining}); !slices.Equal(addrsOf(d.Plan.Counted), []netip.Addr{moved}) {
			t.Errorf("%s: back, counted are %v", test.name, d.Plan.Counted)
		} else if left := d.Plan.Counted[0].For; left != d.Until[0].Sub(now) || left <= 0 || left > draining {
			t.Errorf("%s: back, it is counted for %v", test.name, left)
		}
		next()
		now = now.Add(draining)
		if next(); len(m.tracks) > 0 {
			t.Errorf("%s: after connectionDraining it remembers %v", test.name, m.tracks)
		}
	}
}

// Nobody counts the connections to an address that is away. When it is back, its former holders need time to do so and to say so.
func TestMemory_FormersOfAnAddressThatIsBackCountFirst(t *testing.T) {
	for _, test := range []struct {
		name  string
		away  time.Duration
		left  int
		after time.Duration
		want  []string
	}{
		{"it is just back", time.Minute, 0, 0, []string{"n2", "n1"}},
		{"they may still count", time.Minute, 0, settleTime - 1, []string{"n2", "n1"}},
		{"they have counted none", time.Minute, 0, settleTime, []string{"n2"}},
		{"they have counted some", time.Minute, 3, settleTime, []string{"n2", "n1"}},
		{"the time is not longer for it", draining - time.Second, 3, time.Second, []string{"n2"}},
	} {
		c := newCluster("n2", "n1") // n2 decides before it hears from n1
		c.hold("n1")
		c.hold("n2")
		c.draining = 0 // as if it were not announced
		c.hold("n2")
		c.now = c.now.Add(test.away)
		c.draining = draining
		c.decide()
		c.expectWay(t, test.name+", at once", "n2", "n1")
		if wait := c.last["n2"].Wait; wait != min(settleTime, draining-test.away) {
			t.Errorf("%s: again in %s", test.name, wait)
		}
		c.hold("n2")
		c.left["n1"] = test.left
		c.after(test.after)
		c.expectWay(t, test.name, test.want...)
	}
}

func TestMemory_AddressesThatAreAwayAreBounded(t *testing.T) {
	m := Memory{}
	address := func(i int) Address {
		return Address{Addr: netip.AddrFrom4([4]byte{198, 18, byte(i >> 8), byte(i)}), Holders: []string{"n1"}, Draining: draining}
	}
	for i := range maxAbsent + 2 {
		m.Next(Input{Now: start.Add(time.Duration(i)), Node: "n1", Addresses: []Address{address(i)}, Dead: func(string) bool { return false }})
	}
	if len(m.tracks) != maxAbsent+1 || m.tracks[0].addr != address(1).Addr || m.tracks[maxAbsent].addr != address(maxAbsent+1).Addr {
		t.Errorf("it remembers %d, from %s", len(m.tracks), m.tracks[0].addr)
	}
}

// What happened to an address is remembered for as long as anything may follow from it, whatever connectionDraining becomes meanwhile.
func TestMemory_EventsAreForgottenAfterTheLongestDraining(t *testing.T) {
	c := newCluster("n1", "n2", "n3")
	remembers := func(when string, want bool) {
		t.Helper()
		if got := c.memories["n1"].tracks[0].events != nil; got != want {
			t.Errorf("%s it remembers events: %v, want %v", when, got, want)
		}
	}
	c.hold("n1", "n2")
	remembers("of an address that it sees for the first time", false)
	c.hold("n1", "n2", "n3")
	remembers("when another node has come", true)
	c.after(maxDraining)
	remembers("a day later", true)
	c.after(RouteDelay)
	remembers("and a moment", false)
}
