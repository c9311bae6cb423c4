package reconcile

import (
	"maps"
	"net/netip"
	"reflect"
	"slices"
	"time"

	"github.com/daymark-lb/daymark/api/v1beta1"
	"github.com/daymark-lb/daymark/internal/core/announce"
	"github.com/daymark-lb/daymark/internal/core/election"
	"github.com/daymark-lb/daymark/internal/core/handover"
	"github.com/daymark-lb/daymark/internal/core/rendezvous"
	"github.com/daymark-lb/daymark/speaker/gossip"
)

// routed is what is remembered of the addresses that nodes announce to routers.
type routed struct {
	// alive are those nodes of a list that are alive, by its first entry and length; of the pass with these live nodes.
	alive map[nodeList][]string
	// sessions are the digests of the sessions of all nodes in the pass before.
	sessions map[string]uint64
	// turns are the sessions of this node that change.
	turns turns
	// leaving are the addresses to announce for a moment more, joining those not to announce yet, and turned those to announce as before,
	// and until when.
	leaving, joining, turned map[netip.Addr]time.Time
	// announced are the paths of each session in the pass before.
	announced map[string][]announce.Path
}

// nodeList identifies a list of nodes, which many addresses share.
type nodeList struct {
	first *string
	count int
}

// addresses are those with the nodes that are alive, given those of layer 2. Both are in order.
func (r *routed) addresses(view *gossip.View, plan *announce.Plan, layer2 []handover.Address) []handover.Address {
	if len(plan.Routed) == 0 {
		return layer2
	}
	r.alive = map[nodeList][]string{}
	all := make([]handover.Address, 0, len(plan.Routed)+len(layer2))
	for i := range plan.Routed {
		a := &plan.Routed[i]
		for len(layer2) > 0 && layer2[0].Addr.Less(a.Addr) {
			all, layer2 = append(all, layer2[0]), layer2[1:]
		}
		address := handover.Address{Addr: a.Addr, Holders: r.living(view, a.Nodes), Draining: a.Draining, Revision: a.Revision, Follows: a.Follows}
		if len(layer2) > 0 && layer2[0].Addr == a.Addr {
			address.Draining = max(address.Draining, layer2[0].Draining)
			address.Revision ^= rendezvous.Mix(layer2[0].Revision)
			for _, holder := range layer2[0].Holders {
				if at, found := slices.BinarySearch(address.Holders, holder); !found {
					address.Holders = slices.Insert(slices.Clone(address.Holders), at, holder)
				}
				address.Revision ^= rendezvous.Hash(holder) // It may announce the address to routers as well, and the union stays what it is.
			}
			layer2 = layer2[1:]
		}
		all = append(all, address)
	}
	return append(all, layer2...)
}

// living are those nodes of a list whose speakers are alive, without this one if no router uses it.
func (r *routed) living(view *gossip.View, nodes []string) []string {
	if len(nodes) == 0 {
		return nil
	}
	key := nodeList{&nodes[0], len(nodes)}
	living, known := r.alive[key]
	if !known {
		living = slices.DeleteFunc(slices.Clone(nodes), func(node string) bool {
			_, alive := view.Peers[node]
			return !alive || node == r.turns.idle
		})
		r.alive[key] = living
	}
	return living
}

// disturbed are the nodes that routers may just have begun to use, or ceased to: those whose speakers are about to end, and
// those whose sessions have changed, or are about to. What this node tells of its own counts before the others have heard it.
func (r *routed) disturbed(view *gossip.View, self string, own uint64) map[string]bool {
	disturbed := map[string]bool{}
	sessions := make(map[string]uint64, len(view.Peers)+1)
	for node := range view.Peers {
		state := view.Peers[node].State
		if sessions[node] = state.Sessions; state.Leaving {
			disturbed[node] = true
		}
	}
	sessions[self] = own
	for node, digest := range sessions {
		if before, known := r.sessions[node]; known && before != digest {
			disturbed[node] = true
		}
	}
	r.sessions = sessions
	return disturbed
}

// delayRoutes returns sessions whose routes come, go and change a moment later, and how long that is; 0: none is late.
func (r *routed) delayRoutes(now time.Time, sessions []announce.Session) ([]announce.Session, time.Duration) {
	sessions, joining := r.delayJoined(now, sessions)
	sessions, leaving := r.keepAnnounced(now, sessions)
	return sessions, election.Sooner(joining, leaving)
}

// keepAnnounced returns sessions that go on announcing for a moment what the pass before announced of the addresses that leave, or are
// divided anew, and how long that is; 0: nothing is kept. A session that is to have no routes for other reasons is left alone.
func (r *routed) keepAnnounced(now time.Time, sessions []announce.Session) (kept []announce.Session, wait time.Duration) {
	kept = sessions
	leaving, turned := moments{until: r.leaving}, moments{until: r.turned}
	for i := range sessions {
		s := &sessions[i]
		if s.AdminState != "" && s.AdminState != v1beta1.AdminUp || s.HeldDown {
			continue
		}
		missing, changed := missingPaths(r.announced[s.Name], s.Paths), r.changedPaths(now, s, &turned)
		missing = slices.DeleteFunc(missing, func(p announce.Path) bool { return !now.Before(later(leaving.of(p.Prefix), turned.of(p.Prefix))) })
		missing = withinLimit(missing, s)
		if len(missing)+len(changed) == 0 {
			continue
		}
		if &kept[0] == &sessions[0] {
			kept = slices.Clone(sessions)
		}
		kept[i].Paths = withPaths(s.Paths, missing, changed)
		for _, p := range slices.Concat(missing, changed) {
			wait = election.Sooner(wait, later(leaving.of(p.Prefix), turned.of(p.Prefix)).Sub(now))
		}
	}
	r.announced = make(map[string][]announce.Path, len(kept))
	for i := range kept {
		r.announced[kept[i].Name] = kept[i].Paths
	}
	return kept, wait
}

// withinLimit are those of the paths that a session would keep for which its maximumPrefixes leaves room beside what it is to announce: a
// router that is sent one more ends the session with all its routes.
func withinLimit(missing []announce.Path, s *announce.Session) []announce.Path {
	if s.MaximumPrefixes == 0 || len(missing) == 0 {
		return missing
	}
	room := map[bool]int{true: s.MaximumPrefixes, false: s.MaximumPrefixes}
	for _, p := range s.Paths {
		room[p.Prefix.Addr().Is4()]--
	}
	return slices.DeleteFunc(missing, func(p announce.Path) bool {
		family := p.Prefix.Addr().Is4()
		room[family]--
		return room[family] < 0
	})
}

// changedPaths are those that a session announced before with other attributes than now, of addresses that are just divided anew. Another
// weight alone goes at once: all nodes see the endpoints that it follows at the same time, and the load is to follow them soon.
func (r *routed) changedPaths(now time.Time, s *announce.Session, turned *moments) (changed []announce.Path) {
	if len(r.turned) == 0 {
		return nil
	}
	for _, p := range r.announced[s.Name] {
		at, found := slices.BinarySearchFunc(s.Paths, p, comparePrefixes)
		if found && !sameButWeight(p.Attributes, s.Paths[at].Attributes) && now.Before(turned.of(p.Prefix)) {
			changed = append(changed, p)
		}
	}
	return changed
}

// sameButWeight reports whether two attributes differ in nothing but the weight.
func sameButWeight(a, b *announce.Attributes) bool {
	if a == b || a == nil || b == nil {
		return a == b
	}
	weighed := *a
	weighed.Weight = b.Weight
	return reflect.DeepEqual(&weighed, b)
}

// withPaths are some paths, which are in order of prefix, with missing ones added and changed ones in the place of those of their prefix.
func withPaths(paths, missing, changed []announce.Path) []announce.Path {
	with := append(slices.Clone(paths), missing...)
	slices.SortFunc(with, comparePrefixes)
	for _, p := range changed {
		at, _ := slices.BinarySearchFunc(with, p, comparePrefixes)
		with[at] = p
	}
	return with
}

func comparePrefixes(a, b announce.Path) int { return a.Prefix.Compare(b.Prefix) }

// later is the later of two times.
func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// delayJoined returns sessions that do not announce yet what others have announced before this node joined them, or what is new of addresses
// that are divided anew, and how long that is; 0: nothing is delayed.
func (r *routed) delayJoined(now time.Time, sessions []announce.Session) (delayed []announce.Session, wait time.Duration) {
	if len(r.joining)+len(r.turned) == 0 {
		return sessions, 0
	}
	delayed = slices.Clone(sessions)
	joining, turned := moments{until: r.joining}, moments{until: r.turned}
	for i := range delayed {
		s := &delayed[i]
		late := map[netip.Prefix]bool{}
		for _, p := range missingPaths(s.Paths, r.announced[s.Name]) {
			if until := later(joining.of(p.Prefix), turned.of(p.Prefix)); now.Before(until) {
				late[p.Prefix], wait = true, election.Sooner(wait, until.Sub(now))
			}
		}
		if len(late) > 0 {
			s.Paths = slices.DeleteFunc(slices.Clone(s.Paths), func(p announce.Path) bool { return late[p.Prefix] })
		}
	}
	return delayed, wait
}

// moments are until when routes of addresses come or go later.
type moments struct {
	until map[netip.Addr]time.Time
	// sorted are the addresses in order, once a prefix of several was looked for.
	sorted []netip.Addr
}

// of is until when the route of a prefix does: as long as that of any address in it would, because routers send packets for each of
// them by it. Zero: it does not.
func (m *moments) of(prefix netip.Prefix) (last time.Time) {
	if prefix.IsSingleIP() || len(m.until) == 0 {
		return m.until[prefix.Addr()]
	}
	if m.sorted == nil {
		m.sorted = slices.SortedFunc(maps.Keys(m.until), netip.Addr.Compare)
	}
	first, _ := slices.BinarySearchFunc(m.sorted, prefix.Masked().Addr(), netip.Addr.Compare)
	for _, addr := range m.sorted[first:] {
		if !prefix.Contains(addr) {
			break
		}
		if until := m.until[addr]; until.After(last) {
			last = until
		}
	}
	return last
}

// missingPaths are those of some paths whose prefixes are not among others. Both are in order of prefix.
func missingPaths(before, now []announce.Path) (missing []announce.Path) {
	if len(before) == len(now) && (len(now) == 0 || &before[0] == &now[0]) {
		return nil
	}
	at := 0
	for _, p := range before {
		for at < len(now) && now[at].Prefix.Compare(p.Prefix) < 0 {
			at++
		}
		if at == len(now) || now[at].Prefix != p.Prefix {
			missing = append(missing, p)
		}
	}
	return missing
}

// leavingRoutes are the addresses that this node has just ceased to attract though others attract them, and until when to announce
// them nevertheless: not those that it cannot serve, whose new connections would not be answered meanwhile.
func leavingRoutes(gone map[netip.Addr]time.Time, routed []announce.RoutedAddress) map[netip.Addr]time.Time {
	leaving := maps.Clone(gone)
	maps.DeleteFunc(leaving, func(addr netip.Addr, _ time.Time) bool { return unserved(routed, addr) })
	return leaving
}

// unserved reports whether this node cannot serve an address of a list, which is in order. Where its routes follow endpoints, they leave
// within a moment anyway, and in that the others hear of it.
func unserved(routed []announce.RoutedAddress, addr netip.Addr) bool {
	i, found := placeOf(addr, routed)
	return found && routed[i].Unserved && !routed[i].Follows
}

// placeOf is where an address is in a list, which is in order, or would be.
func placeOf(addr netip.Addr, routed []announce.RoutedAddress) (place int, found bool) {
	return slices.BinarySearchFunc(routed, addr, func(r announce.RoutedAddress, addr netip.Addr) int { return r.Addr.Compare(addr) })
}
