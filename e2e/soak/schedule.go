package main

import (
	"fmt"
	"math/rand/v2"
	"time"
)

// nodes of the lab.
var nodes = []string{"n1", "n2", "n3"}

// step is one fault: what fails, where, and for how long; with noAPI the API server is away from before it until after it.
type step struct {
	number int
	kind   *kind
	node   string
	lasts  time.Duration
	noAPI  bool
}

func (s step) String() string {
	without := ""
	if s.noAPI {
		without = ", without an API server"
	}
	return fmt.Sprintf("%d. %s at %s for %.1f s%s", s.number, s.kind.name, s.node, s.lasts.Seconds(), without)
}

// schedule gives the steps of a seed, one after another, without an end. Each kind comes once in every round, so that a short run has tried all;
// the order within a round, the node and the time are the seed's. What is left out by only takes nothing from the others' draws.
type schedule struct {
	random *rand.Rand
	only   map[string]bool
	round  []*kind
	number int
}

func newSchedule(seed uint64, only map[string]bool) *schedule {
	return &schedule{random: rand.New(rand.NewPCG(seed, 0)), only: only}
}

// Fault times are between these.
const (
	shortest = 2 * time.Second
	longest  = 8 * time.Second
)

// oneInWithoutAPI is of how many faults that can do without an API server one has to.
const oneInWithoutAPI = 4

func (s *schedule) next() step {
	for {
		if len(s.round) == 0 {
			s.round = append(s.round, kinds...)
			s.random.Shuffle(len(s.round), func(i, j int) { s.round[i], s.round[j] = s.round[j], s.round[i] })
		}
		next := step{kind: s.round[0], node: nodes[s.random.IntN(len(nodes))]}
		s.round = s.round[1:]
		next.lasts = shortest + time.Duration(s.random.Int64N(int64(longest-shortest)))
		next.lasts = max(next.lasts, next.kind.atLeast).Truncate(100 * time.Millisecond)
		next.noAPI = s.random.IntN(oneInWithoutAPI) == 0 && !next.kind.alone
		s.number++
		next.number = s.number
		if len(s.only) == 0 || s.only[next.kind.name] {
			return next
		}
	}
}

// others are the nodes but one.
func others(node string) (rest []string) {
	for _, name := range nodes {
		if name != node {
			rest = append(rest, name)
		}
	}
	return rest
}
