package announce

import (
	"slices"
	"strings"
	"time"

	"github.com/daymark-lb/daymark/internal/core/lb"
)

// An advertisement is held back while one of its communities is unknown and the controller has accepted no earlier version of it.
// No route may go out without a community that was asked for, and so it takes with it the prefixes that others announce, too. But what ran
// before it came is not withdrawn because of it: prefixes of Services that are older than it, by advertisements that are older than it.

// settleTime is how much older. Advertisements that come together belong together, in whatever order they were created.
const settleTime = time.Minute

// settled are those of the advertisements of an address that count: all but those that are held back while older ones have announced it by
// the same prefix.
func (r *rules) settled(set advertisementSet, a address) advertisementSet {
	if !r.anyHeldBack(set) {
		return set
	}
	family := lb.FamilyOf(a.addr)
	return set.filter(func(held int) bool {
		ran := false
		for i := range set.all() {
			if r.bgp[i].Unresolved != nil || r.bgp[i].Length(family) != r.bgp[held].Length(family) {
				continue
			}
			if !r.ranBefore(i, held, a.service) {
				return true
			}
			ran = true
		}
		return r.bgp[held].Unresolved == nil || !ran
	})
}

// settledOf are the same for a prefix, which several Services may share.
func (r *rules) settledOf(set advertisementSet, all []advertised) advertisementSet {
	if !r.anyHeldBack(set) {
		return set
	}
	return set.filter(func(held int) bool {
		return r.bgp[held].Unresolved == nil || !slices.ContainsFunc(all, func(a advertised) bool {
			return slices.ContainsFunc(slices.Collect(a.by.all()), func(i int) bool { return r.bgp[i].Unresolved == nil && r.ranBefore(i, held, a.route.service) })
		})
	})
}

// ranBefore reports whether an advertisement, by its index, has announced a Service before another one came.
func (r *rules) ranBefore(index, other int, s *lb.Service) bool {
	return r.bgp[other].Created.Sub(r.bgp[index].Created) >= settleTime && !s.Created.After(r.bgp[other].Created)
}

// anyHeldBack reports whether one of some advertisements is held back.
func (r *rules) anyHeldBack(set advertisementSet) bool {
	for i := range set.all() {
		if r.bgp[i].Unresolved != nil {
			return true
		}
	}
	return false
}

// announceable are those of some advertisements whose prefix of a family none of them holds back.
func (r *rules) announceable(set advertisementSet, family lb.Family) advertisementSet {
	if !r.anyHeldBack(set) {
		return set
	}
	held := map[int]bool{} // by the length of the prefix
	for i := range set.all() {
		if r.bgp[i].Unresolved != nil {
			held[r.bgp[i].Length(family)] = true
		}
	}
	return set.filter(func(i int) bool { return !held[r.bgp[i].Length(family)] })
}

// heldBackText says which of some advertisements are held back and why; "" if none is.
func (r *rules) heldBackText(set advertisementSet) string {
	var texts []string
	for i := range set.all() {
		if err := r.bgp[i].Unresolved; err != nil {
			texts = append(texts, "BGPAdvertisement "+r.bgp[i].Name+" is held back: "+strings.ReplaceAll(err.Error(), "\n", "; "))
		}
	}
	return strings.Join(texts, "; ")
}

// heldBack: a node announces nothing to a peer by advertisements that are held back.
func (q *query) heldBack() bool {
	return q.peer != nil && q.announceable(q.advertisements, q.family) == ""
}
