package gossip

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/daymark-lb/daymark/internal/core/rendezvous"
)

func TestACrashIsFoundWithinThePatienceAndABeat(t *testing.T) {
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
			if took > 260*ms || took < 100*ms {
				t.Errorf("took %v, want 150 to 250 ms", took)
			}
		})
	}
}

func TestSeveralCrashAtOnce(t *testing.T) {
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
			// In large clusters watchers that are gone, too, are waited for once.
			if most := 520 * ms; took > most {
				t.Errorf("took %v, want at most %v", took, most)
			}
		})
	}
}

func TestBothSidesOfAPartitionSeeItAndItsEnd(t *testing.T) {
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
			remain := []string{c.unwatched(sides[0], sides[1]), c.unwatched(sides[1], sides[0])}
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
			before := c.node("n00").watch.returned
			c.heal()
			if took := c.until(t, all, all); took > 300*ms {
				t.Errorf("the end took %v", took)
			}
			if returned, want := c.node("n00").watch.returned-before, len(both)-len(strings.Fields(remain[0])); returned != uint64(want) {
				t.Errorf("%d counted as returned, want %d", returned, want)
			}
		})
	}
}

// unwatched are those of one side, and those of the other whom only its own watch.
func (c *cluster) unwatched(one, other string) string {
	here := strings.Fields(one)
	live := c.node(here[0]).watch.alive()
	remain := slices.Clone(here)
	for name := range strings.FieldsSeq(other) {
		if !slices.ContainsFunc(watchersOf(soul{name, rendezvous.Hash(name)}, live), func(w string) bool { return slices.Contains(here, w) }) {
			remain = append(remain, name)
		}
	}
	slices.Sort(remain)
	return strings.Join(remain, " ")
}

func TestACutBetweenTwoWhomAThirdHearsChangesNothing(t *testing.T) {
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

func TestAStarvedWatcherAccusesNobody(t *testing.T) {
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
				if a.watch.others["b"].accuse || a.watch.others["c"].accuse {
					t.Fatal("it accuses")
				}
			})
			c.sees(t, "a b c", "a b c")
		})
	}
}

// TestOneThatAlwaysComesLateStillFindsADeath, only later.
func TestOneThatAlwaysComesLateStillFindsADeath(t *testing.T) {
	fast, _ := Preset("fast")
	w := newWatch("a", fast)
	w.listed(begins, "b", 1, true)
	w.tick(begins)
	w.hear(begins, "b", 1, true)
	now := begins
	for w.others["b"].alive && now.Sub(begins) < time.Second {
		now = now.Add(90 * ms)
		w.tick(now)
	}
	if took := now.Sub(begins); took != 360*ms {
		t.Errorf("it took %v: 4 beats of 90 ms are 360", took)
	}
}

func TestFalseAlarmsLengthenThePatienceAndQuietShortensIt(t *testing.T) {
	c := newCluster("a", "b")
	c.run(time.Second, nil)
	b := c.node("a").watch.others["b"]
	silence := func() time.Duration {
		c.part("a", "b")
		took := c.until(t, "a", "a")
		c.heal()
		c.until(t, "a", "a b")
		return took
	}
	for i, stretch := range []int{2, 4, 4, 4} {
		took := silence()
		if b.stretch != stretch {
			t.Errorf("after %d alarms the patience is %d times the usual, want %d", i+1, b.stretch, stretch)
		}
		if before := []time.Duration{1, 2, 4, 4}[i] * 200 * ms; i < 3 && (took < before-50*ms || took > before+20*ms) {
			t.Errorf("alarm %d came after %v, want %v", i+1, took, before)
		}
	}
	if alarms := c.node("a").watch.alarms; alarms != 4 {
		t.Errorf("%d alarms counted", alarms)
	}
	for _, stretch := range []int{2, 1, 1, 1} {
		c.run(calm+100*ms, nil)
		if b.stretch != stretch {
			t.Errorf("after another quiet minute it is %d, want %d", b.stretch, stretch)
		}
	}
}

func TestOneThatWasAwayForLongIsNoFalseAlarm(t *testing.T) {
	c := newCluster("a", "b")
	c.run(time.Second, nil)
	for range 3 {
		c.part("a", "b")
		c.until(t, "a", "a")
		c.run(300*ms, nil)
		c.heal()
		c.until(t, "a", "a b")
	}
	if b := c.node("a").watch.others["b"]; b.stretch != 1 {
		t.Errorf("the patience with it is %d times the usual", b.stretch)
	}
}

func TestADeathThatMemberlistConfirmsIsNoFalseAlarm(t *testing.T) {
	fast, _ := Preset(Fast)
	w := newWatch("a", fast)
	now := time.Unix(0, 0)
	w.listed(now, "b", 1, true)
	w.hear(now, "b", 1, true)
	for range 6 {
		now = now.Add(50 * ms)
		w.tick(now)
	}
	w.listed(now, "b", 1, false)
	w.hear(now.Add(time.Minute), "b", 1, true)
	if b := w.others["b"]; !b.alive || b.stretch != 1 || w.alarms != 0 || w.returned != 1 {
		t.Errorf("b is alive %v with %d times the patience after %d alarms and %d returns", b.alive, b.stretch, w.alarms, w.returned)
	}
}

func TestALaterInstanceTakesThePlaceOfTheEarlier(t *testing.T) {
	c := newCluster("a", "b", "c")
	c.run(time.Second, nil)
	a := c.node("a").watch
	a.take()
	a.hear(c.now, "b", 2, false)
	if b := a.others["b"]; b.instance != 2 || !b.alive || b.ponged || !a.changed {
		t.Errorf("the later instance: %+v", b)
	}
	if back, _ := a.hear(c.now, "b", 1, true); back || a.others["b"].instance != 2 || a.others["b"].ponged {
		t.Error("a pong of the earlier instance counts")
	}
	a.hearsay(c.now, "c", 1e6, ballot{"b", 1, true})
	if !a.others["b"].accused.IsZero() {
		t.Error("an accusation of the earlier instance counts")
	}
	a.leave(c.now, "b", 1)
	if !a.others["b"].alive {
		t.Error("the farewell of the earlier instance counts")
	}
	returned := a.returned
	a.leave(c.now, "b", 2)
	if a.others["b"].alive {
		t.Error("one that has left is alive")
	}
	a.hear(c.now, "b", 2, true)
	if a.others["b"].alive {
		t.Error("one that has left is alive after a late pong")
	}
	a.hear(c.now, "b", 3, true)
	if !a.others["b"].alive || a.returned != returned {
		t.Error("the next run is not alive, or counts as a return")
	}
}

func TestOneThatMemberlistGivesUpLivesWhileItIsHeard(t *testing.T) {
	c := newCluster("a", "b", "c")
	c.run(time.Second, nil)
	a := c.node("a").watch
	a.listed(c.now, "b", 0, false)
	c.run(time.Second, func() { c.sees(t, "a", "a b c") })
	c.crash("b")
	if took := c.until(t, "a", "a c"); took > 260*ms {
		t.Errorf("its death took %v", took)
	}
	// Only its own word brings it back.
	a.listed(c.now, "b", 1, true)
	if a.returned != 1 {
		t.Errorf("returned %d", a.returned)
	}
}

// TestWithoutHeartbeatsMemberlistAloneDecides, whatever others say.
func TestWithoutHeartbeatsMemberlistAloneDecides(t *testing.T) {
	w := newWatch("a", Timing{})
	w.listed(begins, "b", 1, true)
	w.listed(begins, "c", 1, true)
	w.tick(begins)
	w.hear(begins, "b", 1, true)
	w.hearsay(begins, "c", 1, ballot{"b", 1, true})
	w.tick(begins.Add(time.Second))
	if !w.others["b"].alive || len(w.targets(1)) > 0 {
		t.Error("b is taken for dead, or pinged")
	}
	w.listed(begins, "b", 0, false)
	if w.others["b"].alive {
		t.Error("b is alive though memberlist gave it up")
	}
}

// TestTheAbsentArePinged, few often, many about once in a second each.
func TestTheAbsentArePinged(t *testing.T) {
	for _, test := range []struct{ absent, each int }{{3, 5}, {16, 5}, {17, 1}, {400, 1}} {
		fast, _ := Preset("fast")
		w := newWatch("self", fast)
		expected := map[string]struct{}{}
		for i := range test.absent {
			expected[fmt.Sprint(i)] = struct{}{}
		}
		w.expect(expected)
		pings := map[string]int{}
		for tick := range uint64(20) {
			for _, target := range w.targets(tick) {
				pings[target]++
			}
		}
		for node := range expected {
			if pings[node] != test.each {
				t.Errorf("of %d absent %s is pinged %d times in a second, want %d", test.absent, node, pings[node], test.each)
			}
		}
	}
}

// TestMemoryIsBounded: names that others make up, and speakers long gone, are not remembered.
func TestMemoryIsBounded(t *testing.T) {
	const beat = 10 * time.Second
	w := newWatch("self", Timing{HeartbeatInterval: beat, HeartbeatMultiplier: 4})
	w.tick(begins)
	w.expect(map[string]struct{}{"expected": {}})
	for i := range 2 * mostOthers {
		w.hear(begins, fmt.Sprint("n", i), 1, false)
		w.hearsay(begins, fmt.Sprint("n", i), 1, ballot{fmt.Sprint("m", i), 1, true})
	}
	if len(w.others) != mostOthers {
		t.Errorf("%d are remembered", len(w.others))
	}
	for now := begins; now.Before(begins.Add(forgetAfter + 6*beat)); now = now.Add(beat) {
		w.tick(now)
	}
	if len(w.others) != 1 {
		t.Errorf("%d are remembered after long", len(w.others))
	}
}

// TestWhateverTheNetworkDoesTheRightOnesAreAliveWhenItIsWell: cuts, losses and stops come and go at random; once all is
// well everybody is alive to everybody, and nobody accuses.
func TestWhateverTheNetworkDoesTheRightOnesAreAliveWhenItIsWell(t *testing.T) {
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
			for _, o := range n.watch.others {
				if o.accuse || o.silent {
					t.Errorf("seed %d: %s still accuses %s", seed, n.name, o.node)
				}
			}
		}
	}
}

func TestWatchersAreTheSameToAllAndFew(t *testing.T) {
	for _, size := range []int{1, 2, 8, 9, 10, 11, 50, 200} {
		var live []soul
		for name := range strings.FieldsSeq(names(size)) {
			live = append(live, soul{name, rendezvous.Hash(name)})
		}
		outside := soul{"outside", rendezvous.Hash("outside")}
		load := map[string]int{}
		for _, each := range append(slices.Clone(live), outside) {
			chosen := watchersOf(each, live)
			others := size - 1
			if each == outside {
				others = size
			}
			if want := others; want <= everybody && len(chosen) != want || want > everybody && len(chosen) != watchersEach {
				t.Errorf("of %d, %s has %d watchers", size, each.node, len(chosen))
			}
			for _, candidate := range live {
				if got, want := watches(candidate, each, live), slices.Contains(chosen, candidate.node); got != want {
					t.Errorf("of %d, that %s watches %s: %v and %v", size, candidate.node, each.node, got, want)
				}
			}
			for _, watcher := range chosen {
				load[watcher]++
			}
		}
		for node, n := range load {
			if n > 20 {
				t.Errorf("of %d, %s watches %d", size, node, n)
			}
		}
	}
}
