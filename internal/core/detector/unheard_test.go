package detector

import (
	"testing"
	"time"
)

// Datagrams stop, and memberlist lists the peer all the same, because it reaches it by TCP.
func TestDetector_APeerThatMemberlistReachesIsTakenBack(t *testing.T) {
	c := newCluster("a", "b", "c")
	for _, n := range c.nodes {
		n.detector.timing.ConfirmTime = 5 * time.Second
	}
	c.run(time.Second, nil)
	unheard := func(by, of string) bool {
		status, _ := c.node(by).detector.Peer(of)
		return status.Unheard
	}
	if unheard("a", "b") {
		t.Error("a peer that is heard is not heard")
	}
	c.part("b", "a c")
	c.until(t, "a", "a c")
	c.run(2500*ms, nil)
	c.sees(t, "a", "a c")
	if !unheard("a", "b") || !unheard("c", "b") || unheard("a", "c") {
		t.Error("it is not known whose datagrams do not come")
	}
	c.run(3*time.Second, func() {})
	c.sees(t, "a", "a b c")
	c.sees(t, "b", "a b c")
	if b, _ := c.node("a").detector.Peer("b"); b.Observed || !b.Unheard {
		t.Errorf("there is a vote about it: %+v", b)
	}
	// What memberlist says of it decides then.
	c.node("a").detector.Listed(c.now, "b", 1, false)
	c.sees(t, "a", "a c")
	c.node("a").detector.Listed(c.now, "b", 1, true)
	c.heal()
	c.run(time.Second, nil)
	c.sees(t, "a", "a b c")
	if b, _ := c.node("a").detector.Peer("b"); !b.Observed || b.Unheard {
		t.Errorf("it is heard again: %+v", b)
	}
}

// One that was never heard is alive as long as it is listed, and said to be unheard after a while.
func TestDetector_APeerThatWasNeverHeardIsSaidToBe(t *testing.T) {
	c := newCluster("a", "b")
	c.part("a", "b")
	c.run(unheardTimeout-100*ms, nil)
	a := c.node("a").detector
	if b, _ := a.Peer("b"); !b.Alive || b.Unheard {
		t.Errorf("too soon: %+v", b)
	}
	a.TakeChanged()
	c.run(300*ms, nil)
	if b, _ := a.Peer("b"); !b.Alive || !b.Unheard || !a.TakeChanged() {
		t.Errorf("after two seconds: %+v", b)
	}
}
