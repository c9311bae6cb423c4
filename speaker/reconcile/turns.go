package reconcile

import (
	"hash/fnv"
	"maps"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/daymark-lb/daymark/api/v1beta1"
	"github.com/daymark-lb/daymark/internal/core/announce"
	"github.com/daymark-lb/daymark/internal/core/election"
	"github.com/daymark-lb/daymark/internal/core/handover"
	"github.com/daymark-lb/daymark/speaker/bgp"
)

// turns are the changes of this node's sessions by which routers turn to it or away from it: one comes into maintenance or out of it, is
// shut down, deleted, or to be reset. The others are told of it at once, and the router a moment later, because they are to pass on what
// the router then sends them. A session that has failed is gone already.
type turns struct {
	// given are the sessions of the pass before as they were given to BGP, by name.
	given map[string]announce.Session
	// until is until when those stay as they are that are to change.
	until map[string]time.Time
	// attracted: a session has been established since the start.
	attracted bool
	// idle is this node if no router uses it; empty: one may.
	idle string
}

// use is how a router uses a session: not, as the last choice, or as any.
type use byte

const (
	unused use = iota
	retiring
	used
)

// useOf is how a router is to use a session when that is established.
func useOf(s *announce.Session) use {
	switch {
	case s == nil || s.Down() || s.HeldDown:
		return unused
	case s.Retiring:
		return retiring
	case s.AdminState == v1beta1.AdminMaintenance:
		return unused
	}
	return used
}

// next takes in the sessions of a pass of a node, and which are established, and returns those for BGP; a digest of how routers use them, or
// are about to, which is 0 if none does; and when to ask again; 0: no need. Routed are the addresses of the pass, in order. Where no other node
// announces one nothing waits, and what a session announces that stays as it was is of none but these.
func (t *turns) next(now time.Time, node string, sessions []announce.Session, established map[string]bool, routed []announce.RoutedAddress) (given []announce.Session, digest uint64, wait time.Duration) {
	others := slices.ContainsFunc(routed, func(a announce.RoutedAddress) bool { return len(a.Nodes) > 1 })
	planned := make(map[string]*announce.Session, len(sessions))
	for i := range sessions {
		planned[sessions[i].Name] = &sessions[i]
	}
	given, until := slices.Clone(sessions), map[string]time.Time{}
	for _, name := range slices.Sorted(maps.Keys(t.given)) {
		was := t.given[name]
		if !others || !turnsTo(&was, planned[name], sessions, established[name]) {
			continue
		}
		end, known := t.until[name]
		if !known {
			end = now.Add(handover.RouteDelay)
		}
		if !now.Before(end) {
			continue
		}
		until[name], wait = end, election.Sooner(wait, end.Sub(now))
		was.Paths = slices.DeleteFunc(slices.Clone(was.Paths), func(p announce.Path) bool { return !covers(p.Prefix, routed) })
		given = append(slices.DeleteFunc(given, func(s announce.Session) bool { return s.Name == name }), was)
	}
	slices.SortStableFunc(given, func(a, b announce.Session) int { return strings.Compare(a.Name, b.Name) })
	t.until = until
	digest = t.digest(planned, established)
	t.note(node, given, established, digest)
	return given, digest, wait
}

// covers reports whether a prefix has one of some addresses, which are in order.
func covers(prefix netip.Prefix, routed []announce.RoutedAddress) bool {
	at, _ := placeOf(prefix.Masked().Addr(), routed)
	return at < len(routed) && prefix.Contains(routed[at].Addr)
}

// turnsTo reports whether a router turns to this node or away from it when a session becomes another one, or ends, among some: not one that
// is not established, or has failed, or goes on by another name.
func turnsTo(was, is *announce.Session, sessions []announce.Session, established bool) bool {
	before, after := useOf(was), useOf(is)
	switch {
	case is != nil && is.HeldDown && !was.HeldDown, namedAnew(was, sessions):
		return false
	case before == unused:
		return after != unused
	}
	return established && (after != before || bgp.Resets(was, is))
}

// namedAnew reports whether another one among some sessions is with the same router.
func namedAnew(was *announce.Session, sessions []announce.Session) bool {
	return slices.ContainsFunc(sessions, func(s announce.Session) bool {
		return s.Name != was.Name && s.Problem == "" && s.Address == was.Address && s.Port == was.Port && s.VRF == was.VRF
	})
}

// digest of how routers use sessions, or are about to. A session that is about to be reset is not used.
func (t *turns) digest(planned map[string]*announce.Session, established map[string]bool) uint64 {
	digest, some := fnv.New64a(), false
	for _, name := range slices.Sorted(maps.Keys(planned)) {
		is := useOf(planned[name])
		was, known := t.given[name]
		_, waits := t.until[name]
		if is == unused || waits && known && useOf(&was) == is {
			continue
		}
		some = true
		_, _ = digest.Write([]byte(name + "\x00" + string(rune('0'+is)) + strconv.FormatBool(established[name])))
	}
	if !some {
		return 0
	}
	return digest.Sum64()
}

// note remembers what was given to BGP, and whether a router may use this node.
func (t *turns) note(node string, given []announce.Session, established map[string]bool, digest uint64) {
	t.given = make(map[string]announce.Session, len(given))
	any := false
	for i := range given {
		s := &given[i]
		t.given[s.Name] = *s
		any = any || established[s.Name] && useOf(s) != unused
	}
	t.attracted = t.attracted || any
	if t.idle = ""; digest == 0 || t.attracted && !any {
		t.idle = node
	}
}
