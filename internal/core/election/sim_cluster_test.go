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
	// delay is how long a message may take, skew how much later one node hears of a change of the API than another.
	delay, skew = 200 * time.Millisecond, 100 * time.Millisecond
	// A node that is gone is missed by each of the others between these two, on its own.
	missedMin, missedMax = 150 * time.Millisecond, 300 * time.Millisecond
	// rebalanceAfter is short, for the sake of simulated time.
	rebalanceAfter = 2 * time.Second
	// loss is the chance of a message to be lost. The gossip sends everything several times: so long that a partition in
	// between is noticed.
	loss  = 0.1
	tries = 4
)

var epoch = time.Unix(1700000000, 0)

func addr(i int) netip.Addr { return netip.AddrFrom4([4]byte{198, 19, byte(i >> 8), byte(i)}) }

func number(a netip.Addr) int { b := a.As4(); return int(b[2])<<8 | int(b[3]) }

// bracket says who may hold an address, by weight; -1: not this node.
type bracket struct {
	weights []int
}

// api is the state of the Services and nodes, as it is or as a node sees it.
type api struct {
	brackets []*bracket // by address; nil: not there
	drained  []bool     // by node
}

func (a *api) clone() api { return api{slices.Clone(a.brackets), slices.Clone(a.drained)} }

// cluster is a simulated cluster. It has no real time and no map order decides: one seed is one story.
type cluster struct {
	*checks
	random *rand.Rand
	now    time.Duration
	events events
	count  int
	nodes  []*node
	api    api
	// side of a partition that a node is on.
	side []int
	// cut is set where messages of the first node do not reach the second, while the others hear both.
	cut map[[2]int]bool
	// aliveOnly: groups name only nodes that are deemed alive, as those of internal/core/announce do; else others as well.
	aliveOnly bool
	// verbose keeps the trace.
	verbose bool
	trace   []string
}

func newCluster(random *rand.Rand, nodes, addresses int) *cluster {
	c := &cluster{random: random, side: make([]int, nodes), cut: map[[2]int]bool{}}
	c.api = api{make([]*bracket, addresses), make([]bool, nodes)}
	c.checks = newChecks(c, addresses)
	for i := range nodes {
		c.nodes = append(c.nodes, &node{cluster: c, index: i, name: fmt.Sprintf("n%d", i)})
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

// after has something happen later.
func (c *cluster) after(d time.Duration, run func()) {
	c.count++
	heap.Push(&c.events, event{c.now + d, c.count, run})
}

// run lets time pass, or stops at the first broken rule.
func (c *cluster) run(d time.Duration) {
	end := c.now + d
	for len(c.events) > 0 && c.events[0].at <= end && c.broken == "" {
		e := heap.Pop(&c.events).(event)
		c.now = e.at
		c.overlap()
		e.run()
	}
	c.now = end
}

func (c *cluster) between(low, high time.Duration) time.Duration {
	return low + time.Duration(c.random.Int64N(int64(high-low)+1))
}

func (c *cluster) chance(p float64) bool { return c.random.Float64() < p }

func (c *cluster) log(format string, args ...any) {
	if c.verbose {
		c.trace = append(c.trace, fmt.Sprintf("%9.3f ", c.now.Seconds())+fmt.Sprintf(format, args...))
	}
}

// change the API: now, and at each node a moment later. Each node hears of changes in one order.
func (c *cluster) change(apply func(*api)) {
	apply(&c.api)
	c.enabled()
	for _, n := range c.nodes {
		instance := n.instance
		n.informed = max(n.informed, c.now+c.between(0, skew))
		c.after(n.informed-c.now, func() {
			if n.up && n.instance == instance {
				apply(&n.api)
				n.regroup()
				n.wake()
			}
		})
	}
}

// reach reports whether two nodes are connected, be it by way of a third.
func (c *cluster) reach(a, b *node) bool { return a.up && b.up && c.side[a.index] == c.side[b.index] }

// rewire is called when it has changed who can reach whom: each finds out on its own.
func (c *cluster) rewire() {
	c.disturb()
	for _, a := range c.nodes {
		for _, b := range c.nodes {
			_, alive := a.live[b.name]
			switch reach := c.reach(a, b); {
			case a == b || !a.up:
			case reach && a.live[b.name] != b.instance:
				c.after(c.between(20*time.Millisecond, missedMax), func() { a.notice(b) })
			case !reach && alive:
				c.after(c.between(missedMin, missedMax), func() { a.notice(b) })
			}
		}
	}
}

func (c *cluster) crash(n *node) {
	c.log("%s crashes", n.name)
	n.up = false
	c.dropAll(n)
	c.rewire()
}

func (c *cluster) start(n *node) {
	n.start()
	c.log("%s starts as instance %d", n.name, n.instance)
	c.rewire()
}

// partition puts the nodes on sides; heal is one side for all.
func (c *cluster) partition(sides int) {
	for i := range c.side {
		c.side[i] = c.random.IntN(sides)
	}
	c.log("sides %v", c.side)
	c.rewire()
}

// exchange has two nodes tell each other all they know.
func (c *cluster) exchange(a, b *node) {
	c.after(c.between(0, 50*time.Millisecond), func() {
		if !c.reach(a, b) || c.cut[[2]int{a.index, b.index}] || c.cut[[2]int{b.index, a.index}] {
			return
		}
		a.merge(b)
		b.merge(a)
	})
}
