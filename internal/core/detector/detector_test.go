package detector

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestDetector_FindsACrashWithinTheDetectionTime(t *testing.T) {
	for _, size := range []int{2, 3, 5, 9, 10, 30} {
		t.Run(fmt.Sprint(size, " speakers"), func(t *testing.T) {
			all := names(size)
			c := newCluster(strings.Fields(all)...)
			c.run(333*ms, nil)
			c.sees(t, all, all)
			c.crash("n01")
			left := without(all, "n01")
			took := c.until(t, left, left)
			t.Log("took", took)
			if took > 130*ms || took < 55*ms {
				t.Errorf("took %v, want 60 to 120 ms", took)
			}
		})
	}
}

func TestDetector_FindsSeveralCrashesAtOnce(t *testing.T) {
	for _, test := range []struct {
		size  int
		crash string
	}{{3, "n00 n02"}, {5, "n01 n02 n03"}, {8, "n00 n01 n02 n03 n04"}, {30, "n03 n04 n05 n06 n07 n08"}, {40, "n00 n02 n04 n06 n08 n10 n12 n14 n16 n18"}} {
		t.Run(fmt.Sprint(test.crash, " of ", test.size), func(t *testing.T) {
			all := names(test.size)
			c := newCluster(strings.Fields(all)...)
			c.run(500*ms, nil)
			for name := range strings.FieldsSeq(test.crash) {
				c.crash(name)
			}
			left := without(all, test.crash)
			took := c.until(t, left, left)
			t.Log("took", took)
			// In large clusters observers that are gone are waited for once, too.
			if most := 520 * ms; took > most {
				t.Errorf("took %v, want at most %v", took, most)
			}
		})
	}
}

func TestDetector_BothSidesOfAPartitionSeeItAndItsEnd(t *testing.T) {
	for _, sides := range [][2]string{
		{"n00", "n01"},
		{"n00", "n01 n02"},
		{"n00 n01", "n02 n03"},
		{"n00 n01", "n02 n03 n04"},
		{names(7), without(names(20), names(7))},
	} {
		t.Run(sides[0]+" | "+sides[1], func(t *testing.T) {
			both := strings.Fields(sides[0] + " " + sides[1])
			all := strings.Join(both, " ")
			c := newCluster(both...)
			c.run(500*ms, nil)
			c.part(sides[0], sides[1])
			began := c.now
			remain := []string{c.unobserved(sides[0], sides[1]), c.unobserved(sides[1], sides[0])}
			c.until(t, sides[0], remain[0])
			c.until(t, sides[1], remain[1])
			took := c.now.Sub(began)
			t.Log("took", took)
			if took > 700*ms || len(both) < 10 && (remain[0] != sides[0] || remain[1] != sides[1]) {
				t.Errorf("took %v, and %s remained", took, remain)
			}
			c.run(3*time.Second, func() {
				c.sees(t, sides[0], remain[0])
				c.sees(t, sides[1], remain[1])
			})
			before := c.node("n00").detector.counters.Returned
			c.heal()
			if took := c.until(t, all, all); took > 300*ms {
				t.Errorf("the end took %v", took)
			}
			if returned, want := c.node("n00").detector.counters.Returned-before, len(both)-len(strings.Fields(remain[0])); returned != uint64(want) {
				t.Errorf("%d counted as returned, want %d", returned, want)
			}
		})
	}
}

// unobserved returns the nodes of one side, and those of the other that only their own side observes.
func (c *cluster) unobserved(one, other string) string {
	here := strings.Fields(one)
	candidates := c.node(here[0]).detector.observerCandidates()
	remain := slices.Clone(here)
	for name := range strings.FieldsSeq(other) {
		if !slices.ContainsFunc(observersOf(newMember(name), candidates), func(w string) bool { return slices.Contains(here, w) }) {
			remain = append(remain, name)
		}
	}
	slices.Sort(remain)
	return strings.Join(remain, " ")
}

func TestDetector_IgnoresACutBetweenTwoWhomAThirdHears(t *testing.T) {
	for _, test := range []struct{ name, all, cut string }{
		{"both ways", "a b c", "a>b b>a"},
		{"one way", "a b c", "a>b"},
		{"of four", "a b c d", "a>b b>a"},
		{"two cuts of four", "a b c d", "a>b b>a c>d d>c"},
		{"of twelve", names(12), "n00>n01 n01>n00"},
	} {
		t.Run(test.name, func(t *testing.T) {
			c := newCluster(strings.Fields(test.all)...)
			c.run(time.Second, nil)
			for link := range strings.FieldsSeq(test.cut) {
				c.cut[link] = true
			}
			c.run(5*time.Second, func() { c.sees(t, test.all, test.all) })
		})
	}
}

func TestDetector_AStarvedObserverSuspectsNobody(t *testing.T) {
	for _, stop := range []time.Duration{60 * ms, 120 * ms, 400 * ms, 10 * time.Second} {
		t.Run(stop.String(), func(t *testing.T) {
			c := newCluster("a", "b", "c")
			c.run(time.Second, nil)
			a := c.node("a")
			a.stopped = true
			c.run(stop, nil)
			a.stopped, a.mailbox = false, nil // Too much came to be kept.
			c.run(2*time.Second, func() {
				if got := c.alive("a"); got != "a b c" {
					t.Fatalf("it sees %s", got)
				}
				if a.detector.peers["b"].suspected || a.detector.peers["c"].suspected {
					t.Fatal("it suspects one")
				}
			})
			c.sees(t, "a b c", "a b c")
		})
	}
}

func TestDetector_TicksThatAreAlwaysLateStillFindADeath(t *testing.T) {
	d := New("a", fast)
	d.Listed(begins, "b", 1, true)
	d.Tick(begins)
	d.Heard(begins, "b", 1, true)
	now := begins
	for d.peers["b"].alive && now.Sub(begins) < time.Second {
		now = now.Add(90 * ms)
		d.Tick(now)
		d.TakePings(now)
	}
	if took := now.Sub(begins); took != 540*ms {
		t.Errorf("it took %v: a first ping and 5 ticks of 90 ms are 540", took)
	}
}

// One false alarm, as there may be any day, leaves the next crash as short as ever.
func TestDetector_RepeatedFalseAlarmsLengthenTheDetectionTime(t *testing.T) {
	c := newCluster("a", "b")
	c.run(time.Second, nil)
	b := c.node("a").detector.peers["b"]
	silence := func() time.Duration {
		c.part("a", "b")
		took := c.until(t, "a", "a")
		c.heal()
		c.until(t, "a", "a b")
		c.run(time.Second, nil)
		return took
	}
	for i, factor := range []time.Duration{1, 1, 2, 4, 4} {
		took := silence()
		if least := factor * fast.ProbeTime(); took < least || took > least+fast.HeartbeatInterval*3/2 {
			t.Errorf("after %d alarms it took %v, want %d times the usual", i, took, factor)
		}
	}
	if alarms := c.node("a").detector.counters.FalseAlarms; alarms != 5 {
		t.Errorf("%d alarms counted", alarms)
	}
	for i, factor := range []int{2, 1, 1, 1} {
		c.run(alarmTimeout+100*ms, nil)
		if b.factor() != factor {
			t.Errorf("after %d minutes without one it is %d times, want %d", i+1, b.factor(), factor)
		}
	}
}

// Whoever comes back may hear the others for a second before they hear it.
func TestDetector_WhoIsNotHeardYetRaisesNoAlarm(t *testing.T) {
	c := newCluster("a", "b", "c")
	c.run(time.Second, nil)
	c.part("a", "b c")
	c.until(t, "a", "a")
	for _, n := range []string{"b", "c"} {
		c.node(n).detector.Listed(c.now, "a", 1, false)
	}
	c.run(time.Second, nil)
	c.heal()
	c.cut["a>b"], c.cut["a>c"] = true, true
	c.run(500*ms, nil) // It takes one more return until that is known.
	c.run(time.Second, func() { c.sees(t, "a", "a b c") })
	c.heal()
	c.until(t, "b c", "a b c")
	c.run(time.Second, nil)
	if a := c.node("a").detector; a.counters.FalseAlarms != 0 {
		t.Errorf("%d false alarms", a.counters.FalseAlarms)
	}
	c.crash("b")
	if took := c.until(t, "a", "a c"); took > fast.DetectionTime()+fast.ProbeTime() {
		t.Errorf("a crash took %v", took)
	}
}

// One that does not hear us dies as well.
func TestDetector_WhoIsHeardOneWayDies(t *testing.T) {
	c := newCluster("a", "b")
	c.run(time.Second, nil)
	c.part("a", "b")
	c.until(t, "a", "a")
	c.node("b").detector.Listed(c.now, "a", 1, false)
	c.run(time.Second, nil)
	c.heal()
	c.cut["a>b"] = true
	c.run(time.Second, nil)
	c.sees(t, "a", "a b")
	c.crash("b")
	if took := c.until(t, "a", "a"); took < time.Second || took > 3*time.Second {
		t.Errorf("it took %v", took)
	}
}

// A peer that often answers at the last moment is given more time before it is taken for dead.
func TestDetector_AnswersAtTheLastMomentLengthenTheDetectionTime(t *testing.T) {
	c := newCluster("a", "b")
	c.run(time.Second, nil)
	a := c.node("a").detector
	for range 2 {
		c.part("a", "b")
		for a.peers["b"].unanswered < fast.HeartbeatMultiplier-1 {
			c.run(ms, nil)
		}
		c.heal()
		a.Heard(c.now, "b", 1, true)
		c.run(time.Second, nil)
	}
	if a.counters.FalseAlarms != 0 || a.counters.Returned != 0 {
		t.Fatalf("it was taken for dead: %+v", a.counters)
	}
	c.crash("b")
	if took, least := c.until(t, "a", "a"), 2*fast.ProbeTime(); took < least || took > least+fast.HeartbeatInterval*3/2 {
		t.Errorf("it took %v, want twice the usual", took)
	}
}

func TestDetector_ALongAbsenceIsNoFalseAlarm(t *testing.T) {
	c := newCluster("a", "b")
	c.run(time.Second, nil)
	for range 3 {
		c.part("a", "b")
		c.until(t, "a", "a")
		c.run(300*ms, nil)
		c.heal()
		c.until(t, "a", "a b")
	}
	if b := c.node("a").detector.peers["b"]; b.alarms != 0 {
		t.Errorf("its detection time is %d times the usual", b.factor())
	}
}

func TestDetector_ADeathThatMemberlistConfirmsIsNoFalseAlarm(t *testing.T) {
	d := New("a", fast)
	now := time.Unix(0, 0)
	d.Listed(now, "b", 1, true)
	d.Heard(now, "b", 1, true)
	for range 12 {
		now = now.Add(20 * ms)
		d.Tick(now)
		d.TakePings(now)
	}
	d.Listed(now, "b", 1, false)
	d.Heard(now.Add(time.Minute), "b", 1, true)
	if b := d.peers["b"]; !b.alive || b.alarms != 0 || d.counters.FalseAlarms != 0 || d.counters.Returned != 1 {
		t.Errorf("b is alive %v with %d times the detection time after %d alarms and %d returns", b.alive, b.factor(), d.counters.FalseAlarms, d.counters.Returned)
	}
}

func TestDetector_ALaterIncarnationReplacesTheEarlier(t *testing.T) {
	c := newCluster("a", "b", "c")
	c.run(time.Second, nil)
	a := c.node("a").detector
	a.TakeVotes()
	a.Heard(c.now, "b", 2, false)
	if b := a.peers["b"]; b.incarnation != 2 || !b.alive || b.answered || !a.changed {
		t.Errorf("the later incarnation: %+v", b)
	}
	if back, _ := a.Heard(c.now, "b", 1, true); back || a.peers["b"].incarnation != 2 || a.peers["b"].answered {
		t.Error("a pong of the earlier incarnation counts")
	}
	// Others tell of the third run before it is heard itself, and memberlist has not noticed that the second one has ended.
	a.Mentioned(c.now, "b", 3)
	if b := a.peers["b"]; !b.alive || !b.met.IsZero() {
		t.Errorf("a run that is mentioned: %+v", b)
	}
	if new, _ := a.Heard(c.now, "b", 3, false); !new {
		t.Error("a run that is heard for the first time may have been told nothing, and has not recovered")
	}
	if again, _ := a.Heard(c.now, "b", 3, false); again {
		t.Error("it recovers with every message")
	}
}

func TestDetector_WhatIsOfAnEarlierIncarnationDoesNotCount(t *testing.T) {
	c := newCluster("a", "b", "c")
	c.run(time.Second, nil)
	a := c.node("a").detector
	a.Heard(c.now, "b", 2, false)
	a.Voted(c.now, "c", 1e6, Vote{"b", 1, true})
	if !a.peers["b"].suspectedSince.IsZero() {
		t.Error("a suspicion of the earlier incarnation counts")
	}
	a.Left(c.now, "b", 1)
	if !a.peers["b"].alive {
		t.Error("the leaving of the earlier incarnation counts")
	}
	returned := a.counters.Returned
	a.Left(c.now, "b", 2)
	if a.peers["b"].alive {
		t.Error("one that has left is alive")
	}
	a.Heard(c.now, "b", 2, true)
	if a.peers["b"].alive {
		t.Error("one that has left is alive after a late pong")
	}
	a.Heard(c.now, "b", 3, true)
	if !a.peers["b"].alive || a.counters.Returned != returned {
		t.Error("the next run is not alive, or counts as a return")
	}
}

func TestDetector_APeerThatIsHeardLivesThoughMemberlistGaveItUp(t *testing.T) {
	c := newCluster("a", "b", "c")
	c.run(time.Second, nil)
	a := c.node("a").detector
	a.Listed(c.now, "b", 0, false)
	c.run(time.Second, func() { c.sees(t, "a", "a b c") })
	c.crash("b")
	if took := c.until(t, "a", "a c"); took > 260*ms {
		t.Errorf("its death took %v", took)
	}
	// Only its own word brings it back.
	c.run(100*ms, nil)
	a.Listed(c.now, "b", 1, true)
	c.sees(t, "a", "a c")
}

// To have memberlist confirm a death is not to hear the dead: the others must not take it for a vote against theirs.
func TestDetector_ADeathThatMemberlistConfirmsToOneStands(t *testing.T) {
	for _, all := range []string{"a b c", names(5)} {
		c := newCluster(strings.Fields(all)...)
		c.run(time.Second, nil)
		dead, _, _ := strings.Cut(all, " ")
		rest := without(all, dead)
		c.crash(dead)
		c.until(t, rest, rest)
		for name := range strings.FieldsSeq(rest) {
			c.run(400*ms, func() { c.sees(t, rest, rest) })
			c.node(name).detector.Listed(c.now, dead, 0, false)
		}
		c.run(2*time.Second, func() { c.sees(t, rest, rest) })
	}
}

// Whatever others say.
func TestDetector_WithoutHeartbeatsMemberlistAloneDecides(t *testing.T) {
	d := New("a", Timing{})
	d.Listed(begins, "b", 1, true)
	d.Listed(begins, "c", 1, true)
	d.Tick(begins)
	d.Heard(begins, "b", 1, true)
	d.Voted(begins, "c", 1, Vote{"b", 1, true})
	d.Tick(begins.Add(time.Second))
	if !d.peers["b"].alive || len(d.TakePings(begins.Add(time.Second))) > 0 {
		t.Error("b is taken for dead, or pinged")
	}
	d.Listed(begins, "b", 0, false)
	if d.peers["b"].alive {
		t.Error("b is alive though memberlist gave it up")
	}
}

// Few are pinged often, many about once a second each.
func TestDetector_PingsTheAbsent(t *testing.T) {
	for _, test := range []struct{ absent, each int }{{3, 5}, {16, 5}, {17, 1}, {400, 1}} {
		d := New("self", fast)
		expected := map[string]struct{}{}
		for i := range test.absent {
			expected[fmt.Sprint(i)] = struct{}{}
		}
		d.Expect(expected)
		pings := map[string]int{}
		for at := range 101 {
			now := begins.Add(time.Duration(at) * 10 * ms)
			d.Tick(now)
			targets := d.TakePings(now)
			if len(targets) > 100 && at > 0 {
				t.Errorf("%d pings at once", len(targets))
			}
			for _, target := range targets {
				pings[target]++
			}
		}
		for node := range expected {
			if pings[node] < test.each || pings[node] > test.each+1 {
				t.Errorf("of %d absent %s is pinged %d times in a second, want %d", test.absent, node, pings[node], test.each)
			}
		}
	}
}

// Names that others make up, and speakers that are long gone, are not remembered.
func TestDetector_MemoryIsBounded(t *testing.T) {
	const interval = 10 * time.Second
	d := New("self", Timing{HeartbeatInterval: interval, HeartbeatMultiplier: 4})
	d.Tick(begins)
	d.Expect(map[string]struct{}{"expected": {}})
	for i := range 2 * maxPeers {
		d.Heard(begins, fmt.Sprint("n", i), 1, false)
		d.Voted(begins, fmt.Sprint("n", i), 1, Vote{fmt.Sprint("m", i), 1, true})
	}
	if len(d.peers) != maxPeers || len(d.order) != maxPeers {
		t.Errorf("%d are remembered", len(d.peers))
	}
	for now := begins; now.Before(begins.Add(forgetTimeout + 8*interval)); now = now.Add(interval) {
		d.Tick(now)
	}
	if len(d.peers) != 1 || len(d.order) != 1 {
		t.Errorf("%d are remembered after long", len(d.peers))
	}
}

// Cuts, losses and stops come and go at random. Once all is well, everybody is alive to everybody and nobody is suspected.
func TestDetector_RecoversFromWhateverTheNetworkDoes(t *testing.T) {
	for seed := range uint64(15) {
		random := rand.New(rand.NewPCG(seed, 1))
		all := names(2 + random.IntN(11))
		nodes := strings.Fields(all)
		c := newCluster(nodes...)
		for range 20 {
			a, b := nodes[random.IntN(len(nodes))], nodes[random.IntN(len(nodes))]
			switch random.IntN(4) {
			case 0:
				c.cut[a+">"+b] = true
			case 1:
				c.part(a, without(all, a))
			case 2:
				c.heal()
			case 3:
				c.node(a).stopped = !c.node(a).stopped
			}
			c.run(time.Duration(random.IntN(400))*ms, nil)
		}
		c.heal()
		for _, n := range c.nodes {
			n.stopped = false
		}
		c.run(2*time.Second, nil)
		c.sees(t, all, all)
		for _, n := range c.nodes {
			for _, p := range n.detector.peers {
				if p.suspected || p.silent {
					t.Errorf("seed %d: %s still suspects %s", seed, n.name, p.name)
				}
			}
		}
	}
}
