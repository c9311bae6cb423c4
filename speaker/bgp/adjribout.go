package bgp

import (
	"fmt"
	"net/netip"
	"slices"

	"github.com/daymark-lb/daymark/internal/core/announce"
	"github.com/daymark-lb/daymark/internal/core/lb"
)

// maxAttributesLength is how many bytes of path attributes an UPDATE message may carry; the rest is for prefixes.
const maxAttributesLength = 3800

// encodedPath is how prefixes with the same attributes and next hop are announced to a router.
type encodedPath struct {
	family     lb.Family
	nextHop    nextHop
	attributes []byte
}

// adjRIBOut is what a router has been told, or is to be told: its Adj-RIB-Out (RFC 4271 section 1.1). It does not copy the
// prefixes: paths is the plan's list, which all routers share. Each encodedPath exists once, however many prefixes have it.
type adjRIBOut struct {
	paths   []announce.Path // In order, each prefix once.
	encoded map[pathKey]*encodedPath
	// ipv4 and ipv6 are how many prefixes are announced.
	ipv4, ipv6 int
	// notAnnounced says which prefixes are not announced and why; empty when all are.
	notAnnounced string
	// heldBack are the families that are exchanged and have no next hop.
	heldBack []lb.Family
}

// pathKey identifies an encodedPath within the Adj-RIB-Out. Attributes are compared by pointer: the plan shares them.
type pathKey struct {
	attributes *announce.Attributes
	family     lb.Family
}

// newAdjRIBOut encodes what a router is to be told of paths. It reuses equal encodedPaths of before, so that two prefixes
// are announced alike if and only if their encodedPath is the same pointer. The encodedPath is nil for families that are
// not exchanged, for prefixes without a next hop, and for attributes that are too long for a message.
func newAdjRIBOut(e *encoder, before *adjRIBOut, paths []announce.Path, families []lb.Family, next nextHops) *adjRIBOut {
	rib := &adjRIBOut{paths: sortedPaths(paths), encoded: map[pathKey]*encodedPath{}, heldBack: next.heldBack(families)}
	known := map[string]*encodedPath{}
	for _, p := range before.encoded {
		if p != nil {
			known[p.key()] = p
		}
	}
	var last pathKey
	var found *encodedPath
	for i := range rib.paths {
		key := pathKeyOf(&rib.paths[i])
		if key != last {
			var ok bool
			if found, ok = rib.encoded[key]; !ok {
				found = rib.encode(e, key, families, next.of(key.family), known)
				rib.encoded[key] = found
			}
			last = key
		}
		switch {
		case found == nil:
		case found.family == lb.IPv6:
			rib.ipv6++
		default:
			rib.ipv4++
		}
	}
	return rib
}

func pathKeyOf(p *announce.Path) pathKey { return pathKey{p.Attributes, lb.FamilyOf(p.Prefix.Addr())} }

// encode returns the encodedPath of a key, a known one if it is equal; nil when its prefixes are not to be announced.
func (rib *adjRIBOut) encode(
	e *encoder, key pathKey, families []lb.Family, next nextHop, known map[string]*encodedPath,
) *encodedPath {
	if !slices.Contains(families, key.family) {
		return nil
	}
	if !next.valid() {
		rib.notAnnounced = noNextHopText(key.family)
		return nil
	}
	attributes, err := e.attributes(key.attributes, next)
	if err == nil && len(attributes) > maxAttributesLength {
		err = fmt.Errorf("their attributes take %d bytes, and a message has room for %d", len(attributes), maxAttributesLength)
	}
	if err != nil {
		rib.notAnnounced = fmt.Sprintf("some %s prefixes are not announced: %v", key.family, err)
		return nil
	}
	p := &encodedPath{key.family, next, attributes}
	if same := known[p.key()]; same != nil {
		return same
	}
	known[p.key()] = p
	return p
}

// key is equal for equal encodedPaths.
func (p *encodedPath) key() string { return fmt.Sprintf("%d %v %x", p.family, p.nextHop, p.attributes) }

// sortedPaths returns the paths sorted by prefix, each prefix once. The plan usually gives them so; then they are not
// copied.
func sortedPaths(paths []announce.Path) []announce.Path {
	for i := 1; i < len(paths); i++ {
		if paths[i-1].Prefix.Compare(paths[i].Prefix) >= 0 {
			paths = slices.Clone(paths)
			slices.SortStableFunc(paths, func(a, b announce.Path) int { return a.Prefix.Compare(b.Prefix) })
			return slices.CompactFunc(paths, func(a, b announce.Path) bool { return a.Prefix == b.Prefix })
		}
	}
	return paths
}

// announcement is prefixes that are announced with one encodedPath.
type announcement struct {
	path     *encodedPath
	prefixes []netip.Prefix
}

// routeChanges are the changes from one Adj-RIB-Out to the next.
type routeChanges struct {
	announcements  []*announcement
	withdrawals    [2][]netip.Prefix // IPv4, IPv6
	added, removed int
	// fresh is how many of the prefixes that are announced the router does not have, by familyIndex.
	fresh [2]int
}

// diff returns the changes that lead from before to rib.
func (rib *adjRIBOut) diff(before *adjRIBOut) *routeChanges {
	changes, groups := &routeChanges{}, map[*encodedPath]*announcement{}
	old, next := before.paths, rib.paths
	for len(old) > 0 || len(next) > 0 {
		order := compareHeads(old, next)
		var was, is *encodedPath
		var prefix netip.Prefix
		if order <= 0 {
			prefix, was, old = old[0].Prefix, before.encoded[pathKeyOf(&old[0])], old[1:]
		}
		if order >= 0 {
			prefix, is, next = next[0].Prefix, rib.encoded[pathKeyOf(&next[0])], next[1:]
		}
		switch is {
		case was:
		case nil:
			changes.withdraw(prefix)
		default:
			if was == nil {
				changes.fresh[familyIndex(is.family)]++
			}
			changes.announce(groups, is, prefix)
		}
	}
	return changes
}

// compareHeads compares the first prefixes of two sorted lists: -1 when that of old is less or next is empty, 1 in the
// opposite case, 0 when they are equal.
func compareHeads(old, next []announce.Path) int {
	switch {
	case len(old) == 0:
		return 1
	case len(next) == 0:
		return -1
	}
	return old[0].Prefix.Compare(next[0].Prefix)
}

// announce adds a prefix to the announcement of a path. groups has the announcements so far.
func (c *routeChanges) announce(groups map[*encodedPath]*announcement, is *encodedPath, prefix netip.Prefix) {
	g := groups[is]
	if g == nil {
		g = &announcement{path: is}
		groups[is] = g
		c.announcements = append(c.announcements, g)
	}
	g.prefixes = append(g.prefixes, prefix)
	c.added++
}

// withdraw adds a prefix to those that are withdrawn.
func (c *routeChanges) withdraw(prefix netip.Prefix) {
	at := familyIndex(lb.FamilyOf(prefix.Addr()))
	c.withdrawals[at] = append(c.withdrawals[at], prefix)
	c.removed++
}

// ofFamily returns the part of an Adj-RIB-Out that concerns one family, to be sent again after a ROUTE-REFRESH.
func (rib *adjRIBOut) ofFamily(family lb.Family) *adjRIBOut {
	part := &adjRIBOut{paths: rib.paths, encoded: map[pathKey]*encodedPath{}}
	for key, p := range rib.encoded {
		if key.family == family {
			part.encoded[key] = p
		}
	}
	return part
}
