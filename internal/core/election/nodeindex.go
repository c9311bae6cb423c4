package election

import (
	"cmp"
	"maps"
	"slices"
	"strings"

	"github.com/daymark-lb/daymark/internal/core/rendezvous"
)

const (
	// nobody is the number of no node.
	nobody = -1
	// ceded is in place of the number of a node that is not alive, and has been given an address.
	ceded = -2
)

// nodeIndex numbers the nodes in order of name, so that a decision about ten thousand addresses does not look up names. It
// has the nodes that are alive and some that were. It is made anew when there is a node that it does not have.
type nodeIndex struct {
	names []string
	ids   map[string]int
	// alive nodes, and the incarnations of their speakers.
	alive        []bool
	incarnations []uint64
	liveCount    int
	// version counts the changes of the live nodes.
	version uint64
	// tieOrder is the place of each node in an order by hash, which decides between equal loads.
	tieOrder []int
	groups   map[*Group]*groupIndex
}

// groupIndex is a Group by numbers of nodes.
type groupIndex struct {
	candidates []indexedCandidate // in order of id
	// preferred are the live candidates with the highest weight, as of a version of the nodeIndex.
	preferred []indexedCandidate
	version   uint64
	// usedInRound is the last round that used the group. receiver is its candidate with the lowest load in that round, if
	// hasReceiver.
	usedInRound uint64
	receiver    indexedCandidate
	hasReceiver bool
}

// indexedCandidate is a Candidate by the number of its node.
type indexedCandidate struct {
	id, weight int
	hash       uint64
}

// update takes over the live nodes. It reports whether they have changed.
func (x *nodeIndex) update(live map[string]uint64) bool {
	same, known := len(live) == x.liveCount && x.ids != nil, len(x.names) <= 2*len(live)+16
	for name, incarnation := range live {
		id, ok := x.ids[name]
		known = known && ok
		same = same && ok && x.alive[id] && x.incarnations[id] == incarnation
	}
	if same {
		return false
	}
	if !known || x.ids == nil {
		x.renumber(live)
	}
	clear(x.alive)
	for name, incarnation := range live {
		id := x.ids[name]
		x.alive[id], x.incarnations[id] = true, incarnation
	}
	x.liveCount = len(live)
	x.version++
	return true
}

func (x *nodeIndex) renumber(live map[string]uint64) {
	x.names = slices.Sorted(maps.Keys(live))
	count := len(x.names)
	x.ids = make(map[string]int, count)
	x.alive, x.incarnations, x.tieOrder = make([]bool, count), make([]uint64, count), make([]int, count)
	hashes, order := make([]uint64, count), make([]int, count)
	for id, name := range x.names {
		x.ids[name], hashes[id], order[id] = id, rendezvous.Mix(rendezvous.Hash(name)), id
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(hashes[a], hashes[b]) })
	for place, id := range order {
		x.tieOrder[id] = place
	}
	x.groups = map[*Group]*groupIndex{}
}

// find returns the number of a live node; nobody when the node is not alive.
func (x *nodeIndex) find(name string) int {
	if id, known := x.ids[name]; known && x.alive[id] {
		return id
	}
	return nobody
}

// liveHolder returns the node of a claim, if it is alive and has not restarted since; else nobody.
func (x *nodeIndex) liveHolder(c Claim) int {
	if id := x.find(c.Node); id != nobody && x.incarnations[id] == c.Incarnation {
		return id
	}
	return nobody
}

// group returns the index of a Group for a round.
func (x *nodeIndex) group(g *Group, round uint64) *groupIndex {
	known := x.groups[g]
	if known == nil {
		known = x.newGroup(g)
		x.groups[g] = known
	}
	if known.usedInRound != round {
		known.usedInRound, known.hasReceiver = round, false
	}
	return known
}

func (x *nodeIndex) newGroup(g *Group) *groupIndex {
	made := &groupIndex{candidates: make([]indexedCandidate, 0, len(g.candidates))}
	// Both lists are in order of name.
	names, first := x.names, 0
	for _, c := range g.candidates {
		i, known := slices.BinarySearchFunc(names, c.Node, strings.Compare)
		names, first = names[i:], first+i
		if known {
			made.candidates = append(made.candidates, indexedCandidate{first, c.Weight, c.hash})
		}
	}
	return made
}

// forget drops the groups that a round did not use.
func (x *nodeIndex) forget(round uint64) {
	maps.DeleteFunc(x.groups, func(_ *Group, g *groupIndex) bool { return g.usedInRound != round })
}

// find returns a node's candidate; false when it is none.
func (g *groupIndex) find(id int) (indexedCandidate, bool) {
	i, found := slices.BinarySearchFunc(g.candidates, id, func(c indexedCandidate, id int) int { return c.id - id })
	if !found {
		return indexedCandidate{}, false
	}
	return g.candidates[i], true
}
