package election

import (
	"math/rand/v2"
	"slices"
	"testing"
	"time"
)

// vacates leaves addresses without a node that may answer, for a moment or until their marks have lapsed, and then lets strangers
// have some of them. Whoever may answer next must find that out.
func (s *scenario) vacates() {
	s.lying = true
	s.begin()
	s.create(0, len(s.api.eligible), s.everyoneEligible, s.randomDuration(0, time.Second))
	s.run(settleTime + time.Second)
	for range 1 + s.random.IntN(3) {
		returns := s.vacate()
		if s.chance(0.3) {
			s.run(s.randomDuration(0, lapseAfter-2*maxAPISkew))
		} else {
			s.lapse()
			s.strangersArrive()
		}
		if s.chance(0.2) {
			s.crash(s.nodes[s.random.IntN(len(s.nodes))])
		}
		returns()
		s.run(settleTime + 2*maxMessageDelay*maxTries)
		s.log("the strangers leave")
		clear(s.strangers)
		s.truth()
		for _, n := range s.nodes {
			if !n.up {
				s.start(n)
			}
		}
		s.run(settleTime + 2*simReprobe)
	}
	s.run(6 * time.Second)
	s.recordFault()
	s.end()
}

// vacate takes all candidates from some or all addresses, and returns what gives them back.
func (s *scenario) vacate() (returns func()) {
	var some []int
	for i := range s.api.eligible {
		if s.chance(0.5) {
			some = append(some, i)
		}
	}
	give := func(b *eligibility) func(*api) {
		return func(a *api) {
			for _, i := range some {
				a.eligible[i] = b
			}
		}
	}
	nobody, next := &eligibility{make([]int, len(s.nodes))}, s.everyone
	for i := range nobody.weights {
		nobody.weights[i] = -1
	}
	if s.chance(0.5) {
		next = &eligibility{slices.Clone(nobody.weights)}
		next.weights[s.random.IntN(len(s.nodes))] = 0
		next.weights[s.random.IntN(len(s.nodes))] = 0
	}
	switch s.random.IntN(4) {
	case 0:
		s.log("all nodes are drained")
		drain := func(drained bool) func(*api) {
			return func(a *api) {
				for i := range a.drained {
					a.drained[i] = drained
				}
			}
		}
		s.change(drain(true))
		return func() { s.log("no node is drained"); s.change(drain(false)) }
	case 1:
		s.log("%v have no pods", some)
		s.change(give(nobody))
		if s.chance(0.5) {
			s.run(s.randomDuration(0, time.Second))
		}
		s.log("%v are deleted", some)
		s.change(give(nil))
	default:
		s.log("%v have no pods", some)
		s.change(give(nobody))
	}
	return func() { s.log("%v have pods: %v", some, next.weights); s.change(give(next)) }
}

// lapse lets time pass until the marks have lapsed, while nodes crash, restart or are parted.
func (s *scenario) lapse() {
	const known = maxAPISkew + lapseAfter + maxAPISkew/2
	switch n := s.nodes[s.random.IntN(len(s.nodes))]; s.random.IntN(6) {
	case 0: // Those that have just started know of it from those that have not.
		s.run(known + settleTime)
		s.crash(n)
		s.run(s.randomDuration(50*time.Millisecond, time.Second))
		s.start(n)
		s.run(s.randomDuration(time.Second, lapseAfter))
	case 1:
		s.crash(n)
		s.run(s.randomDuration(50*time.Millisecond, time.Second))
		s.start(n)
		s.run(time.Second + known + s.randomDuration(0, time.Second))
	case 2:
		s.run(s.randomDuration(0, time.Second))
		s.crash(n)
		s.run(known + s.randomDuration(0, time.Second))
	case 3:
		s.partition(2)
		s.run(known + s.randomDuration(0, time.Second))
	default:
		s.run(known + s.randomDuration(0, 4*time.Second))
	}
}

// strangersArrive lets hosts outside the cluster take addresses that nobody answers for.
func (s *scenario) strangersArrive() {
	for i := range s.api.eligible {
		if len(s.wire[i]) == 0 && s.chance(0.5) {
			s.log("a stranger takes %d", i)
			s.strangers[i] = true
		}
	}
}

// TestElector_SimulationOfVacantAddresses lets strangers take addresses that nobody may answer for any more. No node may answer
// for those then. To see all of a seed, or to run others:
//
//	go test ./internal/core/election -run VacantAddresses -election.seed=SEED -v
//	go test ./internal/core/election -run VacantAddresses -election.base=SEED -election.runs=20000
func TestElector_SimulationOfVacantAddresses(t *testing.T) {
	manySeeds(t, func(seed uint64) *scenario {
		random := rand.New(rand.NewPCG(seed, 11))
		s := &scenario{cluster: newCluster(random, 2+random.IntN(4), 1+random.IntN(12))}
		s.verbose, s.aliveOnly = true, s.chance(0.5)
		if s.chance(0.2) {
			s.shareByLot(rand.New(rand.NewPCG(seed, 12)))
		}
		s.vacates()
		return s
	})
}
