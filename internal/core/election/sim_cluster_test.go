package election

import (
	"container/heap"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"time"
)

const (
	// maxMessageDelay is how long a message may take.
	maxMessageDelay = 200 * time.Millisecond
	// maxAPISkew is how much later than another node a node may learn of a change of the API.
	maxAPISkew = 100 * time.Millisecond
	// Every node detects the crash of another one by itself, between these two times.
	minDetectionTime, maxDetectionTime = 150 * time.Millisecond, 300 * time.Millisecond
	// maxDoubtTime is how long before its verdict a node may doubt that another one is alive.
	maxDoubtTime = 100 * time.Millisecond
	// rebalanceAfter is short, so that less time has to be simulated.
	rebalanceAfter = 2 * time.Second
	// simRefusal is minRefusal of a simulation, which ends a while after the last fault.
	simRefusal = 500 * time.Millisecond
	// lossChance is how often a message is lost. The gossip sends every message up to maxTries times.
	lossChance = 0.1
	// lookInterval is the time between two looks of a node without a cause.
	lookInterval = 70 * time.Millisecond
	maxTries     = 4
)

var epoch = time.Unix(1700000000, 0)

func addr(i int) netip.Addr { return netip.AddrFrom4([4]byte{198, 19, byte(i >> 8), byte(i)}) }

func number(a netip.Addr) int { b := a.As4(); return int(b[2])<<8 | int(b[3]) }

// eligibility is the weight of each node for an address; -1 when the node may not hold it.
type eligibility struct {
	weights []int
}

// api is the state of the Services and nodes: the real one, or what a node knows of it.
type api struct {
	eligible []*eligibility // by address; nil when it does not exist
	drained  []bool         // by node
	// rolls counts how often pods have moved.
	rolls int
	// shared are the addresses that several nodes answer for.
	shared []bool
}

func (a *api) clone() api {
	return api{slices.Clone(a.eligible), slices.Clone(a.drained), a.rolls, slices.Clone(a.shared)}
}

// ranks of the nodes for two addresses of three, which are others after each roll.
func (a *api) ranks(address int) *Ranks {
	if address%3 == 0 {
		return nil
	}
	random := rand.New(rand.NewPCG(uint64(address), uint64(a.rolls)))
	var ranks []Rank
	for i := range a.drained {
		ranks = append(ranks, Rank{nodeName(i), uint8(random.IntN(3))})
	}
	return NewRanks(ranks, nil)
}

// cluster is a simulated cluster. Neither real time nor map order decides anything: what happens depends on the seed alone.
type cluster struct {
	*checks
	random     *rand.Rand
	now        time.Duration
	events     events
	eventCount int
	nodes      []*node
	api        api
	// side is the side of a partition that each node is on.
	side []int
	segment
	// cut has the pairs of nodes where messages of the first do not reach the second, while other nodes reach both.
	cut map[[2]int]bool
	// mute are nodes that hear the others in the gossip and are heard by nobody.
	mute map[int]bool
	deafness
	leaves
	// lying: the gossip and the segment may have different faults, and more is checked.
	lying bool
	// pause is how long meetings may have to wait, because there were others shortly before.
	pause time.Duration
	// compared: decisions are made once more where nothing has changed, and compared with those that are worked out.
	compared bool
	// mixed: some nodes run the version before, and what all say lacks what that version does not know.
	mixed bool
	// loss is the chance that a message is lost.
	loss float64
	// rebalanceSteps of the electors. With few, several of the few addresses are moved at once.
	rebalanceSteps int
	// aliveOnly: groups name only nodes that are believed alive, as those of internal/core/announce do.
	aliveOnly bool
	// sharing: some addresses are shared.
	sharing bool
	// ranked: candidates have ranks, and with each change of the API they have others.
	ranked bool
	// verbose records the trace.
	verbose bool
	trace   []string
}

func newCluster(random *rand.Rand, nodes, addresses int) *cluster {
	c := &cluster{
		random: random, loss: lossChance, rebalanceSteps: rebalanceSteps, side: make([]int, nodes), cut: map[[2]int]bool{}, mute: map[int]bool{},
		segment: newSegment(nodes), deafness: deafness{map[int]time.Duration{}, map[misled]time.Duration{}, map[int]time.Duration{}},
	}
	c.api = api{make([]*eligibility, addresses), make([]bool, nodes), 0, make([]bool, addresses)}
	c.checks = newChecks(c, addresses)
	for i := range nodes {
		c.nodes = append(c.nodes, &node{cluster: c, index: i, name: fmt.Sprintf("n%d", i), neighbors: map[netip.Addr]*node{}})
	}
	return c
}

type event struct {
	at    time.Duration
	count int
	run   func()
}

type events []event

func (e events) Len() int { return len(e) }
func (e events) Less(i, j int) bool {
	return e[i].at < e[j].at || e[i].at == e[j].at && e[i].count < e[j].count
}
func (e events) Swap(i, j int) { e[i], e[j] = e[j], e[i] }
func (e *events) Push(x any)   { *e = append(*e, x.(event)) }
func (e *events) Pop() any {
	last := (*e)[len(*e)-1]
	*e = (*e)[:len(*e)-1]
	return last
}

// after runs a function later.
func (c *cluster) after(d time.Duration, run func()) {
	c.eventCount++
	heap.Push(&c.events, event{c.now + d, c.eventCount, run})
}

// run simulates some time. It stops at the first broken rule.
func (c *cluster) run(d time.Duration) {
	end := c.now + d
	for len(c.events) > 0 && c.events[0].at <= end && c.violation == "" {
		e := heap.Pop(&c.events).(event)
		c.now = e.at
		if c.sharing {
			c.checkShares()
		}
		if len(c.unhearing) > 0 {
			c.checkDeaf()
		}
		if c.lying {
			c.checkSegment()
		} else {
			c.checkDoubleHolders()
		}
		e.run()
	}
	c.now = end
}

func (c *cluster) randomDuration(low, high time.Duration) time.Duration {
	return low + time.Duration(c.random.Int64N(int64(high-low)+1))
}

func (c *cluster) chance(p float64) bool { return c.random.Float64() < p }

// log adds a line to the trace. The trace ends with the first broken rule, since the events end there.
func (c *cluster) log(format string, args ...any) {
	if c.verbose && c.violation == "" {
		c.trace = append(c.trace, fmt.Sprintf("%9.3f ", c.now.Seconds())+fmt.Sprintf(format, args...))
	}
}

// change changes the API. Each node learns of it up to maxAPISkew later, and of all changes in order.
func (c *cluster) change(what func(*api)) {
	apply := func(a *api) { what(a); a.rolls++ }
	apply(&c.api)
	c.apiChangedAt = c.now
	c.apiChanged()
	for _, n := range c.nodes {
		run := n.run
		n.apiDelivery = max(n.apiDelivery, c.now+c.randomDuration(0, maxAPISkew))
		c.after(n.apiDelivery-c.now, func() {
			if n.up && n.run == run {
				apply(&n.api)
				n.regroup()
				n.queueDecision()
			}
		})
	}
}

// reach reports whether two nodes are connected, directly or by way of a third.
func (c *cluster) reach(a, b *node) bool {
	return a.up && b.up && !a.frozen && !b.frozen && c.side[a.index] == c.side[b.index]
}

// heard reports whether a node hears another one in the gossip.
func (c *cluster) heard(a, b *node) bool {
	_, unhearing := c.unhearing[a.index]
	return c.reach(a, b) && !c.mute[b.index] && !unhearing && !b.alone()
}

// reachabilityChanged is called when other nodes can reach each other than before. Each node detects it by itself.
func (c *cluster) reachabilityChanged() {
	c.recordFault()
	c.othersReached()
}

// othersReached has each node detect whom it can reach now.
func (c *cluster) othersReached() {
	for _, a := range c.nodes {
		for _, b := range c.nodes {
			_, alive := a.live[b.name]
			parting := a.parting[b.name] != 0
			switch reach := c.heard(a, b); {
			case a == b || !a.up || a.frozen:
			case reach && a.live[b.name] != b.incarnation && a.parting[b.name] != b.incarnation:
				c.after(c.randomDuration(20*time.Millisecond, maxDetectionTime), func() { a.detect(b) })
			case !reach && alive:
				delay := c.randomDuration(minDetectionTime, maxDetectionTime)
				c.after(delay-c.randomDuration(0, maxDoubtTime), func() { a.doubt(b) })
				c.after(delay, func() { a.detect(b) })
			case !reach && parting:
				c.after(c.drawn(minDetectionTime, maxDetectionTime), func() { a.detect(b) })
			}
		}
	}
}

func (c *cluster) crash(n *node) {
	c.log("%s crashes", n.name)
	n.up, n.leaving = false, false
	c.onCrash(n)
	c.reachabilityChanged()
}

func (c *cluster) start(n *node) {
	c.recordFault()
	c.startOrderly(n)
}

// partition parts the gossip and the segment: it puts the nodes on so many sides at random. One side means that there is no partition.
func (c *cluster) partition(sides int) {
	for i := range c.side {
		c.side[i] = c.random.IntN(sides)
	}
	copy(c.parts, c.side)
	c.changed = c.now
	c.log("sides %v", c.side)
	c.reachabilityChanged()
}

// exchange lets two nodes exchange all claims.
func (c *cluster) exchange(a, b *node) {
	c.after(c.randomDuration(0, 50*time.Millisecond), func() {
		if !c.heard(a, b) || !c.heard(b, a) || c.cut[[2]int{a.index, b.index}] || c.cut[[2]int{b.index, a.index}] {
			return
		}
		a.merge(b)
		b.merge(a)
	})
}
