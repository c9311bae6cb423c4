package election

import "time"

// Clocks in a simulated cluster that are set, forward and back, while a speaker does not run.

// nextIncarnation is the time by the node's clock at its next start, which may be earlier than that of its start before.
func (n *node) nextIncarnation() uint64 {
	next := max(1, int(n.incarnation)+1+n.clockStep)
	if next == int(n.incarnation) {
		next++ // No two starts are in the same nanosecond.
	}
	return uint64(next)
}

// earlier is the first incarnation of nodes whose clocks may be set back.
const earlier = 1000

// setClock sets the clock of a node forward, or back by less than 0, while its speaker does not run for a moment.
func (s *scenario) setClock(n *node, step int) {
	if !n.up {
		return
	}
	s.log("the clock of %s is set by %d", n.name, step)
	n.clockStep = step
	s.crash(n)
	s.after(s.randomDuration(50*time.Millisecond, 2*time.Second), func() {
		if !n.up {
			s.start(n)
		}
		n.clockStep = 0
	})
}

// renew begins to take part in the election, as the incarnation that the node has now.
func (n *node) renew() {
	n.elector, n.anew = NewElector(n.name, n.incarnation, rebalanceAfter), NewElector(n.name, n.incarnation, rebalanceAfter)
	n.skipped = 0
	for _, e := range []*Elector{n.elector, n.anew} {
		e.rebalanceSteps, e.minRefusal = n.rebalanceSteps, simRefusal
	}
}

// refute is told that others remember a later incarnation of this node, and makes its own one later still.
func (n *node) refute(incarnation uint64) {
	if incarnation <= n.incarnation {
		return
	}
	settled := !n.settling()
	n.incarnation = incarnation + 1
	n.log("%s goes on as incarnation %d", n.name, n.incarnation)
	n.renew()
	if !n.leaving {
		n.live[n.name] = n.incarnation
	}
	if settled {
		n.settled[n.name] = n.incarnation
	}
	n.regroup()
	n.reachabilityChanged()
	n.queueDecision()
}
