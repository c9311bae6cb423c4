package detector

import (
	"strings"
	"testing"
	"time"
)

// deafen lets nothing through to a node.
func (c *cluster) deafen(name string) {
	for _, n := range c.nodes {
		c.cut[n.name+">"+name] = true
	}
}

func TestDetector_WhoSendsAndHearsNobodyIsNotAlive(t *testing.T) {
	for _, all := range []string{"a b c", "a b c d e", names(9)} {
		c := newCluster(strings.Fields(all)...)
		c.run(time.Second, nil)
		c.sees(t, all, all)
		deaf := c.nodes[0].name
		c.deafen(deaf)
		others := without(all, deaf)
		if took := c.until(t, others, others); took > 250*ms {
			t.Errorf("%s: that took %v", all, took)
		}
		c.sees(t, deaf, deaf)
		c.run(5*time.Second, func() { c.sees(t, others, others) })
		c.heal()
		if took := c.until(t, all, all); took > 300*ms {
			t.Errorf("%s: it counts as alive %v after it hears again", all, took)
		}
		c.run(5*time.Second, func() { c.sees(t, all, all) })
		if alarms := c.nodes[1].detector.Counters().FalseAlarms; alarms > 0 {
			t.Errorf("%s: %d false alarms", all, alarms)
		}
	}
}

// In a large cluster it cannot tell so soon: those that it does not observe may hear it, and be heard.
func TestDetector_WhoHearsNobodyOfManySaysSoWhenTheyAreGivenUp(t *testing.T) {
	all := names(20)
	c := newCluster(strings.Fields(all)...)
	c.run(time.Second, nil)
	deaf := c.nodes[0]
	c.deafen(deaf.name)
	c.run(time.Second, nil)
	others := without(all, deaf.name)
	c.sees(t, others, all)
	for other := range strings.FieldsSeq(others) {
		deaf.detector.Listed(c.now, other, 1, false)
	}
	c.until(t, others, others)
	c.run(5*time.Second, func() { c.sees(t, others, others) })
}

// Who hears one other is not alone, and nothing changes for anybody.
func TestDetector_WhoHearsOneOtherIsAlive(t *testing.T) {
	c := newCluster("a", "b", "c")
	c.run(time.Second, nil)
	c.cut["b>a"] = true
	c.run(5*time.Second, func() { c.sees(t, "b c", "a b c") })
}

// Between two it may be one link that is broken in one direction, and clients may hear either: nobody is taken for deaf. When a third comes
// it can be told.
func TestDetector_OfTwoNobodyIsDeaf(t *testing.T) {
	c := newCluster("a", "b", "c")
	c.run(time.Second, nil)
	c.part("a b", "c")
	c.until(t, "a b", "a b")
	c.cut["b>a"] = true
	c.run(5*time.Second, func() { c.sees(t, "b", "a b") })
	c.heal()
	c.until(t, "a b c", "a b c")
	c.deafen("a")
	c.until(t, "b c", "b c")
}

// It suspects everybody. Only one of the two others does not hear b, which is no majority.
func TestDetector_WhoHearsNobodyHasNoVote(t *testing.T) {
	c := newCluster("a", "b", "c", "d")
	c.run(time.Second, nil)
	c.deafen("a")
	c.run(time.Second, nil)
	c.cut["b>c"] = true
	c.run(2*time.Second, func() { c.sees(t, "b c d", "b c d") })
}

// A peer of which nothing comes any more is silent, and not deaf: memberlist may reach it by TCP.
func TestDetector_DeafIsForgottenWhenNothingComes(t *testing.T) {
	c := newCluster("a", "b", "c")
	c.run(time.Second, nil)
	c.deafen("a")
	c.run(time.Second, nil)
	if status, _ := c.node("b").detector.Peer("a"); !status.Deaf || status.Alive {
		t.Fatalf("b says of a %+v", status)
	}
	c.part("a", "b c")
	c.run(oneWayTimeout+idleTicks*fast.TickInterval()+ms, nil)
	if status, _ := c.node("b").detector.Peer("a"); status.Deaf {
		t.Errorf("b says of a %+v", status)
	}
}

func TestDetector_WhoHasMetNobodyIsNotAlone(t *testing.T) {
	d := New("a", fast)
	d.Expect(map[string]struct{}{"b": {}})
	if d.Alone(begins.Add(time.Hour)) {
		t.Error("it is alone, and has never heard anybody")
	}
}

// Who has just started is greeted by one that has lost all others, and has not heard it yet.
func TestDetector_WhoGreetsAsAloneIsNotDeaf(t *testing.T) {
	d := New("new", fast)
	c := &cluster{now: begins, nodes: []*node{{name: "new", incarnation: 1, detector: d}}}
	hears := func(alone bool) Status {
		for _, name := range []string{"greeter", "third"} {
			d.SaidAlone(c.now, name, 1, alone && name == "greeter")
			d.Heard(c.now, name, 1, true)
		}
		status, _ := d.Peer("greeter")
		return status
	}
	c.run(ms, nil)
	for met := c.now; c.now.Sub(met) < 2*d.detectionTime; c.run(25*ms, nil) {
		known := c.now.Sub(met)
		if status := hears(true); status.Deaf != (known >= d.detectionTime) || status.Alive == status.Deaf {
			t.Errorf("%v after they have met: %+v", known, status)
		}
		if !d.Deaf("greeter") && known > 0 {
			t.Errorf("%v after they have met its votes and claims count, and it takes all others for dead", known)
		}
	}
	if status := hears(false); status.Deaf || !status.Alive || d.Deaf("greeter") {
		t.Errorf("it hears: %+v", status)
	}
}

// The time in which we did not run is no time in which it could have heard us.
func TestDetector_WhoGreetsBeforeAPauseOfOursIsNotDeaf(t *testing.T) {
	d := New("new", fast)
	d.Tick(begins)
	now := begins.Add(ms)
	for range 2 {
		for _, name := range []string{"greeter", "third"} {
			d.SaidAlone(now, name, 1, name == "greeter")
			d.Heard(now, name, 1, true)
		}
		if status, _ := d.Peer("greeter"); status.Deaf || !status.Alive {
			t.Errorf("after %v: %+v", now.Sub(begins), status)
		}
		now = now.Add(time.Second)
		d.Tick(now)
	}
	if status, _ := d.Peer("greeter"); status.Deaf || !status.Alive {
		t.Errorf("when it runs again: %+v", status)
	}
}

// listen lets a second pass in which some peers are heard, and returns its end.
func listen(d *Detector, peers ...string) time.Time {
	end := begins.Add(time.Second)
	for now := begins; now.Before(end); now = now.Add(10 * ms) {
		d.Tick(now)
		for _, name := range peers {
			d.Heard(now, name, 1, true)
		}
	}
	return end
}

// A message of an earlier run says nothing of the present one.
func TestDetector_AnotherRunIsNotDeaf(t *testing.T) {
	d := New("a", fast)
	d.Listed(begins, "b", 1, true)
	d.Listed(begins, "c", 1, true)
	now := listen(d, "b")
	d.SaidAlone(now, "b", 1, true)
	if status, _ := d.Peer("b"); !status.Deaf || status.Alive {
		t.Errorf("%+v", status)
	}
	d.Heard(now, "b", 2, false)
	if status, _ := d.Peer("b"); status.Deaf || !status.Alive {
		t.Errorf("%+v", status)
	}
	d.SaidAlone(now, "b", 1, true)
	if status, _ := d.Peer("b"); status.Deaf {
		t.Errorf("%+v", status)
	}
}

// Who hears again is told what it has missed, as after any silence.
func TestDetector_WhoHearsAgainHasRecovered(t *testing.T) {
	d := New("a", fast)
	for _, name := range []string{"b", "c"} {
		d.Listed(begins, name, 1, true)
	}
	now := listen(d, "b", "c")
	d.SaidAlone(now, "b", 1, true)
	if recovered, _ := d.Heard(now, "b", 1, false); recovered {
		t.Error("it has recovered, and is alone")
	}
	d.SaidAlone(now, "b", 1, false)
	if recovered, _ := d.Heard(now, "b", 1, false); !recovered {
		t.Error("it hears again, and has not recovered")
	}
}

// Its kernel has kept what it sent while it was cut off: that b does not answer it. b has been there all the time.
func TestDetector_WhoWasGoneTellsOfItsOwnSilence(t *testing.T) {
	c := newCluster("a", "b", "c")
	wants := func(when string, want bool) {
		t.Helper()
		if got := c.node("b").detector.WasGone(c.now, "a"); got != want {
			t.Errorf("%s: a was gone: %v", when, got)
		}
	}
	c.run(time.Second, nil)
	wants("before", false)
	c.part("a", "b c")
	c.until(t, "b", "b c")
	wants("meanwhile", true)
	c.heal()
	c.until(t, "b", "a b c")
	wants("when it is back", true)
	c.run(fast.DetectionTime(), nil)
	wants("later", false)
	c.part("b", "a c")
	c.until(t, "b", "b")
	wants("when b is alone", false)
	c.heal()
	c.run(ms, nil)
	wants("before b hears a third", false)
}
