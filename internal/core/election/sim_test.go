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

// The simulation runs pinned seeds unless it is told otherwise.
var (
	seedFlag   = flag.Uint64("election.seed", 0, "run the simulation with this seed only, and print what happens")
	baseFlag   = flag.Uint64("election.base", pinnedBase, "the first seed of the simulation")
	runsFlag   = flag.Uint64("election.runs", runsPerBigCluster, "how many seeds to simulate, from the first one on")
	freshFlag  = flag.Bool("election.fresh", false, "choose the first seed at random")
	sharedFlag = flag.Bool("election.shared", false, "let some addresses of every second cluster be shared")
)

const (
	// runsPerBigCluster is how many simulations there are for each one of 50 nodes and 500 addresses, which takes some seconds.
	runsPerBigCluster = 2000
	// pinnedBase is the first seed when none is given.
	pinnedBase = 7 * runsPerBigCluster
)

// outcome of one simulation.
type outcome struct {
	// violation describes the first broken rule, and trace what happened before.
	violation string
	trace     []string
	// batches of new addresses, and how many of them were spread unevenly at first.
	batches, uneven int
	// failovers are how long heirs took to take over after they had declared the holder dead.
	failovers []time.Duration
	// decisions of all nodes, and repeats are those of them that were not worked out.
	decisions, repeats uint64
}

// simulate runs one scenario, in which some addresses may be shared. Most have few nodes. What happens depends on the seed alone.
func simulate(seed uint64, shared, verbose bool) outcome {
	random := rand.New(rand.NewPCG(seed, 1))
	nodes, addresses, kind := 2+random.IntN(6), 1+min(random.IntN(40), random.IntN(40)), seed%7
	if seed%runsPerBigCluster == 0 {
		nodes, addresses, kind = 50, 500, seed/runsPerBigCluster%4
	}
	c := newCluster(random, nodes, addresses)
	c.verbose, c.compared = verbose, seed%8 == 3
	if seed%3 > 0 {
		c.rebalanceSteps = int(seed % 3)
	}
	c.aliveOnly, c.ranked = c.chance(0.5), c.chance(0.5)
	s := &scenario{cluster: c}
	if shared {
		s.shareByLot(rand.New(rand.NewPCG(seed, 9)))
	}
	switch kind {
	case 0:
		s.batches()
	case 1:
		s.maintenance()
	case 2:
		s.crashes()
	case 3:
		s.chaos()
	case 4:
		s.lies()
	case 5:
		s.heals()
	default:
		s.cutsSegment()
	}
	s.outcome.violation, s.outcome.trace, s.outcome.decisions, s.outcome.repeats = c.violation, c.trace, c.decisions, c.repeats
	return s.outcome
}

// TestElector_Simulation checks the rules of the election in simulated clusters whose nodes crash, return and are
// partitioned, and whose messages are late or lost. It runs the same seeds every time. Fresh seeds, and more of them:
//
//	go test ./internal/core/election -run TestElector_Simulation -election.fresh -election.runs=20000 -timeout=30m
//
// A failure prints its seed. To see all that happens with a seed:
//
//	go test ./internal/core/election -run TestElector_Simulation -election.seed=SEED -v
func TestElector_Simulation(t *testing.T) {
	if *seedFlag != 0 {
		if o := simulate(*seedFlag, *sharedFlag, true); o.violation != "" {
			t.Fatalf("%s\n%s", o.violation, strings.Join(o.trace, "\n"))
		} else {
			t.Log(strings.Join(o.trace, "\n"))
		}
		return
	}
	base := *baseFlag
	if *freshFlag {
		base = runsPerBigCluster * (1 + rand.Uint64N(1e12))
	}
	simulateMany(t, base, *runsFlag, *sharedFlag)
}

// TestElector_SimulationOfSharedAddresses is the same with addresses that several nodes answer for.
func TestElector_SimulationOfSharedAddresses(t *testing.T) { simulateMany(t, pinnedBase+1, 1000, true) }

func simulateMany(t *testing.T, base, runs uint64, shared bool) {
	t.Logf("seeds from %d on", base)
	total := &totals{shared: shared}
	t.Run("seeds", func(t *testing.T) {
		for part := range uint64(4) {
			t.Run(fmt.Sprint(part), func(t *testing.T) {
				t.Parallel()
				for i := part; i < runs && !t.Failed(); i += 4 {
					total.add(t, base+i)
				}
			})
		}
	})
	total.check(t)
}

// totals are the sums of many outcomes.
type totals struct {
	sync.Mutex
	shared bool

	runs, batches, uneven, failovers, late int
	latest                                 time.Duration
	decisions, repeats                     uint64
}

func (s *totals) add(t *testing.T, seed uint64) {
	o := simulate(seed, s.shared, false)
	if o.violation != "" {
		o = simulate(seed, s.shared, true)
		t.Errorf("%s\nTo see all of it: go test ./internal/core/election -run TestElector_Simulation$ -election.seed=%d -election.shared=%t -v\nThe end of it:\n%s",
			o.violation, seed, s.shared, strings.Join(o.trace[max(0, len(o.trace)-40):], "\n"))
		return
	}
	s.Lock()
	defer s.Unlock()
	s.runs++
	s.batches += o.batches
	s.uneven += o.uneven
	s.decisions += o.decisions
	s.repeats += o.repeats
	for _, took := range o.failovers {
		s.failovers++
		if took > 20*time.Millisecond { // a node of a big cluster may take that long to decide
			s.late++
		}
		s.latest = max(s.latest, took)
	}
}

func (s *totals) check(t *testing.T) {
	t.Logf("%d runs; %d of %d batches uneven before rebalancing; %d of %d failovers not at once, the longest %s; %d of %d decisions repeated",
		s.runs, s.uneven, s.batches, s.late, s.failovers, s.latest, s.repeats, s.decisions)
	if s.runs >= 100 && s.repeats*10 < s.decisions {
		t.Errorf("only %d of %d decisions were repeated", s.repeats, s.decisions)
	}
	if s.uneven*50 > s.batches {
		t.Errorf("%d of %d batches were spread unevenly at first", s.uneven, s.batches)
	}
	if s.late*100 > s.failovers {
		t.Errorf("%d of %d failovers were not at once", s.late, s.failovers)
	}
}

// TestElector_NineAddressesAreThreeEachOnThreeNodes creates nine addresses that the nodes learn of at different times.
// Within two seconds every node must hold three.
func TestElector_NineAddressesAreThreeEachOnThreeNodes(t *testing.T) {
	for seed := range uint64(200) {
		s := &scenario{cluster: newCluster(rand.New(rand.NewPCG(seed, 4)), 3, 9)}
		s.begin()
		s.run(settleTime)
		s.create(0, 9, s.everyoneEligible, time.Duration(seed%2)*maxAPISkew)
		s.run(2 * time.Second)
		if s.checkHolders(); s.violation != "" || s.spread() > 0 || s.moves > 0 {
			t.Fatalf("seed %d: %s; the counts differ by %d, and %d addresses have moved", seed, s.violation, s.spread(), s.moves)
		}
	}
}

// What was lost is made up for by an exchange, every few seconds, whatever else fails meanwhile.
func TestSimulation_FaultShortensNoLoss(t *testing.T) {
	s := &scenario{cluster: newCluster(rand.New(rand.NewPCG(1, 6)), 3, 1)}
	s.cutOneWay(0, 1)
	s.cutOneWay(0, 1)
	s.now = time.Second
	s.crash(s.nodes[2])
	if s.lastFault != 6*time.Second {
		t.Errorf("the last fault is at %s", s.lastFault)
	}
}

func TestSimulation_TraceEndsWithTheFirstBrokenRule(t *testing.T) {
	c := newCluster(rand.New(rand.NewPCG(1, 7)), 2, 1)
	c.verbose = true
	c.violate("a rule is broken")
	before := len(c.trace)
	c.log("n0 asks to be woken")
	c.violate("another rule is broken")
	if before == 0 || len(c.trace) != before || !strings.Contains(c.violation, "a rule") {
		t.Errorf("after %q the trace goes on with %q", c.violation, c.trace[before:])
	}
}

// A cede that is late by a cut lets the one that it is for drop the address, and nothing else does.
func TestSimulation_DropIsAllowedWhileACedeIsOnItsWay(t *testing.T) {
	for _, ceded := range []bool{true, false} {
		s := &scenario{cluster: newCluster(rand.New(rand.NewPCG(1, 8)), 2, 1)}
		s.api.eligible[0], s.cut[[2]int{1, 0}], s.now = &eligibility{make([]int, 2)}, true, time.Minute
		for _, n := range s.nodes {
			n.up, n.incarnation, n.claims = true, 1, Claims{addr(0): {Addr: addr(0), Node: "n1", Incarnation: 1, Term: 2, Announced: true}}
		}
		if ceded {
			s.nodes[1].claims.Learn(Claim{Addr: addr(0), Node: "n0", Incarnation: 1, Term: 3, Announced: true})
		}
		if s.onDrop(s.nodes[0], addr(0)); (s.violation == "") != ceded {
			t.Errorf("ceded: %t, violation: %q", ceded, s.violation)
		}
	}
}
