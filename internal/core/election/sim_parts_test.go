package election

import (
	"maps"
	"net/netip"
	"slices"
	"time"
)

// A simulated segment that is cut while the gossip is whole.

// simEdge is the time between two questions of a node whether its peers are there.
const simEdge = time.Second

var simSubnet = netip.MustParsePrefix("198.19.0.0/16")

// watchEdges asks other nodes from time to time whether they are there. Their kernels answer, whatever their speakers do.
func (n *node) watchEdges(run int) {
	if !n.up || n.run != run {
		return
	}
	interval := time.Duration(float64(simEdge) * (0.75 + 0.5*n.random.Float64()))
	n.after(interval, func() { n.watchEdges(run) })
	n.lookAtEdges(run)
}

// lookAtEdges says which edges have an answer, if that is news.
func (n *node) lookAtEdges(run int) {
	if !n.up || n.run != run || n.frozen {
		return
	}
	answers := map[Edge]Answer{}
	for _, name := range n.asks()[n.name] {
		other := n.nodes[nodeNumber(name)]
		answers[Edge{name, simSubnet}] = NoAnswer
		pair, back := [2]int{n.index, other.index}, [2]int{other.index, n.index}
		if other.up && n.parts[n.index] == n.parts[other.index] && !n.deaf[pair] && !n.deaf[back] {
			answers[Edge{name, simSubnet}] = Answered
		}
	}
	said, _ := n.edges.Observe(n.clock(), n.name, answers, map[netip.Prefix]*Parts{simSubnet: n.partsOf()})
	if len(said) == 0 {
		said = []SegmentEdges{{Subnet: simSubnet}}
	}
	if said[0].Equal(n.said[n.name]) {
		return
	}
	n.log("%s says that %v are cut, of %v it knows nothing, and it hears %v", n.name, said[0].Cut, said[0].Open, said[0].Heard)
	n.said[n.name] = said[0]
	n.queueDecision()
	for _, other := range n.nodes {
		if other != n {
			n.after(n.randomDuration(0, maxMessageDelay), func() { n.sayEdges(other, run) })
		}
	}
}

// hearsOneWay says at once that a node is heard.
func (n *node) hearsOneWay(rival Rival) {
	n.edges.Heard(Edge{rival.Node, simSubnet}, rival.Last)
	if slices.Contains(n.said[n.name].Heard, rival.Node) {
		return
	}
	n.after(0, func() { n.lookAtEdges(n.run) })
}

func (n *node) sayEdges(other *node, run int) {
	if n.heard(other, n) && n.run == run {
		other.said[n.name] = n.said[n.name]
		other.queueDecision()
	}
}

// asks is whom each live node asks: all others, or the next ones in turn.
func (n *node) asks() map[string][]string {
	members, asks := slices.Sorted(maps.Keys(n.live)), map[string][]string{}
	for i, member := range members {
		asks[member] = []string{}
		for j := 1; j < len(members) && (n.askedNodes == 0 || j <= n.askedNodes); j++ {
			asks[member] = append(asks[member], members[(i+j)%len(members)])
		}
	}
	return asks
}

func (n *node) partsOf() *Parts {
	said := maps.Clone(n.said)
	maps.DeleteFunc(said, func(name string, edges SegmentEdges) bool { return n.live[name] == 0 || !edges.Subnet.IsValid() })
	return NewParts(n.asks(), said)
}

// part tells the Elector the parts of the segment.
func (n *node) part() {
	if !n.lying {
		return
	}
	parts := n.partsOf()
	for i := range n.contests {
		n.contests[i].Parts = parts
	}
}

// standIn holds on the segment what a decision says, and returns what of it the node holds by a claim.
func (n *node) standIn(d Decision) (holds []Hold) {
	n.setVIPs(d.Hold)
	standIns := map[netip.Addr]bool{}
	for _, s := range d.StandIns {
		standIns[s.Addr] = true
		if !n.standIns[s.Addr] {
			n.log("%s stands in for %s with %d", n.name, s.Holder, number(s.Addr))
		}
	}
	n.standIns = standIns
	return slices.DeleteFunc(slices.Clone(d.Hold), func(h Hold) bool { return standIns[h.Addr] })
}

const (
	// maxPartTime is how long a part of the segment may have nobody who answers, while the gossip is whole, and maxJoinTime how
	// long two may answer when the parts have joined.
	maxPartTime, maxJoinTime = simEdge*5/4 + edgeTimeout + simEdge*5/4 + standInAfter + maxTries*maxMessageDelay, time.Second
)

// cutsSegment cuts the segment while the gossip is whole.
func (s *scenario) cutsSegment() {
	s.lying = true
	if len(s.nodes) > 3 && s.chance(0.3) {
		s.askedNodes = 2
	}
	s.begin()
	s.create(0, len(s.api.eligible), s.someEligibilities(), s.randomDuration(0, time.Second))
	s.run(settleTime + time.Second)
	for range 1 + s.random.IntN(3) {
		if s.chance(0.3) {
			s.deafen(s.nodes[s.random.IntN(len(s.nodes))])
		}
		for i := range s.parts {
			s.parts[i] = s.random.IntN(2 + s.random.IntN(2))
		}
		s.log("the segment has the parts %v", s.parts)
		s.cutUntilNoticed()
		if n := s.nodes[s.random.IntN(len(s.nodes))]; s.chance(0.5) && n.up {
			s.crash(n)
			clear(n.neighbors)
			s.run(s.randomDuration(0, 2*settleTime))
			s.start(n)
			s.run(settleTime)
			s.cutUntilNoticed()
		}
		s.log("the segment is whole")
		clear(s.parts)
		s.changed = s.now
		s.run(maxJoinTime)
		s.checkParts()
		s.run(minStandInPause + s.randomDuration(0, settleTime))
		s.checkParts()
		s.checkClients()
	}
	s.run(6 * time.Second)
	s.recordFault()
	s.end()
}

// deafen lets a node hear nobody on the segment for a while, and be heard by all. It must not stand in for anybody who hears
// it, once that is known.
func (s *scenario) deafen(n *node) {
	s.log("%s hears nobody on the segment", n.name)
	n.deafSince = s.now
	for _, other := range s.nodes {
		s.deaf[[2]int{other.index, n.index}] = true
	}
	s.changed = s.now
	s.run(maxPartTime)
	for range 30 {
		for a := range n.standIns {
			if s.toggledShortlyBefore(number(a)) {
				continue // Until then it was one of those who serve it, and is heard to stand in only now.
			}
			s.violate("%s stands in with %d, and all hear it", n.name, number(a))
		}
		s.run(100 * time.Millisecond)
	}
	s.log("%s hears all", n.name)
	clear(s.deaf)
	n.deafUntil, s.changed = s.now, s.now
	s.run(minStandInPause + settleTime)
}

// cutUntilNoticed waits until all parts have somebody who answers, and for a while longer, in which that must stay so.
func (s *scenario) cutUntilNoticed() {
	s.changed = s.now
	s.run(maxPartTime)
	for range 30 {
		s.checkParts()
		s.run(100 * time.Millisecond)
	}
}

// checkParts checks that each part of the segment with a node that may hold an address has exactly one that answers for it.
func (s *scenario) checkParts() {
	for i := range s.api.eligible {
		eligible, answers, begins := map[int]bool{}, map[int]int{}, map[int]bool{}
		for _, n := range s.nodes {
			part := s.parts[n.index]
			eligible[part] = eligible[part] || s.eligible(n, i) && !n.settling()
			if n.answersFor(addr(i)) {
				answers[part]++
				begins[part] = begins[part] || s.now-n.vips[addr(i)].since <= maxExchangeTime // They hear each other only now.
			}
		}
		s.checkPartShares(i, eligible)
		for part := range len(s.nodes) {
			moves := s.now-s.claimedAt[i] <= maxTries*maxMessageDelay                            // Then the holder before answers until it knows.
			served := answers[part] == 0 && (s.partServes(i, part) || s.toggledShortlyBefore(i)) // whether all clients are answered is checked above
			if eligible[part] && answers[part] == 0 && !served || answers[part] > 1 && !moves && !begins[part] {
				s.violate("in part %d of %v %d nodes answer for %d", part, s.parts, answers[part], i)
			}
		}
	}
}

// announceTime is how long an address is announced again and again that was taken over.
const announceTime = 5 * time.Second

// missed reports whether clients beside a node could not hear that an address was taken over. They learn it when it is next
// announced, once a minute.
func (c *checks) missed(n *node, i int) bool {
	return n.deafUntil > 0 && c.claimedAt[i] > n.deafSince-announceTime && c.claimedAt[i] <= n.deafUntil
}

// checkClients checks that clients which have heard of an address go to its holder, unless it was moved so shortly before
// that it is still announced, or they could not hear that.
func (s *scenario) checkClients() {
	for i, holders := range s.holders {
		for _, n := range s.nodes {
			known, moves := n.neighbors[addr(i)], s.now-s.claimedAt[i] <= announceTime
			if n.up && known != nil && !s.sharing && len(holders) == 1 && known != holders[0] && !moves && !s.missed(n, i) {
				s.violate("clients beside %s look for %d at %v, not at %s", n.name, i, known.name, holders[0].name)
			}
		}
	}
}
