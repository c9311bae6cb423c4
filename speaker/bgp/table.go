package bgp

import (
	"fmt"
	"net/netip"
	"slices"

	"github.com/daymark-lb/daymark/internal/core/announce"
	"github.com/daymark-lb/daymark/internal/core/lb"
)

// roomiest is how many bytes of attributes an UPDATE message may carry; the rest is for prefixes.
const roomiest = 3800

// code is how prefixes with the same attributes and next hop are announced to a router.
type code struct {
	family     lb.Family
	next       hop
	attributes []byte
}

// table is what a router has been told, or is to be told: RFC 4271's Adj-RIB-Out. It has no copy of the prefixes: the
// list is the plan's own, which all routers share, and each code is there once, however many prefixes have it.
type table struct {
	paths []announce.Path // In order, each prefix once.
	codes map[codeKey]*code
	// four and six: how many prefixes are announced.
	four, six int
	// unsaid says which prefixes are not announced and why; empty when all are.
	unsaid string
}

type codeKey struct {
	attributes *announce.Attributes
	family     lb.Family
}

// newTable encodes what a router is to be told of paths. Codes that the table before has too are taken from there, so that
// two prefixes are announced alike when their codes are one. Families that are not exchanged have no code, nor have
// prefixes without a next hop, or with more attributes than a message holds.
func newTable(e *encoder, before *table, paths []announce.Path, families []lb.Family, next hops) *table {
	t := &table{paths: ordered(paths), codes: map[codeKey]*code{}}
	known := map[string]*code{}
	for _, c := range before.codes {
		if c != nil {
			known[c.key()] = c
		}
	}
	var last codeKey
	var found *code
	for i := range t.paths {
		key := keyOf(&t.paths[i])
		if key != last {
			var ok bool
			if found, ok = t.codes[key]; !ok {
				found = t.encode(e, key, families, next.of(key.family), known)
				t.codes[key] = found
			}
			last = key
		}
		switch {
		case found == nil:
		case found.family == lb.IPv6:
			t.six++
		default:
			t.four++
		}
	}
	return t
}

func keyOf(p *announce.Path) codeKey { return codeKey{p.Attributes, lb.FamilyOf(p.Prefix.Addr())} }

// encode makes a code, or finds one that is the same; nil when the prefixes are not to be announced.
func (t *table) encode(e *encoder, key codeKey, families []lb.Family, next hop, known map[string]*code) *code {
	if !slices.Contains(families, key.family) {
		return nil
	}
	if !next.valid() {
		t.unsaid = homeless(key.family)
		return nil
	}
	attributes, err := e.attributes(key.attributes, next)
	if err == nil && len(attributes) > roomiest {
		err = fmt.Errorf("their attributes take %d bytes, and a message has room for %d", len(attributes), roomiest)
	}
	if err != nil {
		t.unsaid = fmt.Sprintf("some %s prefixes are not announced: %v", key.family, err)
		return nil
	}
	c := &code{key.family, next, attributes}
	if same := known[c.key()]; same != nil {
		return same
	}
	known[c.key()] = c
	return c
}

// key tells codes apart.
func (c *code) key() string { return fmt.Sprintf("%d %v %x", c.family, c.next, c.attributes) }

// ordered is the list in order of prefix, each prefix once, which is how the plan gives it.
func ordered(paths []announce.Path) []announce.Path {
	for i := 1; i < len(paths); i++ {
		if paths[i-1].Prefix.Compare(paths[i].Prefix) >= 0 {
			paths = slices.Clone(paths)
			slices.SortStableFunc(paths, func(a, b announce.Path) int { return a.Prefix.Compare(b.Prefix) })
			return slices.CompactFunc(paths, func(a, b announce.Path) bool { return a.Prefix == b.Prefix })
		}
	}
	return paths
}

// group is prefixes that are announced alike.
type group struct {
	code     *code
	prefixes []netip.Prefix
}

// changes lead from one table to the next.
type changes struct {
	announce       []*group
	withdraw       [2][]netip.Prefix // IPv4, IPv6
	added, removed int
}

// since compares a table with the one before.
func (t *table) since(before *table) *changes {
	todo, groups := &changes{}, map[*code]*group{}
	old, next := before.paths, t.paths
	for len(old) > 0 || len(next) > 0 {
		order := side(old, next)
		var was, is *code
		var prefix netip.Prefix
		if order <= 0 {
			prefix, was, old = old[0].Prefix, before.codes[keyOf(&old[0])], old[1:]
		}
		if order >= 0 {
			prefix, is, next = next[0].Prefix, t.codes[keyOf(&next[0])], next[1:]
		}
		switch is {
		case was:
		case nil:
			todo.drop(prefix)
		default:
			todo.add(groups, is, prefix)
		}
	}
	return todo
}

// side tells which of two lists goes on with the lesser prefix: -1 the first, 1 the second, 0 both.
func side(old, next []announce.Path) int {
	switch {
	case len(old) == 0:
		return 1
	case len(next) == 0:
		return -1
	}
	return old[0].Prefix.Compare(next[0].Prefix)
}

func (c *changes) add(groups map[*code]*group, is *code, prefix netip.Prefix) {
	g := groups[is]
	if g == nil {
		g = &group{code: is}
		groups[is] = g
		c.announce = append(c.announce, g)
	}
	g.prefixes = append(g.prefixes, prefix)
	c.added++
}

func (c *changes) drop(prefix netip.Prefix) {
	at := place(lb.FamilyOf(prefix.Addr()))
	c.withdraw[at] = append(c.withdraw[at], prefix)
	c.removed++
}

// of keeps of a table what concerns one family: what a router that asks for it again is sent.
func (t *table) of(family lb.Family) *table {
	part := &table{paths: t.paths, codes: map[codeKey]*code{}}
	for key, c := range t.codes {
		if key.family == family {
			part.codes[key] = c
		}
	}
	return part
}
