package election

import (
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"
)

const (
	// maxExchangeTime is how long two nodes may both answer for an address that are silent to each other and hear each other on
	// the segment: an announcement, a question and its answer.
	maxExchangeTime = 10 * time.Millisecond
	// maxClaimTime is how long that may be when one of them does not know that the other one is silent.
	maxClaimTime = 3 * time.Second
	// maxUnansweredTime is how long nobody may answer for an address that some node may hold.
	maxUnansweredTime = 3 * time.Second
)

// checkSegment checks who answers on the segment.
func (c *checks) checkSegment() {
	for i, answering := range c.wire {
		for j, a := range answering {
			for _, b := range answering[:j] {
				c.checkBothAnswer(a, b, i)
			}
		}
		c.checkAnswered(i)
	}
}

func (c *checks) checkBothAnswer(a, b *node, i int) {
	if !a.answersFor(addr(i)) || !b.answersFor(addr(i)) || !c.hears(a, b) || !c.hears(b, a) {
		return
	}
	since, bound := max(a.vips[addr(i)].since, b.vips[addr(i)].since, c.changed), maxExchangeTime
	if a.silent[b.name] == b.incarnation && b.silent[a.name] == a.incarnation {
		since = max(since, a.deadSince[b.name], b.deadSince[a.name])
		if since == c.changed || since != a.vips[addr(i)].since && since != b.vips[addr(i)].since {
			bound += maxSimSearch + c.pause // Neither announces it because of that.
		}
		if a.standIns[addr(i)] || b.standIns[addr(i)] {
			bound += standInSearch * 5 / 4 // It has searched shortly before it answered, so that is no news either.
		}
		if c.resumed(a, i) || c.resumed(b, i) {
			bound += simRivalPause // That is no news to the other one.
		}
		if c.tookFromStronger(a, b, i) || c.tookFromStronger(b, a, i) {
			bound += claimTimeout + rivalFresh // It leaves that to the giver, which the other one may not hear.
		}
	} else {
		since, bound = max(since, c.lastFault), maxClaimTime
	}
	if c.now-since > bound {
		c.violate("%s and %s both answer for %d on one segment for %s", a.name, b.name, i, c.now-since)
	}
}

// tookFromStronger reports whether a node has just taken an address from a live one before which another one yields.
func (c *checks) tookFromStronger(n, other *node, i int) bool {
	taken, known := n.elector.taken[addr(i)]
	return known && n.clock().Sub(taken.at) < claimTimeout+2*rivalFresh && beats(taken.from, Rival{Addr: addr(i), Node: other.name})
}

// resumed reports whether a node answers for an address again that it had stopped to answer for only just before.
func (c *checks) resumed(n *node, i int) bool {
	stopped, known := c.stopped[Question{n.name, addr(i)}]
	return known && n.vips[addr(i)].since-stopped < simRivalPause
}

func (c *checks) checkAnswered(i int) {
	answered := c.strangers[i]
	for _, n := range c.wire[i] {
		answered = answered || n.answersFor(addr(i))
	}
	switch {
	case answered || !c.mayAnswer(i):
		c.unansweredSince[i] = 0
	case c.unansweredSince[i] == 0:
		c.unansweredSince[i] = c.now
	case c.now-max(c.unansweredSince[i], c.lastFault) > maxUnansweredTime:
		c.violate("nobody answers for %d", i)
	}
}

// mayAnswer reports whether a node that may hold an address runs, and has met the others.
func (c *checks) mayAnswer(i int) bool {
	for _, n := range c.nodes {
		if c.eligible(n, i) && !n.frozen && !n.settling() {
			return true
		}
	}
	return false
}

// lies makes faults of the gossip and of the segment apart from each other.
func (s *scenario) lies() {
	s.lying, s.pause = true, meetingPause
	for i := range s.api.eligible {
		s.strangers[i] = s.chance(0.1)
	}
	for _, n := range s.nodes {
		n.incarnation = earlier
	}
	s.begin()
	s.create(0, len(s.api.eligible), s.everyoneEligible, s.randomDuration(0, time.Second))
	s.run(settleTime + time.Second)
	for range 3 + s.random.IntN(6) {
		s.lie()
		s.run(s.randomDuration(0, settleTime))
		if s.chance(0.4) {
			s.truth()
			s.run(s.randomDuration(0, settleTime))
		}
	}
	s.truth()
	s.returns()
	clear(s.strangers)
	s.run(settleTime + 2*simReprobe)
	for _, n := range s.nodes {
		if !n.up {
			s.start(n)
		}
	}
	s.run(6 * time.Second)
	s.recordFault()
	s.end()
}

// heals parts the gossip and the segment alike, and then heals the segment alone, which has to be noticed there.
func (s *scenario) heals() {
	s.lying = true
	s.begin()
	s.create(0, len(s.api.eligible), s.everyoneEligible, s.randomDuration(0, time.Second))
	s.run(settleTime + time.Second)
	for range 1 + s.random.IntN(3) {
		s.partition(2)
		s.run(meetingTimeout + s.randomDuration(0, 2*settleTime))
		if n := s.nodes[s.random.IntN(len(s.nodes))]; s.chance(0.3) && n.up {
			s.crash(n)
			s.run(s.randomDuration(0, settleTime))
			s.start(n)
			s.run(2 * settleTime)
		}
		s.log("the segment is whole")
		clear(s.parts)
		s.changed = s.now
		s.run(2*maxSimSearch + s.randomDuration(0, settleTime))
	}
	s.truth()
	s.run(6 * time.Second)
	s.recordFault()
	s.end()
}

// lie makes one fault more.
func (s *scenario) lie() {
	n := s.nodes[s.random.IntN(len(s.nodes))]
	switch s.random.IntN(13) {
	case 0, 1:
		s.log("the gossip of %s is cut", n.name)
		clear(s.side)
		s.side[n.index] = 1
	case 2:
		for i := range s.side {
			s.side[i] = s.random.IntN(2)
		}
		s.log("the gossip is parted as %v", s.side)
	case 3:
		s.log("%s is not heard in the gossip", n.name)
		s.mute[n.index] = true
	case 4:
		s.cutOneWay(n.index, s.random.IntN(len(s.nodes)))
	case 5:
		s.log("%s is cut off from the segment", n.name)
		clear(s.parts)
		s.parts[n.index] = 1
		s.changed = s.now
	case 6:
		n.freeze(s.randomDuration(20*time.Millisecond, 3*time.Second))
	case 7:
		s.replay()
	case 8:
		s.log("the gossip and the segment are parted alike")
		s.partition(2)
	case 9:
		s.log("the segment is whole")
		clear(s.parts)
		s.changed = s.now
	case 10:
		other := s.nodes[s.random.IntN(len(s.nodes))]
		s.log("frames of %s do not reach %s", n.name, other.name)
		s.deaf[[2]int{n.index, other.index}] = true
		s.changed = s.now
	case 11:
		s.setClock(n, s.random.IntN(2*earlier)-earlier)
	default:
		if n.up {
			s.stop(n)
		} else if n.incarnation > 0 {
			s.start(n)
		}
	}
	s.reachabilityChanged()
}

// truth ends all faults of the network.
func (s *scenario) truth() {
	s.log("all faults of the network end")
	clear(s.side)
	clear(s.mute)
	clear(s.cut)
	clear(s.parts)
	clear(s.deaf)
	s.changed = s.now
	s.reachabilityChanged()
	s.recordLoss(6 * time.Second) // What was lost arrives with an exchange.
}

// replay sends what a node knows to another one later, when it is old.
func (s *scenario) replay() {
	from, to := s.nodes[s.random.IntN(len(s.nodes))], s.nodes[s.random.IntN(len(s.nodes))]
	var recorded []Claim
	for i := range s.api.eligible {
		if claim, known := from.claims[addr(i)]; known {
			recorded = append(recorded, claim)
		}
	}
	s.after(s.randomDuration(0, 2*settleTime), func() {
		if to.up {
			s.log("%s is sent old claims", to.name)
			to.receive(recorded)
		}
	})
}

// rollOut restarts one node after the other with the version that is new, or with the version before when it fails.
func (s *scenario) rollOut() {
	s.begin()
	s.create(0, len(s.api.eligible), s.everyoneEligible, s.randomDuration(0, time.Second))
	s.run(settleTime + time.Second)
	for back := range 2 {
		for _, n := range s.nodes {
			s.crash(n)
			s.run(s.randomDuration(50*time.Millisecond, time.Second))
			n.old = back == 1
			s.mixed = slices.ContainsFunc(s.nodes, func(n *node) bool { return n.old })
			s.log("%s has the version before: %t", n.name, n.old)
			s.start(n)
			s.run(settleTime + time.Second)
			s.checkHolders()
		}
	}
	s.end()
}

// TestElector_MixedVersionsHaveOneElectorate has clusters in which some nodes run the version before: it neither asks nor says
// what it has announced.
func TestElector_MixedVersionsHaveOneElectorate(t *testing.T) {
	for seed := range uint64(200) {
		s := &scenario{cluster: newCluster(rand.New(rand.NewPCG(seed, 5)), 2+int(seed%4), 1+int(seed%20))}
		s.mixed, s.verbose = true, true
		s.shareByLot(rand.New(rand.NewPCG(seed, 10)))
		for i, n := range s.nodes {
			n.old = i%2 == 0
		}
		switch seed / 4 % 4 {
		case 0:
			s.maintenance()
		case 1:
			s.crashes()
		case 2:
			s.rollOut()
		default:
			s.chaos()
		}
		if s.violation != "" {
			t.Fatalf("seed %d: %s\n%s", seed, s.violation, strings.Join(s.trace[max(0, len(s.trace)-40):], "\n"))
		}
	}
}
