package election

import (
	"fmt"
	"net/netip"
	"slices"
	"time"
)

const (
	// calm is how long after the last fault everything must be in order.
	calm = 4 * time.Second
	// overlapMax is how long two nodes that can reach each other may answer for one address: the time in which one is
	// noticed again after a partition, and a message sent three times gets through.
	overlapMax = time.Second
)

// checks are the rules of DESIGN section 5, watched while a simulated cluster runs.
type checks struct {
	*cluster
	// broken is the first rule that was, in words; "": none.
	broken string
	// faulted is when there was the last fault or return from one.
	faulted time.Duration
	// holders by address, in the order in which they took it.
	holders [][]*node
	// doubled are the addresses that have more than one holder.
	doubled map[int]bool
	// contested is when an address was claimed last.
	contested []time.Duration
	// able is since when there has been somebody who may hold an address; 0: there is nobody.
	able []time.Duration
	// moves are changes of holder, and takes first holders.
	moves, takes int
	// waits are, for addresses that lost their holder, how long after it missed the old holder the next one took over.
	waits []time.Duration
	// lost are addresses whose holder crashed, with when each node noticed.
	lost map[int]map[*node]time.Duration
}

func newChecks(c *cluster, addresses int) *checks {
	return &checks{
		cluster: c, holders: make([][]*node, addresses), doubled: map[int]bool{}, contested: make([]time.Duration, addresses), able: make([]time.Duration, addresses),
		lost: map[int]map[*node]time.Duration{},
	}
}

func (c *checks) breaks(format string, args ...any) {
	if c.broken == "" {
		c.broken = fmt.Sprintf("at %.3fs: ", c.now.Seconds()) + fmt.Sprintf(format, args...)
		c.log("BROKEN: %s", c.broken)
	}
}

// disturb notes that there was a fault: for a while some rules cannot hold.
func (c *checks) disturb() { c.faulted = c.now }

// enabled is told that the API has changed.
func (c *checks) enabled() {
	for i, since := range c.able {
		switch possible := c.possible(i); {
		case !possible:
			c.able[i] = 0
		case since == 0:
			c.able[i] = c.now
		}
	}
}

// took is told that a node answers for an address.
func (c *checks) took(n *node, a netip.Addr) {
	i := number(a)
	c.log("%s answers for %d", n.name, i)
	if !n.authored[a] {
		c.breaks("%s answers for %d, which this instance has not claimed", n.name, i)
	}
	if n.settling() {
		c.breaks("%s takes %d while it is settling", n.name, i)
	}
	if noticed, lost := c.lost[i]; lost {
		if took := c.now - noticed[n]; noticed[n] > 0 {
			c.waits = append(c.waits, took)
			c.log("late by %s", took)
		}
		delete(c.lost, i)
	}
	c.holders[i] = append(c.holders[i], n)
	if len(c.holders[i]) > 1 {
		c.doubled[i] = true
	}
}

// dropped is told that a node answers no longer, though it could.
func (c *checks) dropped(n *node, a netip.Addr) {
	i := number(a)
	c.log("%s drops %d", n.name, i)
	c.leave(n, i)
	if len(c.holders[i]) == 0 && c.now-c.faulted > calm && c.reachable(n, i) && c.now-c.able[i] > skew {
		c.breaks("%s dropped %d before another node answered", n.name, i)
	}
}

func (c *checks) leave(n *node, i int) {
	c.holders[i] = slices.DeleteFunc(c.holders[i], func(h *node) bool { return h == n })
	if len(c.holders[i]) < 2 {
		delete(c.doubled, i)
	}
}

// dropAll is told that a node has crashed.
func (c *checks) dropAll(n *node) {
	for _, contest := range n.contests {
		a := contest.Addr
		if _, held := n.holds[a]; held {
			c.leave(n, number(a))
			if c.possible(number(a)) && len(c.holders[number(a)]) == 0 {
				c.lost[number(a)] = map[*node]time.Duration{}
			}
		}
	}
	n.holds = nil
}

// missed is told that a node took another one for dead.
func (c *checks) missed(n, other *node) {
	for i, noticed := range c.lost {
		if claim := n.claims[addr(i)]; claim.Node == other.name {
			noticed[n] = c.now
		}
	}
}

// claimed is told that a node claims an address; what it knows is yet as it was.
func (c *checks) claimed(n *node, claim Claim) {
	i := number(claim.Addr)
	if claim.free() {
		c.released(n, claim)
		return
	}
	c.log("%s claims %d by term %d", n.name, i, claim.Term)
	if n.settling() {
		c.breaks("%s claims %d while it is settling", n.name, i)
	}
	if claim.Node != n.name || claim.Incarnation != n.instance || claim.Term <= n.claims[claim.Addr].Term {
		c.breaks("%s claims %v, knowing of %v", n.name, claim, n.claims[claim.Addr])
	}
	if !n.candidate(claim.Addr, n.name) {
		c.breaks("%s claims %d and is no candidate", n.name, i)
	}
	defer func() { c.contested[i] = c.now }()
	c.takes++
	if known := n.claims[claim.Addr]; known.Term > 0 {
		c.moves++
	}
	c.respects(n, claim.Addr)
	for _, holder := range c.holders[i] {
		c.respectsUnseen(n, holder, claim.Addr)
	}
}

// released is told that a node gives up an address that is no contest to it any more.
func (c *checks) released(n *node, claim Claim) {
	c.log("%s releases %d by term %d", n.name, number(claim.Addr), claim.Term)
	c.contested[number(claim.Addr)] = c.now
	if _, found := slices.BinarySearchFunc(n.contests, claim.Addr, func(o Contest, a netip.Addr) int { return o.Addr.Compare(a) }); found {
		c.breaks("%s releases %d, which it might hold", n.name, number(claim.Addr))
	}
}

// respects checks that a node takes nothing from one that holds it as far as it knows, but for the sake of balance.
func (c *checks) respects(n *node, a netip.Addr) {
	known := n.claims[a]
	if n.live[known.Node] != known.Incarnation || !n.candidate(a, known.Node) {
		return
	}
	gain, uneven := n.weight(a, n.name)-n.weight(a, known.Node), n.load(known.Node)-n.load(n.name)
	if known.Term > 0 && (gain < 0 || gain == 0 && uneven < 2 || c.now-n.watched < rebalanceAfter) {
		c.breaks("%s takes %d from %s without cause", n.name, number(a), known.Node)
	}
}

// respectsUnseen checks that a node does not take for open what another one holds. It may not know of a claim or a
// change that is still on its way.
func (c *checks) respectsUnseen(n, holder *node, a netip.Addr) {
	calmly := c.now-c.faulted > calm && len(c.cut) == 0 && c.now-c.contested[number(a)] > tries*delay && c.now-c.able[number(a)] > skew
	if holder == n || !calmly || !c.reach(n, holder) || !n.candidate(a, holder.name) || !holder.candidate(a, holder.name) {
		return
	}
	// A stronger claim that the holder has not heard of, as after a partition, is a cause.
	known := n.claims[a]
	if !known.Beats(holder.claims[a]) && (known.Node != holder.name || n.live[holder.name] != holder.instance) {
		c.breaks("%s takes %d, not knowing that %s holds it", n.name, number(a), holder.name)
	}
}

// overlap looks for two holders of one address that should have heard of each other.
func (c *checks) overlap() {
	for i := range c.doubled {
		for j, a := range c.holders[i] {
			for _, b := range c.holders[i][:j] {
				since := max(a.holds[addr(i)], b.holds[addr(i)], c.faulted)
				if c.reach(a, b) && len(c.cut) == 0 && c.now-since > overlapMax {
					c.breaks("%s and %s both answer for %d", b.name, a.name, i)
				}
			}
		}
	}
}

// possible reports whether an address is there and has a candidate that is alive.
func (c *checks) possible(i int) bool {
	for _, n := range c.nodes {
		if c.eligible(n, i) {
			return true
		}
	}
	return false
}

// reachable reports whether an address has a candidate on this node's side.
func (c *checks) reachable(n *node, i int) bool {
	for _, other := range c.nodes {
		if c.eligible(other, i) && c.reach(n, other) {
			return true
		}
	}
	return false
}

func (c *checks) eligible(n *node, i int) bool {
	b := c.api.brackets[i]
	return b != nil && n.up && b.weights[n.index] >= 0 && !c.api.drained[n.index]
}

// settledWell checks that every address that can have a holder has one that may be, and no other for long.
func (c *checks) settledWell() {
	c.overlap()
	for i, holders := range c.holders {
		switch possible := c.possible(i); {
		case !possible && len(holders) > 0:
			c.breaks("%s holds %d, which nobody may", holders[0].name, i)
		case possible && len(holders) == 0:
			c.breaks("nobody holds %d", i)
		case possible && !c.eligible(holders[0], i):
			c.breaks("%s holds %d and may not", holders[0].name, i)
		}
	}
}

// spread is by how much the counts of two equally eligible nodes differ at most.
func (c *checks) spread() int {
	lowest, highest := map[string]int{}, map[string]int{}
	widest := 0
	for _, n := range c.nodes {
		if !n.up {
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

// kind names what a node is eligible for.
func (c *checks) kind(n *node) string {
	kind := make([]byte, len(c.api.brackets))
	for i, b := range c.api.brackets {
		if c.eligible(n, i) {
			kind[i] = byte(b.weights[n.index] + 1)
		}
	}
	return string(kind)
}

// misplaced is an address that a node holds though one of a higher weight may; -1: none.
func (c *checks) misplaced() int {
	for i, holders := range c.holders {
		for _, n := range c.nodes {
			if len(holders) == 1 && c.eligible(n, i) && c.api.brackets[i].weights[n.index] > c.api.brackets[i].weights[holders[0].index] {
				return i
			}
		}
	}
	return -1
}
