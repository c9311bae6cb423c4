package election

import (
	"math/rand/v2"
	"net/netip"
	"strings"
	"testing"
	"time"
)

const (
	// maxDeafTime is how long after a node has become deaf addresses may be answered by it alone. It misses some others before it knows that
	// it is alone, and what it claims then is believed: who does not know of that is waited for.
	maxDeafTime = maxDetectionTime + maxMessageDelay + heirTimeout + 3*nextHeirDelay
	// maxMisledTime is how long a client may go to it when another node answers.
	maxMisledTime = time.Second
)

// deafness is of nodes that send and receive nothing, in the gossip and on the segment.
type deafness struct {
	// unhearing has since when each is.
	unhearing map[int]time.Duration
	// misled is since when a client beside a node has gone to one that is deaf.
	misled map[misled]time.Duration
	// served is when a node that hears something last answered for each address.
	served map[int]time.Duration
}

type misled struct {
	client int
	addr   netip.Addr
}

// alone reports whether a node is deaf and takes all others for dead. It says so in all that it sends, which counts where a third is alive.
func (n *node) alone() bool {
	_, unhearing := n.unhearing[n.index]
	return unhearing && len(n.live) == 1 && len(n.nodes) > 2
}

// sayAlone tells the others that a node hears nobody, if it does not.
func (n *node) sayAlone() {
	if !n.alone() {
		return
	}
	n.log("%s hears nobody", n.name)
	for _, other := range n.nodes {
		if other != n {
			n.after(n.randomDuration(0, maxMessageDelay), func() { other.detect(n) })
		}
	}
}

// unhear lets a node receive nothing any more.
func (s *scenario) unhear(n *node) {
	s.log("%s receives nothing", n.name)
	s.unhearing[n.index] = s.now
	for _, other := range s.nodes {
		if other != n {
			s.deaf[[2]int{other.index, n.index}] = true
		}
	}
	s.changed = s.now
	s.reachabilityChanged()
}

// checkDeaf checks that others answer for the addresses of a deaf node, and that clients do not go to it. Of two nodes nobody can tell.
func (c *checks) checkDeaf() {
	if len(c.nodes) == 2 {
		return
	}
	since := max(c.lastFault, c.changed)
	for i := range c.wire {
		hearing := false
		for _, n := range c.wire[i] {
			_, deaf := c.unhearing[n.index]
			hearing = hearing || !deaf && n.answersFor(addr(i))
		}
		if hearing {
			c.served[i] = c.now
		}
		if c.now-max(since, c.served[i]) > maxDeafTime && c.api.eligible[i] != nil {
			c.violate("nobody who hears anything answers for %d", i)
		}
		c.checkMisled(addr(i), hearing, since)
	}
}

func (c *checks) checkMisled(a netip.Addr, hearing bool, since time.Duration) {
	for _, n := range c.nodes {
		key, to := misled{n.index, a}, n.neighbors[a]
		_, deaf := c.unhearing[n.index]
		if to != nil && hearing && !deaf {
			_, deaf = c.unhearing[to.index]
		} else {
			deaf = false
		}
		began, known := c.misled[key]
		switch {
		case !deaf:
			delete(c.misled, key)
		case !known:
			c.misled[key] = c.now
		case c.now-max(began, since) > maxMisledTime:
			c.violate("clients beside %s go to %s with %d, which hears nobody", n.name, to.name, number(a))
		}
	}
}

// deafens has one node after the other hear nobody for a while, or several at a time, of which none hears another. Two hear each other: fewer
// cannot tell who is deaf.
func (s *scenario) deafens() {
	s.lying, s.pause = true, meetingPause
	s.begin()
	s.create(0, len(s.api.eligible), s.everyoneEligible, s.randomDuration(0, time.Second))
	s.run(settleTime + time.Second)
	for range 1 + s.random.IntN(3) {
		for _, i := range s.random.Perm(len(s.nodes))[:1+s.random.IntN(max(1, len(s.nodes)-2))] {
			s.unhear(s.nodes[i])
		}
		s.run(s.randomDuration(0, 2*settleTime))
		clear(s.unhearing)
		clear(s.misled)
		s.truth()
		s.run(settleTime + s.randomDuration(0, settleTime))
	}
	s.run(6 * time.Second)
	s.recordFault()
	s.end()
}

// TestElector_SimulationOfDeafNodes has nodes that send and receive nothing. To see all of a seed, or to run others:
//
//	go test ./internal/core/election -run DeafNodes -election.seed=SEED -v
//	go test ./internal/core/election -run DeafNodes -election.base=SEED -election.runs=20000
func TestElector_SimulationOfDeafNodes(t *testing.T) {
	manySeeds(t, func(seed uint64) *scenario {
		random := rand.New(rand.NewPCG(seed, 13))
		s := &scenario{cluster: newCluster(random, 2+random.IntN(4), 1+random.IntN(12))}
		s.verbose, s.aliveOnly = true, s.chance(0.5)
		s.deafens()
		return s
	})
}

// manySeeds runs a scenario with some seeds, or those of the flags.
func manySeeds(t *testing.T, run func(seed uint64) *scenario) {
	t.Helper()
	first, runs := *baseFlag, uint64(500)
	switch {
	case *seedFlag != 0:
		first, runs = *seedFlag, 1
	case *runsFlag != runsPerBigCluster:
		runs = *runsFlag
	}
	failed := 0
	for seed := first; seed < first+runs && failed < 5; seed++ {
		s := run(seed)
		if *seedFlag != 0 {
			t.Log(strings.Join(s.trace, "\n"))
		}
		if s.violation != "" {
			failed++
			t.Errorf("seed %d: %s\n%s", seed, s.violation, strings.Join(s.trace[max(0, len(s.trace)-40):], "\n"))
		}
	}
}
