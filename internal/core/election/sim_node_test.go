package election

import (
	"fmt"
	"net/netip"
	"time"

	"github.com/daymark-lb/daymark/internal/core/rendezvous"
)

// node is a simulated node: what a speaker and its members would know and do.
type node struct {
	*cluster
	index    int
	name     string
	up       bool
	instance uint64
	elector  *Elector
	claims   Claims
	digest   uint64
	// live nodes as this one sees it, and those of them that it knows to have settled.
	live    map[string]uint64
	settled map[string]uint64
	// met are the instances that it has exchanged tables with.
	met map[string]uint64
	api api
	// informed is when it hears of the last change of the API.
	informed time.Duration
	groups   map[*bracket]*Group
	contests []Contest
	holds    map[netip.Addr]time.Duration
	// authored are the addresses that this instance has claimed.
	authored map[netip.Addr]bool
	// watched is since when it has seen the same nodes alive.
	watched time.Duration
	woken   bool
	timer   int
	wait    time.Duration
}

func (n *node) start() {
	n.up = true
	n.instance++
	n.elector = NewElector(n.name, n.instance, rebalanceAfter)
	n.claims, n.digest = Claims{}, 0
	n.live = map[string]uint64{n.name: n.instance}
	n.settled, n.met = map[string]uint64{}, map[string]uint64{}
	n.api = n.cluster.api.clone()
	n.informed = n.now
	n.holds, n.authored = map[netip.Addr]time.Duration{}, map[netip.Addr]bool{}
	n.watched = n.now
	n.regroup()
	instance := n.instance
	n.after(time.Second, func() { n.settle(instance) })
	n.after(n.between(0, 5*time.Second), func() { n.gossip(instance) })
	n.wake()
}

func (n *node) settling() bool { return n.settled[n.name] != n.instance }

// settle ends the time in which the node claims nothing. The others hear of it.
func (n *node) settle(instance uint64) {
	if !n.up || n.instance != instance || !n.settling() {
		return
	}
	n.log("%s has settled", n.name)
	n.settled[n.name] = n.instance
	n.regroup()
	for _, other := range n.nodes {
		if other != n {
			n.after(n.between(0, delay), func() { other.hearSettled(n, instance) })
		}
	}
	n.wake()
}

func (n *node) hearSettled(other *node, instance uint64) {
	if n.reach(n, other) && other.instance == instance {
		n.settled[other.name] = instance
		n.regroup()
		n.wake()
	}
}

// gossip exchanges tables with somebody every few seconds.
func (n *node) gossip(instance uint64) {
	if !n.up || n.instance != instance {
		return
	}
	var others []*node
	for _, other := range n.nodes {
		if other != n && n.live[other.name] != 0 {
			others = append(others, other)
		}
	}
	if len(others) > 0 {
		n.exchange(n, others[n.random.IntN(len(others))])
	}
	n.after(n.between(2*time.Second, 5*time.Second), func() { n.gossip(instance) })
}

// notice finds out how things are with another node.
func (n *node) notice(other *node) {
	was, is := n.live[other.name], uint64(0)
	if n.reach(n, other) {
		is = other.instance
	}
	if !n.up || was == is {
		return
	}
	n.watched = n.now
	if is == 0 {
		n.miss(other)
		return
	}
	n.log("%s sees %s", n.name, other.name)
	if was != 0 {
		n.missed(n, other)
	}
	n.live[other.name] = is
	if !other.settling() {
		n.settled[other.name] = is
	}
	n.exchange(n, other)
	n.regroup()
	n.wake()
}

// miss takes another node for dead.
func (n *node) miss(other *node) {
	n.log("%s misses %s", n.name, other.name)
	delete(n.live, other.name)
	n.watched = n.now
	n.missed(n, other)
	n.regroup()
	n.wake()
}

// regroup works the contests out anew: candidates are those that the API names and that are not known to be settling.
func (n *node) regroup() {
	n.groups = map[*bracket]*Group{}
	n.contests = n.contests[:0]
	for i, b := range n.api.brackets {
		if b == nil {
			continue
		}
		if group := n.group(b); len(group.Candidates()) > 0 {
			n.contests = append(n.contests, Contest{addr(i), group, true})
		}
	}
}

func (n *node) group(b *bracket) *Group {
	if group := n.groups[b]; group != nil {
		return group
	}
	var candidates []Candidate
	for i, weight := range b.weights {
		other := n.nodes[i]
		fit := other == n || n.settled[other.name] == n.live[other.name]
		if n.live[other.name] == 0 {
			fit = !n.aliveOnly
		}
		if weight >= 0 && !n.api.drained[i] && fit {
			candidates = append(candidates, NewCandidate(other.name, weight))
		}
	}
	n.groups[b] = NewGroup(candidates)
	return n.groups[b]
}

// candidate reports whether this node thinks that one may hold an address.
func (n *node) candidate(a netip.Addr, name string) bool {
	b := n.api.brackets[number(a)]
	if b == nil {
		return false
	}
	_, found := n.group(b).Find(name)
	return found
}

// load is how many addresses a node holds, as this one sees it.
func (n *node) load(name string) int {
	load := 0
	for _, contest := range n.contests {
		if claim := n.claims[contest.Addr]; claim.Node == name && n.live[name] == claim.Incarnation && n.candidate(contest.Addr, name) {
			load++
		}
	}
	return load
}

// weight of a node that this one thinks may hold an address.
func (n *node) weight(a netip.Addr, name string) int {
	candidate, _ := n.group(n.api.brackets[number(a)]).Find(name)
	return candidate.Weight
}

// hear takes in claims that another node tells.
func (n *node) hear(claims []Claim) {
	news := false
	for _, claim := range claims {
		news = n.learn(claim) || news
	}
	if news {
		n.wake()
	}
}

func (n *node) learn(claim Claim) bool {
	known := n.claims[claim.Addr]
	if !n.claims.Learn(claim) {
		return false
	}
	n.digest ^= digest(known) ^ digest(claim)
	return true
}

// digest of a claim; a table's is that of all its claims together, so that one need not be merged with its like.
func digest(c Claim) uint64 {
	return rendezvous.Mix(hashAddr(c.Addr) ^ rendezvous.Mix(rendezvous.Hash(c.Node)^rendezvous.Mix(c.Term<<8^c.Incarnation)))
}

// merge takes in all that another node knows.
func (n *node) merge(from *node) {
	news := false
	if n.digest != from.digest {
		for _, claim := range from.claims {
			news = n.learn(claim) || news
		}
	}
	n.met[from.name] = from.instance
	n.notice(from)
	if !from.settling() && n.settled[from.name] != from.instance {
		n.hearSettled(from, from.instance)
	}
	if n.settling() && n.metAll() {
		n.settle(n.instance)
	} else if news {
		n.wake()
	}
}

func (n *node) metAll() bool {
	for _, other := range n.nodes {
		if other != n && n.reach(n, other) && n.met[other.name] != other.instance {
			return false
		}
	}
	return true
}

// wake the node: it decides at once, or in a big cluster after a moment, so that a storm of messages costs little.
func (n *node) wake() {
	if len(n.nodes) < 10 {
		n.decide()
	} else if !n.woken {
		n.woken = true
		n.after(20*time.Millisecond, n.decide)
	}
}

// decide asks the elector and does what it says.
func (n *node) decide() {
	n.woken = false
	if !n.up || n.broken != "" {
		return
	}
	d := n.elector.Decide(n.contests, Input{epoch.Add(n.now), n.live, n.claims, n.settling()})
	if len(d.Claims) > 0 {
		n.claim(d.Claims)
	}
	holds := make(map[netip.Addr]time.Duration, len(d.Hold))
	for _, h := range d.Hold {
		since, held := n.holds[h.Addr]
		if !held {
			since = n.now
		}
		holds[h.Addr] = since
		if !held {
			n.took(n, h.Addr)
		}
	}
	before := n.holds
	n.holds = holds
	for _, contest := range n.contests {
		if _, held := before[contest.Addr]; held {
			if _, holds := holds[contest.Addr]; !holds {
				n.dropped(n, contest.Addr)
			}
			delete(before, contest.Addr)
		}
	}
	for a := range before {
		if _, holds := holds[a]; !holds {
			n.dropped(n, a)
		}
	}
	n.wait = d.Wait
	n.timer++
	if timer := n.timer; d.Wait > 0 {
		n.after(d.Wait, func() {
			if timer == n.timer {
				n.decide()
			}
		})
	}
}

// claim sends claims to all that are deemed alive, in several messages.
func (n *node) claim(claims []Claim) {
	for _, claim := range claims {
		n.claimed(n, claim)
		n.learn(claim)
		n.authored[claim.Addr] = true
	}
	for len(claims) > 0 {
		size := 1 + n.random.IntN(min(len(claims), 25))
		for _, other := range n.nodes {
			if other != n && n.live[other.name] != 0 {
				n.send(other, claims[:size])
			}
		}
		claims = claims[size:]
	}
}

// send one message, again and again until it gets through or has been tried often enough. What is cut off all that time
// comes with an exchange of tables.
func (n *node) send(other *node, claims []Claim) {
	sent, instance, try := n.now, other.instance, time.Duration(0)
	var arrive func()
	again := func() { n.after(sent+try*delay+n.between(0, delay)-n.now, arrive) }
	arrive = func() {
		try++
		connected := n.side[n.index] == n.side[other.index] && !n.cut[[2]int{n.index, other.index}]
		switch {
		case !other.up || other.instance != instance:
		case connected && (try == tries || !n.chance(loss)):
			n.log("%s hears from %s%s", other.name, n.name, words(claims))
			other.hear(claims)
		case try < tries:
			again()
		}
	}
	again()
}

func words(claims []Claim) string {
	s := ""
	for _, c := range claims {
		s += fmt.Sprintf(" %d:%s/%d", number(c.Addr), c.Node, c.Term)
	}
	return s
}
