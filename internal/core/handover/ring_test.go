package handover

import (
	"fmt"
	"net/netip"
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/daymark-lb/daymark/internal/core/lb"
)

func TestMemory_SeveralHolders(t *testing.T) {
	c := newCluster("n1", "n2", "n3", "n4")
	c.hold("n1", "n2", "n3")
	c.after(draining)
	c.expectWay(t, "a set that has not changed for long", "n2")
	c.hold("n2", "n3")
	c.expectWay(t, "one has drained", "n2", "n3", "n1")
	c.expectWay(t, "and from the other", "n3", "n1", "n2")
	c.hold("n2", "n3", "n4")
	c.expectWay(t, "one has come", "n4", "n1", "n2", "n3")
	c.left["n1"] = 0
	c.after(settleTime)
	c.expectWay(t, "the former one has no connection left", "n3", "n4", "n2")
	c.dead["n3"] = true
	c.hold("n2", "n4")
	c.expectWay(t, "one has crashed", "n2", "n4")
	c.after(draining)
	c.expectWay(t, "the time is up", "n2")
	c.suspects = []string{"n4"}
	c.hold("n2", "n4")
	c.expectWay(t, "one is suspected", "n2", "n4")
	c.suspects = nil
	c.hold("n2", "n4")
	c.expectWay(t, "for no reason", "n2")
	c.disturbed["n4"] = true
	c.hold("n2", "n4")
	delete(c.disturbed, "n4")
	c.hold("n2", "n4")
	c.expectWay(t, "a session may have gone", "n2", "n4")
}

// The routers hear of a node that joins others when those have begun to pass on, and of nodes that begin together at once.
// A node that is drained tells the others, and its router 0.3 s later. The objects may come to them later than both.
func TestMemory_TheWordOfANodeThatLeavesCountsBeforeTheObjects(t *testing.T) {
	c := newCluster("n1", "n2", "n3")
	c.hold("n1", "n2", "n3")
	c.after(draining)
	c.expectWay(t, "after a long time", "n2")
	in := c.input("n2")
	in.Peers["n1"] = Peer{Vias: vias(address4("n1")), Left: []netip.Addr{moved}, Complete: true, PassesOn: true}
	c.last["n2"] = c.memories["n2"].Next(in)
	if p := c.last["n2"].Plan.Passages; len(p) != 1 || p[0] != (Passage{moved, address4("n3"), 2}) {
		t.Errorf("n1 says that it has left: %+v", p)
	}
	c.after(time.Second)
	if p := c.last["n2"].Plan.Passages; len(p) != 1 {
		t.Errorf("its word may be old: %+v", p)
	}
	c.after(draining)
	c.expectWay(t, "a long time after that", "n2")
}

func TestMemory_WhoJoinsOthersWaits(t *testing.T) {
	c := newCluster("n1", "n2", "n3")
	expect := func(what string, want ...string) {
		t.Helper()
		var got []string
		for _, node := range c.nodes {
			if until, joined := c.last[node].Joined[moved]; joined {
				got = append(got, node)
				if left := until.Sub(c.now); left <= 0 || left > RouteDelay {
					t.Errorf("%s: %s waits for %v", what, node, left)
				}
			}
		}
		if !slices.Equal(got, want) {
			t.Errorf("%s: %v wait, want %v", what, got, want)
		}
	}
	c.hold("n1", "n2")
	expect("they begin together")
	c.hold("n1", "n2", "n3")
	expect("one joins two", "n3")
	c.after(RouteDelay - 1)
	expect("a moment later", "n3")
	c.after(1)
	expect("when the others know")
	c.hold("n1")
	c.hold("n2")
	expect("one comes as the other goes")
	c.hold()
	c.hold("n1", "n3")
	expect("nobody was there")
	c.memories["n2"] = &Memory{}
	c.hold("n1", "n2", "n3")
	expect("a speaker that has just started does not know since when")
}

// The load is to follow the pods within 0.2 s, also the first and the last pod of a node. While all nodes pass on already, routers hear at once.
func TestMemory_NothingWaitsWhileAllPassOn(t *testing.T) {
	c := newCluster("n1", "n2", "n3", "n4")
	expect := func(what, joined, gone string) {
		t.Helper()
		gotJoined, gotGone := "", ""
		for _, node := range c.nodes {
			if _, is := c.last[node].Joined[moved]; is {
				gotJoined += node
			}
			if until, is := c.last[node].Gone[moved]; is {
				if gotGone += node; until.Sub(c.now) > RouteDelay {
					t.Errorf("%s: %s waits until %s", what, node, until)
				}
			}
		}
		if gotJoined != joined || gotGone != gone {
			t.Errorf("%s: %q joined and %q gone wait, want %q and %q", what, gotJoined, gotGone, joined, gone)
		}
	}
	c.hold("n1", "n2", "n3")
	c.after(draining)
	c.hold("n1", "n2")
	expect("the first that leaves after a long time", "", "n3")
	c.after(RouteDelay - 1)
	expect("a moment later", "", "n3")
	c.hold("n1", "n2", "n4")
	expect("one comes while not all may know", "n4", "n3")
	c.after(1)
	c.hold("n1", "n2", "n3", "n4")
	expect("one comes back when all know", "n4", "")
	c.after(draining / 2)
	c.hold("n1", "n3", "n4")
	expect("another leaves within connectionDraining", "", "")
	c.after(draining - watchLag - 1)
	c.hold("n1", "n2", "n3", "n4")
	expect("it is back within connectionDraining of that", "", "")
	c.after(draining - watchLag)
	c.hold("n1", "n3", "n4")
	expect("it leaves when others may be about to end", "", "n2")
	c.after(RouteDelay)
	c.hold("n1", "n2", "n3", "n4")
	c.memories["n2"] = &Memory{}
	c.after(draining)
	c.hold("n1", "n3", "n4")
	expect("after a long time", "", "n2")
	c.after(RouteDelay)
	c.memories["n2"] = &Memory{}
	c.after(time.Second)
	c.hold("n1", "n2", "n3", "n4")
	expect("a speaker that has just started does not know whether all pass on", "n2", "")
	c.after(RouteDelay)
	c.hold("n1")
	expect("all but one go", "", "")
	c.hold("n1", "n2")
	expect("one was there alone", "n2", "")
}

// The load is to follow the first and the last pod of a node within 0.2 s as well, also after a long time in which nothing has changed. What else
// makes a node join and leave waits until the others have heard of it.
func TestMemory_WhatFollowsEndpointsWaitsForAMomentOnly(t *testing.T) {
	for _, test := range []struct {
		name           string
		before, follow bool
		behind, want   time.Duration
	}{
		{"an endpoint", true, true, 0, endpointDelay},
		{"it is drained, or drained no more", true, false, 0, RouteDelay},
		{"it is selected, or the policy becomes Local", false, true, 0, RouteDelay},
		{"an endpoint in a large cluster", true, true, RouteDelay / 2, RouteDelay / 2},
		{"an endpoint in a very large one", true, true, time.Second, RouteDelay},
	} {
		for _, joins := range []bool{true, false} {
			m := &Memory{}
			in := Input{
				Now: start, Behind: test.behind, Node: "n1", Dead: func(string) bool { return false },
				Addresses: []Address{{Addr: moved, Holders: []string{"n1", "n2", "n3"}, Draining: draining, Follows: test.before}},
			}
			after := []string{"n2", "n3"}
			if joins {
				in.Addresses[0].Holders, after = after, in.Addresses[0].Holders
			}
			m.Next(in)
			in.Now = start.Add(draining)
			in.Addresses = []Address{{Addr: moved, Holders: after, Draining: draining, Follows: test.follow, Revision: 1}}
			d := m.Next(in)
			if _, turned := d.Turned[moved]; turned != !test.follow {
				t.Errorf("%s, joins %t: it is held as one that is divided anew: %t", test.name, joins, turned)
			}
			moments := d.Gone
			if joins {
				in.Now, moments = start.Add(draining), m.Next(in).Joined
			}
			if test.follow && !test.before && !joins {
				if len(moments) > 0 {
					t.Errorf("the policy becomes Local, and it has no endpoint: it waits until %v", moments)
				}
				continue
			}
			if got := moments[moved].Sub(in.Now); got != test.want {
				t.Errorf("%s, joins %t: it waits %v, not %v", test.name, joins, got, test.want)
			}
			in.Now = in.Now.Add(test.want)
			if d := m.Next(in); len(d.Joined)+len(d.Gone) > 0 {
				t.Errorf("%s, joins %t: later: %v, %v", test.name, joins, d.Joined, d.Gone)
			}
		}
	}
}

// A node that does not pass on, because it is unable or of an earlier version, does not cut a ring.
func TestMemory_ARingGoesRoundANodeThatDoesNotPassOn(t *testing.T) {
	c := newCluster("n1", "n2", "n3")
	c.unable["n2"] = true
	c.hold("n1", "n2", "n3")
	c.expectWay(t, "n2 does not pass on", "n1", "n3")
	c.expectWay(t, "and from the other", "n3", "n1")
	c.unable["n3"] = true
	c.hold("n1", "n2", "n3")
	if got := c.way(t, "n1"); len(got) < 2 || got[1] != "n2" {
		t.Errorf("no other passes on, and the way is %v", got)
	}
}

// What a node lacks for IPv6 is no matter of IPv4.
func TestMemory_ANodeMayPassOnPacketsOfOneFamily(t *testing.T) {
	for _, test := range []struct {
		only lb.Family
		want []string
	}{{lb.IPv4, []string{"n1", "n2", "n3"}}, {lb.IPv6, []string{"n1", "n3"}}} {
		c := newCluster("n1", "n2", "n3")
		c.unable["n2"], c.only["n2"] = true, test.only
		c.hold("n1", "n2", "n3")
		c.expectWay(t, fmt.Sprintf("n2 passes on packets of %s alone", test.only), test.want...)
		c.partial["n2"] = true
		c.hold("n1", "n2", "n3")
		c.expectWay(t, fmt.Sprintf("its speaker has restarted, %s alone", test.only), test.want...)
	}
}

// A node that was drained and is switched off does not break the connections of those that stay, nor does it when it boots.
func TestMemory_ARingGoesRoundANodeThatIsSwitchedOff(t *testing.T) {
	c := newCluster("n1", "n2", "n3")
	c.hold("n1", "n2", "n3")
	c.hold("n1", "n3")
	c.expectWay(t, "n2 is drained", "n1", "n2", "n3")
	c.away["n2"], c.off = true, []string{"n2"}
	c.hold("n1", "n3")
	c.expectWay(t, "n2 is off", "n1", "n3")
	c.after(lostDelay)
	c.off = nil
	c.hold("n1", "n3")
	c.expectWay(t, "n2 boots", "n1", "n3")
	c.away["n2"], c.memories["n2"], c.said["n2"] = false, &Memory{}, false
	c.hold("n1", "n2", "n3")
	c.expectWay(t, "n2 is back", "n1", "n2", "n3")
}

// All speakers are restarted, one after the other, while all nodes have connections: at no moment is one left out, neither before the others have
// heard all of what its next speaker says, nor before that knows who holds the address.
func TestMemory_ARollOutLeavesNoNodeOut(t *testing.T) {
	c := newCluster("n1", "n2", "n3")
	all := slices.Clone(c.nodes)
	expect := func(what string) {
		t.Helper()
		for _, holder := range c.holders {
			way := slices.Sorted(slices.Values(c.way(t, holder)))
			if !slices.Equal(way, all) {
				t.Errorf("%s: a packet that comes in by %s visits %v", what, holder, way)
			}
		}
	}
	c.hold(all...)
	for _, n := range all {
		others := slices.DeleteFunc(slices.Clone(all), func(other string) bool { return other == n })
		c.hold(others...)
		expect(n + " hands over what it holds")
		c.away[n] = true
		c.after(time.Second)
		expect(n + " has ended")
		c.away[n], c.partial[n], c.memories[n], c.found[n] = false, true, &Memory{}, c.last[n].Plan.Counted
		c.hold(others...)
		expect(n + " is back")
		c.partial[n] = false
		c.hold(others...)
		expect(n + " has said all")
		c.hold(all...)
		expect(n + " holds again")
	}
}

// A node that has no connections left and says so is asked for a while by those that have not heard it. It leads on, for its own kernel would
// take what it is sent for the beginning of a connection.
func TestMemory_AFormerHolderLeadsOnUntilAllKnow(t *testing.T) {
	for _, holders := range [][]string{{"n2", "n3"}, {"n3"}} {
		c := newCluster("n1", "n2", "n3")
		c.hold("n1", "n2", "n3")
		c.left["n1"], c.left["n2"] = 0, 1
		c.hold(holders...)
		c.after(settleTime / 2)
		c.memories["n3"] = &Memory{}
		c.hold(holders...)
		c.after(settleTime / 2)
		if c.said["n1"] {
			t.Fatal("n1 says that it has connections")
		}
		c.expectWay(t, fmt.Sprintf("%v hold it, and a speaker that began since knows n1 by its word", holders), "n3", "n2")
		late := c.input("n3")
		late.Peers["n1"] = Peer{Vias: vias(address4("n1")), Complete: true, PassesOn: true, Left: []netip.Addr{moved}}
		c.last["n3"] = c.memories["n3"].Next(late)
		c.expectWay(t, fmt.Sprintf("%v hold it, and n3 has not heard that n1 has no connections left", holders), "n3", "n1", "n2")
		for range 5 {
			if c.after(settleTime / 5); c.said["n1"] || len(c.last["n1"].Plan.Counted) > 0 {
				t.Error("n1 counts again, or says that it has connections")
			}
		}
		c.expectWay(t, "all know", "n3", "n2")
		if leads := c.last["n1"].Plan.Passages; len(leads) != 1 || leads[0].Via != address4("n2") {
			t.Errorf("what is under way is led on by %v", leads)
		}
		if c.after(lingerTime); len(c.last["n1"].Plan.Passages) > 0 {
			t.Errorf("for ever n1 has %v", c.last["n1"].Plan.Passages)
		}
	}
}

// The first node of a way says how often a packet is passed on, so all must leave a former holder out at the same time.
func TestMemory_ASpeakerThatBeganLeavesOutWhoHasNoConnectionsWhenOthersDo(t *testing.T) {
	c := newCluster("n1", "n2", "n3", "n4")
	c.hold("n3")
	c.hold("n1")
	c.after(time.Second)
	c.memories["n2"] = &Memory{}
	c.hold("n2")
	c.hold("n4")
	c.after(settleTime - 2*time.Second)
	c.hold("n1")
	c.left["n3"] = 0
	c.after(time.Second)
	c.expectWay(t, "n3 has none left", "n1", "n2", "n4")
}

func TestMemory_MoreHoldersThanAPacketMayVisit(t *testing.T) {
	var nodes []string
	for i := range 12 {
		nodes = append(nodes, fmt.Sprintf("n%02d", i))
	}
	c := newCluster(nodes...)
	c.hold(nodes...)
	if way := c.way(t, nodes[9]); len(way) != MaxMembers {
		t.Errorf("the way is %v", way)
	}
}

func TestMemory_ANodeThatSharesNoSegmentIsLeftOut(t *testing.T) {
	c := newCluster("n1", "n2", "n3")
	c.hold("n1")
	c.hold("n2")
	c.hold("n3")
	in := c.input("n3")
	in.Peers["n1"] = Peer{Complete: true, PassesOn: true, Left: []netip.Addr{moved}}
	d := c.memories["n3"].Next(in)
	if want := []Passage{{moved, address4("n2"), 2}}; !reflect.DeepEqual(d.Plan.Passages, want) {
		t.Errorf("passages %+v", d.Plan.Passages)
	}
}
