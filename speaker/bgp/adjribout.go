package bgp

import (
	"cmp"
	"net/netip"
	"slices"

	"github.com/daymark-lb/daymark/internal/core/adjribout"
	"github.com/daymark-lb/daymark/internal/core/announce"
	"github.com/daymark-lb/daymark/internal/core/lb"
)

// adjRIBOut is what a router has been told, or is to be told: its Adj-RIB-Out (RFC 4271 section 1.1). It does not copy the
// prefixes: paths is the plan's list, which all routers share. Each adjribout.Path exists once, however many prefixes have it.
type adjRIBOut struct {
	paths   []announce.Path // In order, each prefix once.
	encoded map[pathKey]*adjribout.Path
	// ipv4 and ipv6 are how many prefixes are announced.
	ipv4, ipv6 int
	// notAnnounced says which prefixes are not announced and why; empty when all are.
	notAnnounced string
	// heldBack are the families that are exchanged and have no next hop; all while strict mode holds back the routes.
	heldBack []lb.Family
	// nextHops of the prefixes.
	nextHops adjribout.NextHops
	// digest of what the router has been told.
	digest adjribout.Digest
}

// pathKey identifies an adjribout.Path within the Adj-RIB-Out. Attributes are compared by pointer: the plan shares them.
type pathKey struct {
	attributes *announce.Attributes
	family     lb.Family
}

// newAdjRIBOut encodes what a router is to be told of paths. It reuses equal paths of before, so that two prefixes are announced alike
// if and only if their adjribout.Path is the same pointer. It is nil for prefixes that are not announced.
func newAdjRIBOut(
	e *adjribout.Encoder, before *adjRIBOut, paths []announce.Path, families []lb.Family, next adjribout.NextHops,
) *adjRIBOut {
	if before.has(paths, next) {
		again := *before
		return &again
	}
	rib := &adjRIBOut{paths: sortedPaths(paths), encoded: map[pathKey]*adjribout.Path{}, heldBack: next.Missing(families), nextHops: next}
	known := map[string]*adjribout.Path{}
	for _, p := range before.encoded {
		if p != nil {
			known[p.Key()] = p
		}
	}
	var last pathKey
	var found *adjribout.Path
	for i := range rib.paths {
		key := pathKeyOf(&rib.paths[i])
		if key != last {
			var ok bool
			if found, ok = rib.encoded[key]; !ok {
				found = rib.encode(e, key, families, known)
				rib.encoded[key] = found
			}
			last = key
		}
		switch {
		case found == nil:
		case found.Family == lb.IPv6:
			rib.ipv6++
		default:
			rib.ipv4++
		}
	}
	return rib
}

// has reports whether the router was told of just this list of paths, with these next hops, which its own connection asks for. Lists never
// change, and most plans have that of the plan before.
func (rib *adjRIBOut) has(paths []announce.Path, next adjribout.NextHops) bool {
	return len(paths) > 0 && len(paths) == len(rib.paths) && &paths[0] == &rib.paths[0] && next == rib.nextHops
}

func pathKeyOf(p *announce.Path) pathKey { return pathKey{p.Attributes, lb.FamilyOf(p.Prefix.Addr())} }

// encode returns the path of a key, a known one if it is equal; nil when its prefixes are not to be announced.
func (rib *adjRIBOut) encode(e *adjribout.Encoder, key pathKey, families []lb.Family, known map[string]*adjribout.Path) *adjribout.Path {
	p, problem := e.Path(key.attributes, key.family, families, rib.nextHops.Of(key.family))
	if p == nil {
		rib.notAnnounced = cmp.Or(problem, rib.notAnnounced)
		return nil
	}
	if same := known[p.Key()]; same != nil {
		return same
	}
	known[p.Key()] = p
	return p
}

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

// announcement is prefixes that are announced alike.
type announcement struct {
	path     *adjribout.Path
	prefixes []netip.Prefix
}

// routeChanges are the changes from one Adj-RIB-Out to the next.
type routeChanges struct {
	announcements  []*announcement
	withdrawals    [2][]netip.Prefix // IPv4, IPv6
	added, removed int
	// fresh is how many of the prefixes that are announced the router does not have, by familyIndex.
	fresh [2]int
	// digest is what they add to the digest of what the router has been told.
	digest adjribout.Digest
}

// diff returns the changes that lead from before to rib.
func (rib *adjRIBOut) diff(before *adjRIBOut) *routeChanges {
	changes, groups := &routeChanges{}, map[*adjribout.Path]*announcement{}
	if before.has(rib.paths, rib.nextHops) {
		return changes
	}
	old, next := before.paths, rib.paths
	for len(old) > 0 || len(next) > 0 {
		order := compareHeads(old, next)
		var was, is *adjribout.Path
		var prefix netip.Prefix
		if order <= 0 {
			prefix, was, old = old[0].Prefix, before.encoded[pathKeyOf(&old[0])], old[1:]
		}
		if order >= 0 {
			prefix, is, next = next[0].Prefix, rib.encoded[pathKeyOf(&next[0])], next[1:]
		}
		if was != nil && is != was {
			changes.digest.Remove(was, prefix)
		}
		switch is {
		case was:
		case nil:
			changes.withdraw(prefix)
		default:
			if was == nil {
				changes.fresh[familyIndex(is.Family)]++
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
func (c *routeChanges) announce(groups map[*adjribout.Path]*announcement, is *adjribout.Path, prefix netip.Prefix) {
	g := groups[is]
	if g == nil {
		g = &announcement{path: is}
		groups[is] = g
		c.announcements = append(c.announcements, g)
	}
	g.prefixes = append(g.prefixes, prefix)
	c.digest.Add(is, prefix)
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
	part := &adjRIBOut{paths: rib.paths, encoded: map[pathKey]*adjribout.Path{}}
	for key, p := range rib.encoded {
		if key.family == family {
			part.encoded[key] = p
		}
	}
	return part
}
