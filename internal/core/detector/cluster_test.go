package detector

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
)

const ms = time.Millisecond

// fast is the default timing.
var fast = Timing{HeartbeatInterval: 50 * ms, RetryInterval: 12 * ms, HeartbeatMultiplier: 5}

// cluster is several detectors with a network between them, in simulated time that advances by milliseconds. A message
// takes one millisecond. memberlist is not part of it: it lists everybody as alive until the test says otherwise.
type cluster struct {
	now   time.Time
	nodes []*node
	// cut lists the links that let nothing through, as "a>b".
	cut map[string]bool
	// wire are the messages on their way.
	wire []func()
	tick uint64
	// pings counts the pings that were sent.
	pings int
}

type node struct {
	name        string
	incarnation uint64
	detector    *Detector
	// sent counts the datagrams that it has sent. The votes that are due at one time share those that go to all.
	sent int
	// stopped: it neither ticks nor takes messages, which wait.
	stopped bool
	mailbox []func()
}

var begins = time.Unix(1e9, 0)

func newCluster(names ...string) *cluster {
	c := &cluster{now: begins, cut: map[string]bool{}}
	for _, name := range names {
		c.nodes = append(c.nodes, &node{name: name, incarnation: 1, detector: New(name, fast)})
	}
	for _, a := range c.nodes {
		for _, b := range c.nodes {
			if a != b {
				a.detector.Listed(c.now, b.name, 1, true)
			}
		}
	}
	return c
}

func (c *cluster) node(name string) *node {
	for _, n := range c.nodes {
		if n.name == name {
			return n
		}
	}
	return nil
}

// send has a message taken by a node in a millisecond.
func (c *cluster) send(from *node, to string, take func(*node)) {
	target := c.node(to)
	if target == nil || c.cut[from.name+">"+to] {
		return
	}
	alone := from.detector.Alone(c.now)
	receive := func() {
		target.detector.SaidAlone(c.now, from.name, from.incarnation, alone)
		take(target)
	}
	c.wire = append(c.wire, func() {
		if target.stopped {
			target.mailbox = append(target.mailbox, receive)
		} else {
			receive()
		}
	})
}

// part cuts all links between two groups, both ways; heal restores all.
func (c *cluster) part(one, other string) {
	for a := range strings.FieldsSeq(one) {
		for b := range strings.FieldsSeq(other) {
			c.cut[a+">"+b], c.cut[b+">"+a] = true, true
		}
	}
}

func (c *cluster) heal() { clear(c.cut) }

// crash takes a node away.
func (c *cluster) crash(name string) {
	c.nodes = slices.DeleteFunc(c.nodes, func(n *node) bool { return n.name == name })
}

// run lets time pass, and calls see every millisecond.
func (c *cluster) run(d time.Duration, see func()) {
	for end := c.now.Add(d); c.now.Before(end); c.now = c.now.Add(ms) {
		wire := c.wire
		c.wire = nil
		for _, deliver := range wire {
			deliver()
		}
		for _, n := range c.nodes {
			if !n.stopped {
				c.step(n)
			}
		}
		if see != nil {
			see()
		}
	}
}

// step is what a node does in a millisecond.
func (c *cluster) step(n *node) {
	mailbox := n.mailbox
	n.mailbox = nil
	for _, take := range mailbox {
		take()
	}
	if !n.detector.NextDeadline(c.now).After(c.now) {
		n.detector.Tick(c.now)
		for _, target := range n.detector.TakePings(c.now) {
			c.pings++
			n.sent++
			c.send(n, target, func(to *node) { c.ping(n, to) })
		}
	}
	c.tick++
	seq := c.tick
	votes := n.detector.TakeVotes()
	if len(votes) > 0 {
		n.sent += len(n.detector.order)
	}
	for _, v := range votes {
		for _, other := range n.detector.order {
			c.send(n, other.name, func(to *node) {
				to.detector.Heard(c.now, n.name, n.incarnation, false)
				if v.Node != to.name {
					to.detector.Voted(c.now, n.name, seq, v)
				}
			})
		}
	}
	for _, missed := range n.detector.TakeMissed() {
		n.sent += len(missed.Observers)
		for _, other := range missed.Observers {
			c.send(n, other, func(to *node) {
				to.detector.Heard(c.now, n.name, n.incarnation, false)
				to.detector.Asked(missed.Node, missed.Incarnation)
			})
		}
	}
}

func (c *cluster) ping(from, to *node) {
	to.detector.Heard(c.now, from.name, from.incarnation, false)
	to.sent++
	c.send(to, from.name, func(from *node) { from.detector.Heard(c.now, to.name, to.incarnation, true) })
}

// alive returns the nodes that a node takes for alive, itself included.
func (c *cluster) alive(name string) string {
	all := []string{name}
	for _, p := range c.node(name).detector.order {
		if p.alive {
			all = append(all, p.name)
		}
	}
	slices.Sort(all)
	return strings.Join(all, " ")
}

// sees asserts which nodes each of some nodes takes for alive.
func (c *cluster) sees(t *testing.T, who, want string) {
	t.Helper()
	for name := range strings.FieldsSeq(who) {
		if got := c.alive(name); got != want {
			t.Errorf("after %v %s takes for alive %q, want %q", c.now.Sub(begins), name, got, want)
		}
	}
}

// until runs until all of some nodes take just these for alive, and returns how long that took.
func (c *cluster) until(t *testing.T, who, want string) time.Duration {
	t.Helper()
	for began := c.now; c.now.Sub(began) < 10*time.Second; c.run(ms, nil) {
		done := true
		for name := range strings.FieldsSeq(who) {
			done = done && c.alive(name) == want
		}
		if done {
			return c.now.Sub(began)
		}
	}
	c.sees(t, who, want)
	return 0
}

func names(n int) string {
	var all []string
	for i := range n {
		all = append(all, fmt.Sprintf("n%02d", i))
	}
	return strings.Join(all, " ")
}

func without(all, some string) string {
	gone := strings.Fields(some)
	return strings.Join(slices.DeleteFunc(strings.Fields(all), func(n string) bool { return slices.Contains(gone, n) }), " ")
}
