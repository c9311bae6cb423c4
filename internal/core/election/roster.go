package election

import (
	"cmp"
	"maps"
	"slices"
	"strings"

	"github.com/daymark-lb/daymark/internal/core/rendezvous"
)

// nobody stands for a node where there is none.
const nobody = -1

// roster numbers the nodes, in order of name, so that a decision about ten thousand addresses need not look up names.
// It knows the nodes that are alive and some that were; it is made anew when there is one that it does not know.
type roster struct {
	names []string
	ids   map[string]int
	// alive, and as which instance.
	alive     []bool
	instances []uint64
	living    int
	// changes counts how often it has changed who is alive.
	changes uint64
	// rank of each node by hash, for ties: each number once.
	rank   []int
	fields map[*Group]*field
}

// field is a group in numbers.
type field struct {
	seats []seat // in order of id
	// top is the live seats with the highest weight, in order of rank, as of so many changes of the roster.
	top []seat
	of  uint64
	// used is the number of the last round that asked for the field, receiver the receiver in it, if hasReceiver.
	used        uint64
	receiver    seat
	hasReceiver bool
}

// seat is a candidate.
type seat struct {
	id, weight int
	hash       uint64
}

// follow brings the roster up to date, and reports whether it has changed.
func (r *roster) follow(live map[string]uint64) bool {
	same, known := len(live) == r.living && r.ids != nil, len(r.names) <= 2*len(live)+16
	for name, instance := range live {
		id, ok := r.ids[name]
		known = known && ok
		same = same && ok && r.alive[id] && r.instances[id] == instance
	}
	if same {
		return false
	}
	if !known || r.ids == nil {
		r.renumber(live)
	}
	clear(r.alive)
	for name, instance := range live {
		id := r.ids[name]
		r.alive[id], r.instances[id] = true, instance
	}
	r.living = len(live)
	r.changes++
	return true
}

func (r *roster) renumber(live map[string]uint64) {
	r.names = slices.Sorted(maps.Keys(live))
	count := len(r.names)
	r.ids = make(map[string]int, count)
	r.alive, r.instances, r.rank = make([]bool, count), make([]uint64, count), make([]int, count)
	hashes, order := make([]uint64, count), make([]int, count)
	for id, name := range r.names {
		r.ids[name], hashes[id], order[id] = id, rendezvous.Mix(rendezvous.Hash(name)), id
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(hashes[a], hashes[b]) })
	for place, id := range order {
		r.rank[id] = place
	}
	r.fields = map[*Group]*field{}
}

// find a live node by name; else nobody.
func (r *roster) find(name string) int {
	if id, known := r.ids[name]; known && r.alive[id] {
		return id
	}
	return nobody
}

// author of a claim, if it is alive and has not been restarted since; else nobody.
func (r *roster) author(c Claim) int {
	if id := r.find(c.Node); id != nobody && r.instances[id] == c.Incarnation {
		return id
	}
	return nobody
}

// field of a group, as it is in a round.
func (r *roster) field(g *Group, round uint64) *field {
	f := r.fields[g]
	if f == nil {
		f = r.newField(g)
		r.fields[g] = f
	}
	if f.used != round {
		f.used, f.hasReceiver = round, false
	}
	return f
}

func (r *roster) newField(g *Group) *field {
	f := &field{seats: make([]seat, 0, len(g.candidates))}
	// Both are in order of name.
	rest, first := r.names, 0
	for _, c := range g.candidates {
		i, known := slices.BinarySearchFunc(rest, c.Node, strings.Compare)
		rest, first = rest[i:], first+i
		if known {
			f.seats = append(f.seats, seat{first, c.Weight, c.hash})
		}
	}
	return f
}

// top of a field: the live candidates with the highest weight, in order of rank.
func (r *roster) top(f *field) []seat {
	if f.of == r.changes {
		return f.top
	}
	f.top, f.of = f.top[:0], r.changes
	for _, s := range f.seats {
		if !r.alive[s.id] {
			continue
		}
		if len(f.top) > 0 && s.weight > f.top[0].weight {
			f.top = f.top[:0]
		}
		if len(f.top) == 0 || s.weight == f.top[0].weight {
			f.top = append(f.top, s)
		}
	}
	slices.SortFunc(f.top, func(a, b seat) int { return cmp.Compare(r.rank[a.id], r.rank[b.id]) })
	return f.top
}

// forget the groups that a round did not ask for.
func (r *roster) forget(round uint64) {
	maps.DeleteFunc(r.fields, func(_ *Group, f *field) bool { return f.used != round })
}

// find a node among the candidates.
func (f *field) find(id int) (seat, bool) {
	i, found := slices.BinarySearchFunc(f.seats, id, func(s seat, id int) int { return s.id - id })
	if !found {
		return seat{}, false
	}
	return f.seats[i], true
}

// least is the seat with the lowest load, the first where loads are equal. There must be one.
func least(seats []seat, loads []int) seat {
	best := seats[0]
	for _, s := range seats[1:] {
		if loads[s.id] < loads[best.id] {
			best = s
		}
	}
	return best
}

// score of a node for an address, by rendezvous hashing.
func (s seat) score(addr uint64) uint64 { return rendezvous.Mix(s.hash ^ addr) }
