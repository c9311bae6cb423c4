package handover

import (
	"fmt"
	"net/netip"
	"reflect"
	"testing"
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
