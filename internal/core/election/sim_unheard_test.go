package election

import (
	"math/rand/v2"
	"testing"
	"time"
)

// unheard starts a speaker that nobody hears in the gossip any more as soon as it has taken its part: it hears the others, and evens out
// what it holds against what they hold, which they do not hear of.
func (s *scenario) unheard() {
	s.lying = true
	s.begin()
	s.create(0, len(s.api.eligible), s.everyoneEligible, s.randomDuration(0, time.Second))
	s.run(settleTime + time.Second)
	n := s.nodes[s.random.IntN(len(s.nodes))]
	s.crash(n)
	s.run(s.randomDuration(0, settleTime))
	s.start(n)
	s.run(s.randomDuration(0, settleTime))
	s.log("%s is not heard in the gossip", n.name)
	s.mute[n.index] = true
	s.reachabilityChanged()
	s.run(s.randomDuration(settleTime, 3*settleTime))
	if s.chance(0.3) {
		s.leave(n)
		s.run(s.randomDuration(0, 2*settleTime))
	}
	s.truth()
	s.returns()
	s.run(6 * time.Second)
	s.recordFault()
	s.end()
}

// TestElector_SimulationOfUnheardSpeakers has speakers that nobody hears and that even out, most often of shared addresses. To see all of a
// seed, or to run others:
//
//	go test ./internal/core/election -run UnheardSpeakers -election.seed=SEED -v
//	go test ./internal/core/election -run UnheardSpeakers -election.base=SEED -election.runs=20000
func TestElector_SimulationOfUnheardSpeakers(t *testing.T) { manySeeds(t, simulateUnheard) }

// simulateUnheard runs one scenario with a speaker that nobody hears.
func simulateUnheard(seed uint64) *scenario {
	random := rand.New(rand.NewPCG(seed, 17))
	s := &scenario{cluster: newCluster(random, 2+random.IntN(4), 1+random.IntN(6))}
	s.verbose, s.orderly = true, rand.New(rand.NewPCG(seed, 18))
	s.aliveOnly, s.ranked, s.rebalanceSteps = s.chance(0.5), s.chance(0.5), 1+random.IntN(2)
	s.sharing = true
	for i := range s.api.shared {
		s.api.shared[i] = s.chance(0.7)
	}
	s.unheard()
	return s
}
