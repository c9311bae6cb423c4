package handover

import (
	"net/netip"
	"slices"
	"strings"
	"time"
)

// track is what is remembered of an address.
type track struct {
	addr    netip.Addr
	holders []string
	// sole is the last one that held the address alone; empty: several did after it.
	sole string
	// changed is when the holders last changed, or how they divide the clients, of which revision is the last.
	changed  time.Time
	revision uint64
	// doubted: one of the holders may have crashed. If it has not, nothing has changed. follows is Address.Follows in the pass before.
	doubted, follows bool
	// former holders that may have connections, in order of node, and since when they are.
	former []former
	// draining is that of the address when it was announced last.
	draining time.Duration
	// events are what has happened to it lately; nil: nothing, as to most.
	events *events
}

// former is a node that attracted the packets of an address until some time. Over: it has connections no more, or its time is up, since
// ended; it is remembered as long as it says otherwise, and the node that decides remembers itself for lingerTime. Told: it is known by its
// own word alone, which is also how it ends.
type former struct {
	node         string
	since, ended time.Time
	over, told   bool
}

// newTrack begins to remember an address. That several nodes attract it is taken for a change: this node may have come just now.
func newTrack(in *Input, a *Address) *track {
	return &track{addr: a.Addr, holders: a.Holders, changed: in.Now, follows: a.Follows}
}

// update takes in who attracts the packets now, and who says that it has connections left.
func (t *track) update(in *Input, a *Address, peers map[string]Peer, reports map[string]bool) {
	disturbed := slices.ContainsFunc(a.Holders, func(node string) bool { return in.Disturbed[node] })
	returned := t.returns(in.Now)
	t.doubted = len(in.Suspects) > 0 && slices.ContainsFunc(a.Holders, func(node string) bool {
		_, found := slices.BinarySearch(in.Suspects, node)
		return found
	})
	divided, all := t.divide(in.Now, a), t.lately().ring.active(in.Now, a.Draining)
	t.draining = a.Draining
	if disturbed || returned || divided || !slices.Equal(t.holders, a.Holders) || t.precedes(in.Now, a, reports) {
		t.changed = in.Now
	}
	t.change(in, a, all)
	t.updateRing(in.Now, a)
	t.holders = a.Holders
	switch len(a.Holders) {
	case 0:
	case 1:
		t.sole = a.Holders[0]
	default:
		t.sole = ""
	}
	if len(t.former) == 0 && len(reports) == 0 {
		t.forgetEvents(in.Now)
		return
	}
	for _, node := range sortedKeys(reports) {
		t.add(former{node: node, since: in.Now, told: true})
	}
	done := func(f former) bool { return f.over && !reports[f.node] && !f.lingers(in) }
	t.former = slices.DeleteFunc(t.former, func(f former) bool { return slices.Contains(t.holders, f.node) || in.Dead(f.node) || done(f) })
	for i := range t.former {
		f := &t.former[i]
		if f.lingers(in) { // What is left to it is not counted any more.
			continue
		}
		age := in.Now.Sub(f.since)
		over := age >= a.Draining || !in.Now.Before(t.settled(f)) && t.empty(f.node, in, a.Addr, peers, reports)
		if over && !f.over {
			f.ended = in.Now
		}
		f.over = over
	}
	t.former = slices.DeleteFunc(t.former, done)
}

// precedes reports whether a holder says that it has left, which the objects do not say here yet: of two watches of the API server one may be
// behind by seconds, and the node's own word counts. It is asked while nothing is passed on.
func (t *track) precedes(now time.Time, a *Address, reports map[string]bool) bool {
	return now.Sub(t.changed) >= a.Draining && slices.ContainsFunc(a.Holders, func(node string) bool { return reports[node] })
}

// divide takes in how the holders divide the clients, and reports whether that is new.
func (t *track) divide(now time.Time, a *Address) (anew bool) {
	anew = t.revision != a.Revision
	if anew && now.Sub(t.changed) >= a.Draining {
		t.event().turned = now
	}
	t.revision = a.Revision
	return anew
}

// lingers reports whether the node that decides still passes on what comes from others that do not know yet that it has no connections.
func (f *former) lingers(in *Input) bool {
	return f.over && f.node == in.Node && in.Now.Sub(f.ended) < lingerTime
}

// change takes in who comes and goes among the holders. All: all nodes pass on what they do not know, and have for some time, so that routers
// may turn to other nodes at once.
func (t *track) change(in *Input, a *Address, all bool) {
	stays := false
	for _, node := range t.holders {
		if !slices.Contains(a.Holders, node) {
			t.add(former{node: node, since: in.Now})
		} else if node != in.Node {
			stays = true
		}
	}
	was, is := slices.Contains(t.holders, in.Node), slices.Contains(a.Holders, in.Node)
	until, begins := in.Now.Add(RouteDelay), a.Follows && !t.follows
	if t.follows && a.Follows {
		until = in.Now.Add(min(max(endpointDelay, in.Behind), RouteDelay))
	}
	if a.Follows && was != is && !t.lately().turned.IsZero() { // With an endpoint comes another weight: this node's route is not held for that.
		t.event().turned = time.Time{}
	}
	t.follows = a.Follows
	switch {
	case is && !was && stays && !all:
		t.event().joined = until
	case was && !is && begins: // The policy becomes Local, and here is no endpoint: new connections would not be answered.
	case was && !is && len(a.Holders) > 0 && !all:
		t.event().left = until
	case is && !t.lately().left.IsZero():
		t.event().left = time.Time{}
	}
}

// rests remembers an address that is not announced, or without connectionDraining, and reports whether there is reason to: it may be so
// for a moment only, and the connections to it remain open.
func (t *track) rests(now time.Time) bool {
	if t.lately().absent.IsZero() {
		t.event().absent = now
	}
	return now.Sub(t.events.absent) < t.draining
}

// settled is from when on a former holder is believed that it has no connections left. While the address was away nobody counted. One that was
// not seen to leave says that it has some until it has settled itself: with another wait here the ways would differ.
func (t *track) settled(f *former) time.Time {
	switch {
	case f.told:
		return f.since
	case t.lately().back.After(f.since):
		return t.lately().back.Add(settleTime)
	default:
		return f.since.Add(settleTime)
	}
}

// empty reports whether a former holder has no connections left, as far as it says.
func (t *track) empty(node string, in *Input, addr netip.Addr, peers map[string]Peer, reports map[string]bool) bool {
	if node == in.Node {
		left, counted := in.Left[addr]
		return counted && left == 0
	}
	return peers[node].Complete && !reports[node]
}

// add remembers a former holder, unless it is known as one.
func (t *track) add(f former) {
	i, known := slices.BinarySearchFunc(t.former, f.node, func(f former, node string) int { return strings.Compare(f.node, node) })
	if !known {
		t.former = slices.Insert(t.former, i, f)
	}
}

// formerly is a node as a former holder that may have connections; nil: it is none.
func (t *track) formerly(node string) *former {
	for i := range t.former {
		if f := &t.former[i]; f.node == node && !f.over {
			return f
		}
	}
	return nil
}

// members are the holders and the former ones, sorted. While nobody holds an address that one did, that one keeps its place, even if it
// has crashed: the ways go on as they were.
func (t *track) members(in *Input) []string {
	members := slices.Clone(t.holders)
	if len(members) == 0 && t.sole != "" {
		members = append(members, t.sole)
	}
	for i := range t.former {
		if f := &t.former[i]; !f.over || f.lingers(in) {
			members = append(members, f.node)
		}
	}
	slices.Sort(members)
	return slices.Compact(members)
}

// wait is when something ends next; 0: nothing does.
func (t *track) wait(now time.Time, draining time.Duration) (wait time.Duration) {
	sooner := func(at time.Time) {
		if left := at.Sub(now); left > 0 && (wait == 0 || left < wait) {
			wait = left
		}
	}
	if len(t.holders) > 1 {
		sooner(t.changed.Add(draining))
	}
	for i := range t.former {
		if f := &t.former[i]; !f.over {
			sooner(t.settled(f))
			sooner(f.since.Add(draining))
		} else {
			sooner(f.ended.Add(lingerTime))
		}
	}
	return wait
}

// sortedKeys are the keys of a set, in order.
func sortedKeys(set map[string]bool) []string {
	keys := make([]string, 0, len(set))
	for key := range set {
		keys = append(keys, key)
	}
	slices.Sort(keys)
	return keys
}
