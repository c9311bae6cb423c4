package election

import (
	"maps"
	"net/netip"
	"reflect"
	"slices"
	"time"

	"github.com/daymark-lb/daymark/internal/core/shares"
)

// node is a simulated node: what a speaker and its gossip know and do.
type node struct {
	*cluster
	index int
	name  string
	up    bool
	// frozen: the process does not run. stale: it was frozen, and does not know yet what it has missed, which waits in mailbox.
	frozen, stale bool
	mailbox       [][]Claim
	// deafSince and deafUntil are when it last heard nobody on the segment, and all heard it.
	deafSince, deafUntil time.Duration
	// clockStep is by how much its clock is set forward before its next start; less than 0: back.
	clockStep int
	// old: it runs the version before.
	old bool
	// run counts the processes of its speaker, and incarnation is by what the others know the present one.
	run         int
	incarnation uint64
	elector     *Elector
	// anew is told the same, and works out each decision anew.
	anew *Elector
	// skipped is how many decisions the other one has not worked out.
	skipped uint64
	reunion Reunion
	// neighbors has the node that each address was last announced by, as a client beside this node has heard it.
	neighbors map[netip.Addr]*node
	claims    Claims
	digest    uint64
	// version is one more with each claim that it learns.
	version uint64
	// live are the nodes that this one believes alive. settled are those of them that it knows to have settled.
	live    map[string]uint64
	settled map[string]uint64
	// met are the incarnations that it has exchanged all claims with.
	met map[string]uint64
	api api
	// apiDelivery is when it learns of the last change of the API.
	apiDelivery time.Duration
	groups      map[*eligibility]*Group
	contests    []Contest
	holds       map[netip.Addr]time.Duration
	// tables are those of what it holds, and services those of what it serves and does not hold.
	tables, services map[netip.Addr]shares.Table
	// vips are the addresses that it holds on the segment.
	vips map[netip.Addr]*vip
	// deadSince is since when it believes others dead.
	deadSince map[string]time.Duration
	departures
	// silent are the nodes that it has declared dead, and doubtful those that it is about to.
	silent   map[string]uint64
	doubtful map[string]bool
	// asked and answers are about other nodes, rivals those that use its addresses.
	asked   map[Question]bool
	answers map[Question]Answer
	rivals  map[Question]Rival
	// searches are the addresses that it searches for.
	searches map[netip.Addr]*Search
	// edges are its own, and said what each node is known to have said of its own.
	edges    EdgeWatch
	said     map[string]SegmentEdges
	standIns map[netip.Addr]bool
	// claimed are the addresses that this incarnation has claimed.
	claimed map[netip.Addr]bool
	// unchangedSince is since when it has believed the same nodes alive.
	unchangedSince time.Duration
	decisionQueued bool
	timer          int
	wait           time.Duration
}

func (n *node) start() {
	n.up = true
	n.run++
	n.incarnation = n.nextIncarnation()
	n.renew()
	n.reunion = Reunion{}
	n.claims, n.digest, n.version = Claims{}, 0, n.version+1
	n.live, n.departures = map[string]uint64{n.name: n.incarnation}, newDepartures()
	n.settled, n.met = map[string]uint64{}, map[string]uint64{}
	n.api = n.cluster.api.clone()
	n.apiDelivery = n.now
	n.frozen, n.stale, n.mailbox, n.deadSince = false, false, nil, map[string]time.Duration{}
	n.tables, n.services = map[netip.Addr]shares.Table{}, map[netip.Addr]shares.Table{}
	n.vips, n.silent, n.doubtful = map[netip.Addr]*vip{}, map[string]uint64{}, map[string]bool{}
	n.asked, n.answers, n.rivals = map[Question]bool{}, map[Question]Answer{}, map[Question]Rival{}
	n.searches = map[netip.Addr]*Search{}
	n.edges, n.said, n.standIns = EdgeWatch{}, map[string]SegmentEdges{}, map[netip.Addr]bool{}
	n.holds, n.claimed = map[netip.Addr]time.Duration{}, map[netip.Addr]bool{}
	n.unchangedSince = n.now
	n.regroup()
	run := n.run
	n.after(time.Second, func() { n.settle(run) })
	n.after(n.randomDuration(0, 5*time.Second), func() { n.gossip(run) })
	if n.compared {
		n.after(lookInterval, func() { n.lookWithoutCause(run) })
	}
	if n.lying {
		n.announceFromTimeToTime(run)
		n.watchEdges(run)
	}
	n.queueDecision()
}

// owns reports whether a claim is for this run of the node, made by itself or ceded to it.
func (n *node) owns(c Claim) bool { return c.Node == n.name && c.Incarnation == n.incarnation }

func (n *node) settling() bool { return n.settled[n.name] != n.incarnation }

// settle ends the time in which the node claims nothing. The other nodes learn of it.
func (n *node) settle(run int) {
	if !n.up || n.run != run || !n.settling() {
		return
	}
	if n.lying && n.lonely() {
		n.after(time.Second, func() { n.settle(run) })
		return
	}
	n.log("%s has settled", n.name)
	n.settled[n.name], n.settledAt = n.incarnation, n.now
	n.regroup()
	incarnation := n.incarnation
	for _, other := range n.nodes {
		if other != n {
			n.after(n.randomDuration(0, maxMessageDelay), func() { n.saySettled(other, incarnation) })
		}
	}
	n.queueDecision()
}

// saySettled tells another node that this one has settled. What is lost it is told again, since its heartbeats say what it knows of this
// one. Who takes this one for dead is told when it meets it.
func (n *node) saySettled(other *node, incarnation uint64) {
	switch {
	case n.reach(n, other):
		other.receiveSettled(n, incarnation)
	case n.up && n.incarnation == incarnation && other.up && other.live[n.name] == incarnation:
		n.after(maxMessageDelay, func() { n.saySettled(other, incarnation) })
	}
}

// lonely: it has met nobody, and there are others. The gossip does not know its members then.
func (n *node) lonely() bool {
	up := 0
	for _, other := range n.nodes {
		if other.up {
			up++
		}
	}
	return len(n.met) == 0 && up > 1
}

func (n *node) receiveSettled(other *node, incarnation uint64) {
	if n.reach(n, other) && other.incarnation == incarnation {
		n.settled[other.name] = incarnation
		n.regroup()
		n.queueDecision()
	}
}

// gossip exchanges all claims with a random node every few seconds.
func (n *node) gossip(run int) {
	if !n.up || n.run != run {
		return
	}
	var others []*node
	for _, other := range n.nodes {
		if n.talksTo(other) {
			others = append(others, other)
		}
	}
	if len(others) > 0 {
		n.exchange(n, others[n.random.IntN(len(others))])
	}
	n.after(n.randomDuration(2*time.Second, 5*time.Second), func() { n.gossip(run) })
}

// detect finds out whether another node is alive, and in which incarnation.
func (n *node) detect(other *node) {
	was, is := n.live[other.name], uint64(0)
	if n.heard(n, other) {
		is = other.incarnation
	}
	if is != 0 {
		delete(n.doubtful, other.name)
	}
	if !n.up || n.frozen || n.detectLeaving(other, is) || was == is {
		return
	}
	if later := max(was, n.silent[other.name], n.left[other.name]); is != 0 && is < later {
		other.refute(later)
		return
	}
	n.unchangedSince = n.now
	if is == 0 {
		n.declareDead(other)
		return
	}
	n.log("%s sees %s", n.name, other.name)
	if was != 0 {
		n.onDeclaredDead(n, other)
	}
	n.live[other.name] = is
	delete(n.silent, other.name)
	delete(n.doubtful, other.name)
	if !other.settling() {
		n.settled[other.name] = is
	}
	n.exchange(n, other)
	n.regroup()
	n.queueDecision()
}

// doubt believes that another node may be dead.
func (n *node) doubt(other *node) {
	if n.up && !n.heard(n, other) && n.live[other.name] != 0 {
		n.doubtful[other.name] = true
		n.queueDecision()
	}
}

// declareDead believes another node dead.
func (n *node) declareDead(other *node) {
	n.log("%s declares %s dead", n.name, other.name)
	n.silent[other.name], n.deadSince[other.name] = n.live[other.name], n.now
	delete(n.live, other.name)
	delete(n.doubtful, other.name)
	n.unchangedSince = n.now
	n.onDeclaredDead(n, other)
	n.sayAlone()
	n.regroup()
	n.queueDecision()
}

// regroup makes the contests anew. Candidates are the nodes that the API allows and that are not known to be settling.
func (n *node) regroup() {
	n.groups = map[*eligibility]*Group{}
	n.contests = n.contests[:0]
	for i, b := range n.api.eligible {
		if b == nil {
			continue
		}
		contest := Contest{Addr: addr(i), Group: n.group(b), HasInterface: true, Shared: n.mayShare() && n.api.shared[i]}
		if n.ranked {
			contest.Ranks = n.api.ranks(i)
		}
		n.contests = append(n.contests, contest)
	}
}

func (n *node) group(b *eligibility) *Group {
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

// candidate reports whether a node may hold an address to this node's knowledge.
func (n *node) candidate(a netip.Addr, name string) bool {
	b := n.api.eligible[number(a)]
	if b == nil {
		return false
	}
	_, found := n.group(b).Find(name)
	return found
}

// vacant reports whether to this node's knowledge no live node may hold an address.
func (n *node) vacant(a netip.Addr) bool {
	b := n.api.eligible[number(a)]
	return b == nil || !slices.ContainsFunc(n.group(b).Candidates(), func(c Candidate) bool { return n.live[c.Node] != 0 })
}

// load returns how many addresses a node holds to this node's knowledge.
func (n *node) load(name string) int {
	load := 0
	for _, contest := range n.contests {
		if claim := n.claims[contest.Addr]; claim.Node == name && n.live[name] == claim.Incarnation && n.candidate(contest.Addr, name) {
			load++
		}
	}
	return load
}

// weight returns the weight of a node that may hold an address to this node's knowledge.
func (n *node) weight(a netip.Addr, name string) int {
	candidate, _ := n.group(n.api.eligible[number(a)]).Find(name)
	return candidate.Weight
}

func (n *node) metAll() bool {
	for _, other := range n.nodes {
		if other != n && n.reach(n, other) && n.met[other.name] != other.incarnation {
			return false
		}
	}
	return true
}

// queueDecision decides at once, or in a big cluster a little later, so that many messages cost one decision.
func (n *node) queueDecision() {
	if len(n.nodes) < 10 {
		n.decide()
	} else if !n.decisionQueued {
		n.decisionQueued = true
		n.after(20*time.Millisecond, n.decide)
	}
}

// compareAnew checks that a decision is what comes of working it out.
func (n *node) compareAnew(d Decision, contests []Contest, input Input) {
	if n.anew.nodes.update(input.Live) {
		n.anew.unevenSince, n.anew.unevenTables = time.Time{}, time.Time{}
	}
	if anew := n.anew.decide(contests, input); !reflect.DeepEqual(anew, d) {
		n.violate("%s decides %+v, and anew %+v", n.name, d, anew)
	}
	n.decisions++
	n.repeats += n.anew.rounds - n.elector.rounds - n.skipped
	n.skipped = n.anew.rounds - n.elector.rounds
}

// lookWithoutCause has the node decide from time to time though nothing has changed, when it would decide the same.
func (n *node) lookWithoutCause(run int) {
	if n.run != run {
		return
	}
	if n.elector.kept.repeatable {
		n.decide()
	}
	n.after(lookInterval, func() { n.lookWithoutCause(run) })
}

// decide carries out a decision of the Elector.
func (n *node) decide() {
	n.decisionQueued = false
	if !n.up || n.frozen || n.violation != "" {
		return
	}
	input := Input{
		Now: n.clock(), Live: n.live, Claims: n.claims, ClaimsVersion: n.version, Settling: n.settling(), Answered: n.answered(), Silent: n.silent,
		Doubtful: slices.Sorted(maps.Keys(n.doubtful)), Answers: n.answers, Rivals: n.presentRivals(),
	}
	if n.old { // The version before asks nobody.
		input.Silent, input.Doubtful, input.Rivals = nil, nil, nil
	}
	n.part()
	contests := n.contests
	if n.compared {
		contests = slices.Clone(contests) // What is kept must not change.
	} else {
		input.ClaimsVersion = 0
	}
	d := n.elector.Decide(contests, input)
	if n.compared {
		n.compareAnew(d, contests, input)
	}
	d.Hold = n.standIn(d)
	n.serve(d.Serve)
	if len(d.Claims) > 0 {
		n.broadcast(d.Claims)
	}
	n.checkLeaving(d)
	for _, a := range d.Defend {
		n.log("%s defends %d", n.name, number(a))
		n.announce(a)
	}
	for _, a := range d.Announce {
		if n.answersFor(a) {
			n.announceRepeatedly(a)
		}
	}
	for _, rival := range d.Heard {
		n.hearsOneWay(rival)
	}
	n.setQuestions(d.Ask)
	n.setSearches(d.Search)
	holds := make(map[netip.Addr]time.Duration, len(d.Hold))
	for _, h := range d.Hold {
		since, held := n.holds[h.Addr]
		if !held {
			since = n.now
		}
		holds[h.Addr] = since
		if !held {
			n.onTake(n, h.Addr)
		}
	}
	before := n.holds
	n.holds = holds
	for _, contest := range n.contests {
		if _, held := before[contest.Addr]; held {
			if _, holds := holds[contest.Addr]; !holds {
				n.onDrop(n, contest.Addr)
			}
			delete(before, contest.Addr)
		}
	}
	for a := range before {
		if _, holds := holds[a]; !holds {
			n.onDrop(n, a)
		}
	}
	n.wait = Sooner(d.Wait, n.announceContested(d))
	n.timer++
	if timer := n.timer; n.wait > 0 {
		n.after(n.wait, func() {
			if timer == n.timer {
				n.decide()
			}
		})
	}
}
