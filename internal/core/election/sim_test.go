package election

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"time"
)

var (
	seedFlag = flag.Uint64("seed", 0, "run the simulation with this seed only, and print what happens")
	runsFlag = flag.Int("runs", 2000, "how many simulations to run")
)

// perBig is how many simulations there are for each one of 50 nodes and 500 addresses, which takes some seconds.
const perBig = 2000

// outcome of one simulation.
type outcome struct {
	broken string
	trace  []string
	// batches, and those that were spread unevenly at first.
	batches, uneven int
	// failovers are how long heirs took to take over after they had missed the holder.
	failovers []time.Duration
}

// simulate one story. Most are of few nodes; what happens in it depends on the seed alone.
func simulate(seed uint64, verbose bool) outcome {
	random := rand.New(rand.NewPCG(seed, 1))
	nodes, addresses, kind := 2+random.IntN(6), 1+min(random.IntN(40), random.IntN(40)), seed%4
	if seed%perBig == 0 {
		nodes, addresses, kind = 50, 500, seed/perBig%4
	}
	c := newCluster(random, nodes, addresses)
	c.verbose = verbose
	c.aliveOnly = c.chance(0.5)
	s := &story{cluster: c}
	switch kind {
	case 0:
		s.batches()
	case 1:
		s.maintenance()
	case 2:
		s.crashes()
	default:
		s.chaos()
	}
	s.outcome.broken, s.outcome.trace = c.broken, c.trace
	return s.outcome
}

func TestTheRulesHoldInSimulatedClusters(t *testing.T) {
	if *seedFlag != 0 {
		if o := simulate(*seedFlag, true); o.broken != "" {
			t.Fatalf("%s\n%s", o.broken, strings.Join(o.trace, "\n"))
		} else {
			t.Log(strings.Join(o.trace, "\n"))
		}
		return
	}
	base := perBig * rand.Uint64N(1e12)
	total := &tally{}
	t.Run("seeds", func(t *testing.T) {
		for part := range 4 {
			t.Run(fmt.Sprint(part), func(t *testing.T) {
				t.Parallel()
				for i := part; i < *runsFlag && !t.Failed(); i += 4 {
					total.add(t, base+uint64(i))
				}
			})
		}
	})
	total.check(t)
}

// tally sums up outcomes.
type tally struct {
	sync.Mutex
	runs, batches, uneven, failovers, late int
	latest                                 time.Duration
}

func (s *tally) add(t *testing.T, seed uint64) {
	o := simulate(seed, false)
	if o.broken != "" {
		o = simulate(seed, true)
		t.Errorf("%s; the end of it, all of it with -seed %d:\n%s", o.broken, seed, strings.Join(o.trace[max(0, len(o.trace)-40):], "\n"))
		return
	}
	s.Lock()
	defer s.Unlock()
	s.runs++
	s.batches += o.batches
	s.uneven += o.uneven
	for _, took := range o.failovers {
		s.failovers++
		if took > 20*time.Millisecond { // Which a node of a big cluster takes to decide.
			s.late++
		}
		s.latest = max(s.latest, took)
	}
}

func (s *tally) check(t *testing.T) {
	t.Logf("%d runs; %d of %d batches uneven before rebalancing; %d of %d failovers not at once, the longest %s",
		s.runs, s.uneven, s.batches, s.late, s.failovers, s.latest)
	if s.uneven*50 > s.batches {
		t.Errorf("%d of %d batches were spread unevenly at first", s.uneven, s.batches)
	}
	if s.late*100 > s.failovers {
		t.Errorf("%d of %d failovers were not at once", s.late, s.failovers)
	}
}

// TestNineAddressesAreThreeEachOnThreeNodes within two seconds, whenever which node hears of which.
func TestNineAddressesAreThreeEachOnThreeNodes(t *testing.T) {
	for seed := range uint64(200) {
		s := &story{cluster: newCluster(rand.New(rand.NewPCG(seed, 4)), 3, 9)}
		s.begin()
		s.run(calm)
		s.create(0, 9, s.all, time.Duration(seed%2)*skew)
		s.run(2 * time.Second)
		if s.settledWell(); s.broken != "" || s.spread() > 0 || s.moves > 0 {
			t.Fatalf("seed %d: %s; the counts differ by %d, and %d addresses have moved", seed, s.broken, s.spread(), s.moves)
		}
	}
}
