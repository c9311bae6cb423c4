package announce

import (
	"strings"

	"github.com/daymark-lb/daymark/internal/core/lb"
)

// An advertisement is held back while one of its communities is unknown and the controller has accepted no earlier version of it.
// No route may go out without a community that was asked for, and so it takes with it the prefixes that others announce, too.

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
