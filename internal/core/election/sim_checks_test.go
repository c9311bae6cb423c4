package election

import (
	"fmt"
	"net/netip"
	"slices"
	"time"
)

const (
	// settleTime is how long after the last fault everything must be in order.
	settleTime = 4 * time.Second
	// maxDoubleHold is how long two nodes that can reach each other may both answer for one address. It is the time in which a
	// node is detected again after a partition and a message that is sent three times arrives.
	maxDoubleHold = time.Second
)

// checks check the rules of the election while a simulated cluster runs. The functions named on... are called when something
// happens.
type checks struct {
	*cluster
	// violation describes the first broken rule; empty when there is none.
	violation string
	// lastFault is when the last fault began or ended. It is yet to come when messages were lost and are still made up for.
	lastFault time.Duration
	// holders by address, in the order in which they took it.
	holders [][]*node
	// doubleHeld are the addresses that have more than one holder.
	doubleHeld map[int]bool
	// wire are the nodes that answer for each address on the segment, and unansweredSince is since when none does; 0: one does.
	wire            [][]*node
	unansweredSince []time.Duration
	// stopped is when a node last stopped to answer for an address.
	stopped map[Question]time.Duration
	// claimedAt is when each address was claimed last.
	claimedAt []time.Duration
	// possibleSince is since when a live node may hold an address; 0 when none may.
	possibleSince []time.Duration
	// takes counts the claims, and moves those of them that changed the holder.
	moves, takes int
	// reannounced counts the addresses that were announced once more after a return.
	reannounced int
	// failovers are how long new holders took after they had declared the old holder dead.
	failovers []time.Duration
	// lost are the addresses whose holder crashed, with the time when each node declared it dead.
	lost map[int]map[*node]time.Duration
	// decisions of all nodes, and repeats are those of them that were not worked out.
	decisions, repeats uint64
	sharesChecks
}

func newChecks(c *cluster, addresses int) *checks {
	return &checks{
		cluster: c, holders: make([][]*node, addresses), doubleHeld: map[int]bool{}, claimedAt: make([]time.Duration, addresses),
		possibleSince: make([]time.Duration, addresses), wire: make([][]*node, addresses),
		unansweredSince: make([]time.Duration, addresses), stopped: map[Question]time.Duration{},
		lost: map[int]map[*node]time.Duration{}, sharesChecks: newSharesChecks(addresses),
	}
}

func (c *checks) violate(format string, args ...any) {
	if c.violation == "" {
		violation := fmt.Sprintf("at %.3fs: ", c.now.Seconds()) + fmt.Sprintf(format, args...)
		c.log("VIOLATION: %s", violation)
		for _, n := range c.nodes {
			c.log("%s up %t live %v silent %v holds %d answers for %v asks %v, waits %s", n.name, n.up, n.live, n.silent, len(n.holds), n.answered(), n.asked, n.wait)
		}
		for i := range c.claimedAt {
			c.log("%d: %v on the segment %d", i, c.nodes[0].claims[addr(i)], len(c.wire[i]))
		}
		c.violation = violation
	}
}

// recordFault records a fault. Some rules cannot hold for some time after it.
func (c *checks) recordFault() { c.recordLoss(0) }

// recordLoss records that messages were lost, which are made up for within some time. A fault meanwhile does not shorten it.
func (c *checks) recordLoss(within time.Duration) { c.lastFault = max(c.lastFault, c.now+within) }

// apiChanged is called after a change of the API.
func (c *checks) apiChanged() {
	for i, since := range c.possibleSince {
		switch possible := c.possible(i); {
		case !possible:
			c.possibleSince[i] = 0
		case since == 0:
			c.possibleSince[i] = c.now
		}
	}
}

// onTake is called when a node begins to answer for an address.
func (c *checks) onTake(n *node, a netip.Addr) {
	i := number(a)
	c.log("%s answers for %d", n.name, i)
	if !n.owns(n.claims[a]) && !n.claimed[a] {
		c.violate("%s answers for %d, which this incarnation has not claimed", n.name, i)
	}
	if n.settling() {
		c.violate("%s takes %d while it is settling", n.name, i)
	}
	if noticed, lost := c.lost[i]; lost {
		if took := c.now - noticed[n]; noticed[n] > 0 {
			c.failovers = append(c.failovers, took)
			c.log("late by %s", took)
		}
		delete(c.lost, i)
	}
	c.holders[i] = append(c.holders[i], n)
	if len(c.holders[i]) > 1 {
		c.doubleHeld[i] = true
	}
}

// onDrop is called when a running node stops to answer for an address.
func (c *checks) onDrop(n *node, a netip.Addr) {
	i := number(a)
	c.log("%s drops %d", n.name, i)
	c.removeHolder(n, i)
	calm := !n.leaving && c.now-c.lastFault > settleTime && c.now-c.possibleSince[i] > c.skew() && !c.returnOnItsWay(n, i) && !c.crossed(n, i)
	if len(c.holders[i]) == 0 && calm && c.reachable(n, i) {
		c.violate("%s dropped %d before another node answered", n.name, i)
	}
}

// returnOnItsWay reports whether an address was given back to a node that does not know of it yet, or released, as by one that
// was drained just after it had taken the address. The claim by which it was taken from that node may then arrive alone.
func (c *checks) returnOnItsWay(n *node, i int) bool {
	late := len(c.cut) == 0 && c.now-c.claimedAt[i] > maxTries*maxMessageDelay
	return !late && slices.ContainsFunc(c.nodes, func(other *node) bool {
		claim := other.claims[addr(i)]
		back := claim.free() || claim.Node == n.name && claim.Incarnation == n.incarnation
		return other.up && back && claim.Beats(n.claims[addr(i)])
	})
}

// crossed reports whether a node has just given an address back to one that answered a moment before, and has stopped since then for
// the claim by which it was taken: that claim was late, and neither can know of the other. The one that is given the address back goes on as it hears of it.
func (c *checks) crossed(n *node, i int) bool {
	to := n.claims[addr(i)].Node
	stopped, known := c.stopped[Question{to, addr(i)}]
	return to != n.name && known && c.now-stopped < rivalFresh
}

func (c *checks) removeHolder(n *node, i int) {
	c.holders[i] = slices.DeleteFunc(c.holders[i], func(h *node) bool { return h == n })
	if len(c.holders[i]) < 2 {
		delete(c.doubleHeld, i)
	}
}

// onCrash is called when a node crashes.
func (c *checks) onCrash(n *node) {
	for _, contest := range n.contests {
		a := contest.Addr
		if _, held := n.holds[a]; held {
			c.removeHolder(n, number(a))
			if c.possible(number(a)) && len(c.holders[number(a)]) == 0 {
				c.lost[number(a)] = map[*node]time.Duration{}
			}
		}
	}
	for i := range c.wire {
		c.onSilent(n, addr(i))
	}
	n.holds, n.vips, n.services = nil, nil, nil
}

// onDeclaredDead is called when a node declares another one dead.
func (c *checks) onDeclaredDead(n, other *node) {
	for i, noticed := range c.lost {
		if claim := n.claims[addr(i)]; claim.Node == other.name {
			noticed[n] = c.now
		}
	}
}

// onClaim is called when a node claims an address, before it learns its own claim.
func (c *checks) onClaim(n *node, claim Claim) {
	i := number(claim.Addr)
	if n.leaving && !claim.free() {
		c.violate("%s leaves and claims %v", n.name, claim)
	}
	if known := n.claims[claim.Addr]; n.owns(known) && known.Announced && n.owns(claim) && !claim.Announced && n.vacant(claim.Addr) {
		c.onLapse(n, claim)
		return
	}
	c.onTable(n, claim)
	if claim.free() {
		c.onRelease(n, claim)
		return
	}
	if claim.Node != n.name {
		c.onCede(n, claim)
		return
	}
	if claim.same(n.claims[claim.Addr]) {
		if n.claims[claim.Addr].Announced {
			return // It is another table.
		}
		c.log("%s has announced %d", n.name, i)
		if !n.answersFor(claim.Addr) {
			c.violate("%s says that it has announced %d", n.name, i)
		}
		return
	}
	c.log("%s claims %d by term %d", n.name, i, claim.Term)
	if n.settling() {
		c.violate("%s claims %d while it is settling", n.name, i)
	}
	if claim.Node != n.name || claim.Incarnation != n.incarnation || claim.Term <= n.claims[claim.Addr].Term {
		c.violate("%s claims %v, knowing of %v", n.name, claim, n.claims[claim.Addr])
	}
	if !n.candidate(claim.Addr, n.name) {
		c.violate("%s claims %d and is no candidate", n.name, i)
	}
	defer func() { c.claimedAt[i] = c.now }()
	c.takes++
	if known := n.claims[claim.Addr]; known.Term > 0 {
		c.moves++
	}
	c.checkTakeover(n, claim.Addr)
	for _, holder := range c.holders[i] {
		c.checkUnseenHolder(n, holder, claim.Addr)
	}
}

// onLapse is called when a node says that the mark of an address has lapsed.
func (c *checks) onLapse(n *node, claim Claim) {
	c.log("%s says that nobody has answered for %d", n.name, number(claim.Addr))
	c.claimedAt[number(claim.Addr)] = c.now
	if n.answersFor(claim.Addr) {
		c.violate("%s answers for %d and says that nobody does", n.name, number(claim.Addr))
	}
}

// onCede is called when a node gives an address to another one.
func (c *checks) onCede(n *node, claim Claim) {
	i := number(claim.Addr)
	c.log("%s cedes %d to %s by term %d", n.name, i, claim.Node, claim.Term)
	if known := n.claims[claim.Addr]; !n.owns(known) || claim.Term != known.Term+1 {
		c.violate("%s cedes %v, knowing of %v", n.name, claim, n.claims[claim.Addr])
	}
	c.claimedAt[i] = c.now
}

// onAnswer is called when a node begins to answer on the segment.
func (c *checks) onAnswer(n *node, a netip.Addr) {
	if c.strangers[number(a)] {
		c.violate("%s answers for %d, which a stranger has", n.name, number(a))
	}
	c.wire[number(a)] = append(c.wire[number(a)], n)
}

// onSilent is called when a node that runs stops to answer on the segment.
func (c *checks) onSilent(n *node, a netip.Addr) {
	if n.vips[a] != nil && n.vips[a].answers {
		c.stopped[Question{n.name, a}] = c.now
	}
	c.wire[number(a)] = slices.DeleteFunc(c.wire[number(a)], func(o *node) bool { return o == n })
	c.checkHandedOver(n, number(a))
}

// onRelease is called when a node releases an address.
func (c *checks) onRelease(n *node, claim Claim) {
	c.log("%s releases %d by term %d", n.name, number(claim.Addr), claim.Term)
	c.claimedAt[number(claim.Addr)] = c.now
	_, found := slices.BinarySearchFunc(n.contests, claim.Addr, func(o Contest, a netip.Addr) int { return o.Addr.Compare(a) })
	switch {
	case found && n.vacant(claim.Addr):
		c.onLapse(n, claim)
	case found:
		c.violate("%s releases %d, which it might hold", n.name, number(claim.Addr))
	}
}

// checkTakeover checks that a node takes no address from a holder that it knows, except to even out.
func (c *checks) checkTakeover(n *node, a netip.Addr) {
	known := n.claims[a]
	if n.live[known.Node] != known.Incarnation || !n.candidate(a, known.Node) || n.owns(known) && !n.answersFor(a) {
		return
	}
	gain, uneven := n.weight(a, n.name)-n.weight(a, known.Node), n.load(known.Node)-n.load(n.name)
	if known.Term > 0 && (gain < 0 || gain == 0 && uneven < 2 || c.now-n.unchangedSince < rebalanceAfter) {
		c.violate("%s takes %d from %s without cause", n.name, number(a), known.Node)
	}
}

// checkUnseenHolder checks that a node does not claim an address because it does not know the holder, unless the claim or
// the change is still on its way.
func (c *checks) checkUnseenHolder(n, holder *node, a netip.Addr) {
	calm := c.now-c.lastFault > settleTime && len(c.cut) == 0 && c.now-c.claimedAt[number(a)] > maxTries*maxMessageDelay &&
		c.now-c.possibleSince[number(a)] > maxAPISkew
	unheard := c.mute[n.index] // Nobody sends it anything.
	if holder == n || holder.leaving || unheard || !calm || !c.reach(n, holder) || holder.alone() || !n.candidate(a, holder.name) || !holder.candidate(a, holder.name) {
		return
	}
	// A stronger claim justifies it: the holder does not know it, as after a partition, or has just learned it, and waits for a successor.
	known := n.claims[a]
	if holder.owns(holder.claims[a]) && !known.Beats(holder.claims[a]) && (known.Node != holder.name || n.live[holder.name] != holder.incarnation) {
		c.violate("%s takes %d, not knowing that %s holds it", n.name, number(a), holder.name)
	}
}

// checkDoubleHolders looks for two holders of one address that should know of each other.
func (c *checks) checkDoubleHolders() {
	for i := range c.doubleHeld {
		for j, a := range c.holders[i] {
			for _, b := range c.holders[i][:j] {
				since := max(a.holds[addr(i)], b.holds[addr(i)], c.lastFault)
				if c.reach(a, b) && len(c.cut) == 0 && c.now-since > maxDoubleHold+c.lateness(a, b, i) {
					c.violate("%s and %s both answer for %d", b.name, a.name, i)
				}
			}
		}
	}
}

// possible reports whether an address exists and has a live candidate.
func (c *checks) possible(i int) bool {
	for _, n := range c.nodes {
		if c.eligible(n, i) {
			return true
		}
	}
	return false
}

// reachable reports whether an address has a live candidate that this node can reach.
func (c *checks) reachable(n *node, i int) bool {
	for _, other := range c.nodes {
		if c.eligible(other, i) && c.reach(n, other) && (c.orderly == nil || other == n || c.couldTake(n, other, i)) {
			return true
		}
	}
	return false
}

func (c *checks) eligible(n *node, i int) bool {
	b := c.api.eligible[i]
	return b != nil && n.up && !n.leaving && b.weights[n.index] >= 0 && !c.api.drained[n.index]
}

// checkHolders checks that every address that can have a holder has an eligible one, and no second one for long.
func (c *checks) checkHolders() {
	if !c.lying {
		c.checkDoubleHolders()
	}
	for i, holders := range c.holders {
		switch possible := c.possible(i); {
		case !possible && len(holders) > 0:
			c.violate("%s holds %d, which nobody may", holders[0].name, i)
		case possible && len(holders) == 0:
			c.violate("nobody holds %d", i)
		case possible && !c.eligible(holders[0], i):
			c.violate("%s holds %d and may not", holders[0].name, i)
		}
	}
}

// spread returns the largest difference between the counts of two equally eligible nodes.
func (c *checks) spread() int {
	lowest, highest := map[string]int{}, map[string]int{}
	widest := 0
	for _, n := range c.nodes {
		if !n.up || n.leaving {
			continue
		}
		kind, load := c.kind(n), len(n.holds)
		if _, known := lowest[kind]; !known {
			lowest[kind], highest[kind] = load, load
		}
		lowest[kind], highest[kind] = min(lowest[kind], load), max(highest[kind], load)
		widest = max(widest, highest[kind]-lowest[kind])
	}
	return widest
}

// kind returns a name for what a node is eligible for.
func (c *checks) kind(n *node) string {
	kind := make([]byte, len(c.api.eligible))
	for i, b := range c.api.eligible {
		if c.eligible(n, i) {
			kind[i] = byte(b.weights[n.index] + 1)
		}
	}
	return string(kind)
}

// misplaced returns an address whose holder has a lower weight than another candidate; -1 when there is none.
func (c *checks) misplaced() int {
	for i, holders := range c.holders {
		for _, n := range c.nodes {
			if len(holders) == 1 && c.eligible(n, i) && c.api.eligible[i].weights[n.index] > c.api.eligible[i].weights[holders[0].index] {
				return i
			}
		}
	}
	return -1
}
