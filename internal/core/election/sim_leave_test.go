package election

import (
	"math/rand/v2"
	"slices"
	"testing"
	"time"
)

// Speakers in a simulated cluster that end in an orderly way, as in a roll-out: each says that it leaves, goes on answering until others do, and
// starts again.

const (
	// simHandOver is how long a speaker may take to hand over what it holds.
	simHandOver = 3 * time.Second
	// maxReturn is how long until it starts again.
	maxReturn = 2 * time.Second
)

// leaves are what speakers that leave have in common.
type leaves struct {
	// orderly is what they draw at random from, so that scenarios without them draw the same as before; nil: none leaves.
	orderly *rand.Rand
	// lateClaims is by how much later than others those who leave may learn of a claim, and lateWord others that they leave.
	lateClaims, lateWord time.Duration
	// harmless: to leave and to start are no faults.
	harmless bool
	// apiChangedAt is when who may hold what was last changed.
	apiChangedAt time.Duration
}

// departures are what a node knows of those that leave.
type departures struct {
	// leaving: it leaves itself. ends: it has nothing more to hand over.
	leaving, ends bool
	// settledAt is when it settled, and returning that it starts again after it has ended.
	settledAt time.Duration
	returning bool
	// left are the incarnations that have said that they leave, and parting those of them that it still hears in the gossip.
	left, parting map[string]uint64
	// told are the incarnations that others have told it of, which it has not met itself yet.
	told map[string]uint64
}

func newDepartures() departures {
	return departures{left: map[string]uint64{}, parting: map[string]uint64{}, told: map[string]uint64{}}
}

// drawn is a time for what happens because of speakers that leave.
func (c *cluster) drawn(low, high time.Duration) time.Duration {
	return low + time.Duration(c.orderly.Int64N(int64(high-low)+1))
}

// talksTo reports whether a node sends another one what it claims.
func (n *node) talksTo(other *node) bool {
	return other != n && (n.live[other.name] != 0 || n.parting[other.name] != 0)
}

// delayTo is how much later than others a node learns of claims.
func (n *node) delayTo(other *node) time.Duration {
	if n.lateClaims == 0 || !other.leaving {
		return 0
	}
	return n.drawn(0, n.lateClaims)
}

// lateness is by how much longer than others two nodes may both answer for an address. When one leaves and the other may not hold it either, each
// goes on until a third one has it.
func (c *checks) lateness(a, b *node, i int) time.Duration {
	if leaves := a.leaving || b.leaving; leaves && (c.lateClaims > 0 || !c.harmless || !c.eligible(a, i) && !c.eligible(b, i)) {
		return successorTimeout
	}
	return 0
}

// stop ends the speaker of a node: some in an orderly way.
func (s *scenario) stop(n *node) {
	if s.orderly != nil && !n.leaving && s.orderly.IntN(2) == 0 {
		s.leave(n)
	} else {
		s.crash(n)
	}
}

// leave has a speaker end in an orderly way, and start again later.
func (s *scenario) leave(n *node) {
	if !n.up || n.leaving {
		return
	}
	s.log("%s leaves", n.name)
	n.leaving, n.unchangedSince = true, n.now
	delete(n.live, n.name)
	s.apiChanged()
	run := n.run
	n.sayLeaving()
	n.after(simHandOver, func() { n.end(run) })
	n.regroup()
	n.queueDecision()
}

// sayLeaving tells all others that a node leaves.
func (n *node) sayLeaving() {
	incarnation := n.incarnation
	for _, other := range n.nodes {
		if other != n {
			n.after(n.drawn(0, maxMessageDelay+n.lateWord), func() { n.sayLeavingTo(other, incarnation, maxTries) })
		}
	}
}

func (n *node) sayLeavingTo(other *node, incarnation uint64, tries int) {
	_, unhearing := n.unhearing[other.index]
	connected := !unhearing && n.side[n.index] == n.side[other.index] && !n.mute[n.index] && !n.cut[[2]int{n.index, other.index}]
	switch {
	case n.incarnation != incarnation || !other.up:
	case connected && !other.frozen && (tries == 1 || n.orderly.Float64() >= n.loss):
		if other.learnLeaving(n, incarnation) {
			other.regroup()
			other.queueDecision()
		}
	case tries > 1:
		n.after(n.drawn(0, maxMessageDelay), func() { n.sayLeavingTo(other, incarnation, tries-1) })
	}
}

// learnLeaving learns that another node leaves, and reports whether that is news.
func (n *node) learnLeaving(other *node, incarnation uint64) bool {
	name := other.name
	if other == n || n.left[name] >= incarnation {
		return false
	}
	n.log("%s hears that %s leaves", n.name, name)
	n.left[name] = incarnation
	if n.live[name] == incarnation || n.heard(n, other) && other.incarnation == incarnation {
		n.parting[name] = incarnation
	}
	if n.silent[name] <= incarnation {
		delete(n.silent, name)
	}
	if live := n.live[name]; live != 0 && live <= incarnation {
		delete(n.live, name)
		delete(n.doubtful, name)
		n.unchangedSince = n.now
		n.onDeclaredDead(n, other)
	}
	return true
}

// learnMembers learns from another node who is alive. Those that it does not reach then are silent. Where none leave, speakers start when
// nothing else happens, and meet them all.
func (n *node) learnMembers(from *node) {
	if n.orderly == nil {
		return
	}
	for _, other := range n.nodes {
		if incarnation := from.live[other.name]; other != n && incarnation > max(n.live[other.name], n.silent[other.name], n.told[other.name]) {
			n.told[other.name] = incarnation
			run := n.run
			n.after(n.drawn(minDetectionTime, maxDetectionTime), func() { n.detectTold(other, run, incarnation) })
		}
	}
}

// detectTold finds out whether a node is alive that others have told of.
func (n *node) detectTold(other *node, run int, incarnation uint64) {
	name := other.name
	if !n.up || n.run != run || n.frozen || n.heard(n, other) || incarnation <= max(n.live[name], n.silent[name], n.left[name]) {
		return
	}
	n.log("%s has not met %s", n.name, name)
	n.silent[name], n.deadSince[name] = incarnation, n.now
	n.queueDecision()
}

// learnDepartures learns from another node who leaves.
func (n *node) learnDepartures(from *node) (changed bool) {
	if from.leaving {
		changed = n.learnLeaving(from, from.incarnation)
	}
	for _, other := range n.nodes {
		if incarnation := from.left[other.name]; incarnation != 0 {
			changed = n.learnLeaving(other, incarnation) || changed
		}
	}
	if changed {
		n.regroup()
	}
	return changed
}

// detectLeaving is detect for a node that leaves: it is not alive, but reached. What a speaker says of itself is known when its incarnation is.
func (n *node) detectLeaving(other *node, is uint64) (leaves bool) {
	if parting := n.parting[other.name]; parting != 0 && parting != is {
		delete(n.parting, other.name)
	}
	if fresh := is > max(n.live[other.name], n.silent[other.name], n.left[other.name]); fresh && other.leaving {
		n.learnLeaving(other, is)
		n.exchange(n, other)
		n.regroup()
		n.queueDecision()
		return true
	}
	if is == 0 || n.left[other.name] != is {
		return false
	}
	if n.parting[other.name] != is {
		n.parting[other.name] = is
		n.exchange(n, other)
	}
	return true
}

// checkLeaving checks what a speaker that leaves decides, and has it end when it has nothing more to hand over.
func (n *node) checkLeaving(d Decision) {
	if !n.leaving {
		return
	}
	for _, a := range d.Defend {
		n.violate("%s leaves and defends %d", n.name, number(a))
	}
	if len(n.vips)+len(n.services) == 0 && !n.ends {
		n.ends = true
		run := n.run
		n.after(0, func() { n.end(run) })
	}
}

// end ends the speaker of a node that leaves.
func (n *node) end(run int) {
	switch {
	case !n.up || n.run != run:
		return
	case n.frozen:
		n.crash(n)
	default:
		n.log("%s ends", n.name)
		n.sayLeaving()
		n.up = false
		n.onCrash(n)
		n.recordDeparture()
		n.othersReached()
	}
	n.returning = true
	n.after(n.drawn(50*time.Millisecond, maxReturn), func() {
		if n.returning = false; !n.up && n.run == run {
			n.startOrderly(n)
		}
	})
}

// startOrderly starts a speaker.
func (c *cluster) startOrderly(n *node) {
	n.start()
	c.log("%s starts as incarnation %d", n.name, n.incarnation)
	if c.orderly != nil {
		c.apiChanged()
		c.recordDeparture()
	}
	c.othersReached()
}

// recordDeparture records that a speaker has ended or started.
func (c *checks) recordDeparture() {
	if !c.harmless {
		c.recordFault()
	}
}

// takesPart reports whether a node may hold an address and has known the others for long.
func (c *checks) takesPart(i int) bool {
	return slices.ContainsFunc(c.nodes, func(n *node) bool { return c.eligible(n, i) && !n.settling() && c.now-n.settledAt > settleTime })
}

// skew is how long after a change of the API a node may drop what it has just taken.
func (c *checks) skew() time.Duration {
	if c.orderly != nil {
		return maxHeirTime // A claim of a node that had started and may not hold it any more may be on its way.
	}
	return maxAPISkew
}

// returns waits until those who left have started again.
func (s *scenario) returns() {
	away := func() bool {
		for _, n := range s.nodes {
			if n.up && n.leaving || n.returning {
				return true
			}
		}
		return false
	}
	for away() && s.violation == "" {
		s.run(100 * time.Millisecond)
	}
}

// checkHandedOver checks that a node which leaves answers for an address until another one does, if one can.
func (c *checks) checkHandedOver(n *node, i int) {
	v := n.vips[addr(i)]
	if !n.leaving || v == nil || !v.answers || len(c.wire[i]) > 0 || c.now-c.lastFault <= settleTime || len(c.cut) > 0 ||
		c.now-max(c.possibleSince[i], c.apiChangedAt) <= maxHeirTime || c.returnOnItsWay(n, i) {
		return
	}
	for _, other := range c.nodes {
		if c.hears(n, other) && c.hears(other, n) && c.couldTake(n, other, i) {
			c.violate("%s leaves %d before another node answers", n.name, i)
		}
	}
}

// maxHeirTime is how long it takes at most until all know that a node may hold an address, and it has claimed it.
const maxHeirTime = maxTries*maxMessageDelay + heirTimeout + 3*nextHeirDelay

// couldTake reports whether another node could have taken an address over from one that leaves.
func (c *checks) couldTake(n, other *node, i int) bool {
	return other != n && c.heard(n, other) && c.heard(other, n) && c.eligible(other, i) && !other.settling() && c.now-other.settledAt > maxHeirTime
}

// rollsOut lets one speaker after the other leave, and some before the last one is back.
func (s *scenario) rollsOut() {
	for _, i := range s.random.Perm(len(s.nodes)) {
		s.leave(s.nodes[i])
		if s.chance(0.5) {
			s.run(simHandOver + maxReturn + s.randomDuration(0, settleTime))
		} else {
			s.run(s.randomDuration(0, simHandOver+maxReturn))
		}
	}
}

// leaveTogether lets several speakers leave at once, or all.
func (s *scenario) leaveTogether() {
	for range 1 + s.random.IntN(3) {
		for _, i := range s.random.Perm(len(s.nodes))[:1+s.random.IntN(len(s.nodes))] {
			s.after(s.randomDuration(0, 300*time.Millisecond), func() { s.leave(s.nodes[i]) })
		}
		s.run(s.randomDuration(300*time.Millisecond, simHandOver+maxReturn+settleTime))
	}
}

// leaveParted lets speakers leave that reach some of the others or none, in the gossip or on the segment as well.
func (s *scenario) leaveParted() {
	for range 1 + s.random.IntN(3) {
		n := s.nodes[s.random.IntN(len(s.nodes))]
		part := func() {
			switch s.random.IntN(4) {
			case 0:
				s.partition(2)
			case 1:
				s.log("the gossip of %s is cut", n.name)
				s.side[n.index] = 1
				s.reachabilityChanged()
			case 2:
				s.log("%s is not heard in the gossip", n.name)
				s.mute[n.index] = true
				s.reachabilityChanged()
			default:
				s.cutOneWay(s.random.IntN(len(s.nodes)), n.index)
			}
		}
		if s.chance(0.5) {
			part()
			s.run(s.randomDuration(0, settleTime))
			s.leave(n)
		} else {
			s.leave(n)
			s.run(s.randomDuration(0, time.Second))
			part()
		}
		s.run(s.randomDuration(0, 2*settleTime))
		s.truth()
		s.run(s.randomDuration(0, 2*settleTime))
	}
}

// leaveInMaintenance lets speakers leave while it changes who may hold what.
func (s *scenario) leaveInMaintenance(b func() *eligibility) {
	for range 3 + s.random.IntN(6) {
		switch s.random.IntN(3) {
		case 0:
			s.drain(s.random.IntN(len(s.nodes)))
		case 1:
			s.reassign(b)
		default:
			s.leave(s.nodes[s.random.IntN(len(s.nodes))])
		}
		s.run(s.randomDuration(0, 2*time.Second))
	}
}

// leavesOrderly has speakers leave in one way or another, in a network that is whole but for one of them.
func (s *scenario) leavesOrderly(kind uint64) {
	s.lying, s.harmless = kind == 3 || s.chance(0.5), kind != 3
	s.begin()
	b := s.someEligibilities()
	if s.chance(0.5) {
		b = s.everyoneEligible
	}
	s.create(0, len(s.api.eligible), b, s.randomDuration(0, time.Second))
	s.run(2*settleTime + time.Second)
	switch kind {
	case 0:
		s.rollsOut()
	case 1:
		s.leaveTogether()
	case 2:
		s.lateClaims, s.lateWord = s.randomDuration(rivalTimeout, 3*rivalTimeout), s.randomDuration(0, time.Second)
		s.rollsOut()
	case 3:
		s.leaveParted()
	default:
		s.leaveInMaintenance(b)
	}
	s.returns()
	s.lateClaims, s.lateWord = 0, 0
	s.run(6 * time.Second)
	s.recordFault()
	s.end()
}

// simulateLeaving runs one scenario in which speakers leave.
func simulateLeaving(seed uint64) *scenario {
	random := rand.New(rand.NewPCG(seed, 14))
	s := &scenario{cluster: newCluster(random, 2+random.IntN(5), 1+random.IntN(12))}
	s.verbose, s.compared, s.orderly = true, seed%8 == 3, rand.New(rand.NewPCG(seed, 15))
	s.aliveOnly, s.ranked = s.chance(0.5), s.chance(0.5)
	if s.chance(0.5) {
		s.rebalanceSteps = 1 + random.IntN(2)
	}
	if s.chance(0.3) {
		s.shareByLot(rand.New(rand.NewPCG(seed, 16)))
	}
	switch kind := seed % 7; kind {
	case 5:
		s.chaos()
	case 6:
		s.lies()
	default:
		s.leavesOrderly(kind)
	}
	return s
}

// TestElector_SimulationOfLeavingSpeakers has speakers leave in an orderly way. While one does so in a network that is whole, somebody answers
// for each address at all times. To see all of a seed, or to run others:
//
//	go test ./internal/core/election -run LeavingSpeakers -election.seed=SEED -v
//	go test ./internal/core/election -run LeavingSpeakers -election.base=SEED -election.runs=20000
func TestElector_SimulationOfLeavingSpeakers(t *testing.T) { manySeeds(t, simulateLeaving) }

// TestElector_SimulationOfPinnedLeavingSpeakers runs seeds that broke a rule once.
func TestElector_SimulationOfPinnedLeavingSpeakers(t *testing.T) {
	pinnedSeeds(t, simulateLeaving, map[uint64]string{
		9:      "a speaker that left defended an address against its heir, or ended with a panic",
		889:    "one that left made a table of an address that it did not hold any more",
		22678:  "the heir probed what had been vacant once, long before",
		31470:  "two servers had heard different tables of a holder that was dead, and its heir had heard none (the judge was too strict)",
		46070:  "a server that the gossip was cut off from did not know of its part, and was only asked about another address",
		52684:  "the heir of an address that was not shared any more went by the table of the holder before",
		54872:  "the first announcement of one that had served an address did not wake its rival (in the simulation alone)",
		420237: "a node took an address again that it had given back seconds before, and was not told any more that it was in the wrong",
		404436: "a node answered on by a weaker claim than that of a run that had ended, and had just heard of it (the judge was too strict)",
		112182: "a late claim and the return of the address to the one it was taken from crossed (the judge was too strict)",
	})
}
