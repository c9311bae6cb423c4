package detector

import (
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestObservers_AreFewAndTheSameToAll(t *testing.T) {
	for _, size := range []int{1, 2, 8, 9, 10, 11, 50, 200} {
		var candidates []member
		for name := range strings.FieldsSeq(names(size)) {
			candidates = append(candidates, newMember(name))
		}
		outside := newMember("outside")
		load := map[string]int{}
		for _, each := range append(slices.Clone(candidates), outside) {
			chosen := observersOf(each, candidates)
			others := size - 1
			if each == outside {
				others = size
			}
			if want := others; want <= maxFullMesh && len(chosen) != want || want > maxFullMesh && len(chosen) != observersEach {
				t.Errorf("of %d, %s has %d observers", size, each.name, len(chosen))
			}
			for _, candidate := range candidates {
				if got, want := isObserver(candidate, each, candidates), slices.Contains(chosen, candidate.name); got != want {
					t.Errorf("of %d, that %s observes %s: %v and %v", size, candidate.name, each.name, got, want)
				}
			}
			for _, observer := range chosen {
				load[observer]++
			}
		}
		for name, n := range load {
			if n > 20 {
				t.Errorf("of %d, %s observes %d", size, name, n)
			}
		}
	}
}

// At rest each pair exchanges one ping and one answer in an interval, however large the cluster is.
func TestDetector_PingsAtRestAreFew(t *testing.T) {
	for _, test := range []struct {
		size int
		most float64 // pings of a node in an interval
	}{{2, 0.55}, {3, 1.1}, {9, 4.4}, {10, 5.2}, {30, 5.2}} {
		c := newCluster(strings.Fields(names(test.size))...)
		c.run(time.Second, nil)
		before := c.pings
		c.run(2*time.Second, nil)
		if got := float64(c.pings-before) / 40 / float64(test.size); got > test.most || got < 0.6*test.most {
			t.Errorf("of %d speakers each sends %.2f pings in an interval, want about %.2f", test.size, got, test.most)
		}
	}
}

// Whoever becomes an observer knows nothing of the peer yet: what it heard an hour ago, when it observed it before, is no silence.
func TestDetector_ANewObservationBeginsAnew(t *testing.T) {
	all := strings.Fields(names(14))
	c := newCluster(all...)
	c.run(time.Second, nil)
	random := rand.New(rand.NewPCG(1, 2))
	for range 60 { // Others come and go at random, and with them the observers of those who stay.
		away := all[10+random.IntN(4)]
		listed := func(yes bool) {
			for _, n := range c.nodes {
				n.detector.Listed(c.now, away, 1, yes)
			}
		}
		c.part(away, without(names(14), away))
		listed(false)
		stay := names(10)
		c.run(time.Duration(random.IntN(400))*ms, func() {
			for name := range strings.FieldsSeq(stay) {
				if alive := c.alive(name); !strings.HasPrefix(alive, stay) {
					t.Fatalf("%s takes for alive %s", name, alive)
				}
			}
		})
		c.heal()
		listed(true)
		c.run(time.Duration(random.IntN(400))*ms, nil)
	}
}

// A peer that is about to be suspected is known to be before it is: whoever is to take its place can ask for it meanwhile.
func TestDetector_SaysWhoIsDoubtful(t *testing.T) {
	c := newCluster("a", "b", "c")
	c.run(time.Second, nil)
	c.crash("b")
	began := c.now
	for d := c.node("a").detector; ; c.run(ms, nil) {
		b, _ := d.Peer("b")
		if !b.Alive {
			t.Fatal("it is dead before it is doubtful")
		}
		if b.Doubtful {
			break
		}
	}
	doubtful := c.now.Sub(began)
	dead := doubtful + c.until(t, "a", "a c")
	t.Log(doubtful, dead)
	if dead-doubtful < 2*fast.RetryInterval {
		t.Errorf("it was doubtful after %v and dead after %v", doubtful, dead)
	}
	if b, _ := c.node("a").detector.Peer("b"); b.Doubtful {
		t.Error("one that is dead is doubtful")
	}
}
