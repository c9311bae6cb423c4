package layer2

import (
	"context"
	"maps"
	"net/netip"
	"slices"
	"time"
)

// Conflict is a desired address that a foreign host uses, or another node of the cluster that nobody has asked to.
type Conflict struct {
	Addr netip.Addr
	// MAC address of the other host, as "02:00:00:00:00:01". If there are several hosts, it is one of the latest.
	MAC string
	// Node and NodeInterface have that MAC address, if it belongs to the cluster.
	Node, NodeInterface string
	// Interface that received the other host's frame.
	Interface string
	// Since is when the conflict began.
	Since time.Time
	// Announced: we hold the address and defend it. Otherwise it is left to the other host and probed again every few
	// seconds.
	Announced bool
	// Elsewhere: it is announced on other interfaces only, and left to the other host on this one.
	Elsewhere bool
}

// Conflicts returns the present conflicts in order of address, at most one for each address.
func (r *Responder) Conflicts() []Conflict {
	all := r.detector.conflicts()
	r.rivals.conflicts(all, r.isOfInterest, r.detector.holds)
	return slices.SortedFunc(maps.Values(all), func(a, b Conflict) int { return a.Addr.Compare(b.Addr) })
}

func (d *conflictDetector) conflicts() map[netip.Addr]Conflict {
	d.mu.Lock()
	defer d.mu.Unlock()
	all := map[netip.Addr]Conflict{}
	for v := range d.pending { // An address with a conflict is always pending.
		if s := v.shared(); s != nil && !s.Holder {
			continue // The holder sees and reports it.
		}
		host := v.acd.conflict
		if host == nil || !host.certain {
			continue
		}
		announced := d.holdsAnywhere(v.addr)
		c := Conflict{
			Addr: v.addr, MAC: host.mac.String(), Interface: host.interfaceName, Since: host.since,
			Announced: announced, Elsewhere: announced && !v.acd.holding,
			Node: host.owner.node, NodeInterface: host.owner.interfaceName,
		}
		if known, is := all[v.addr]; !is || c.before(known) {
			all[v.addr] = c
		}
	}
	return all
}

// before is which of two conflicts about one address is said: one for which it is not answered, else the first by interface.
func (c Conflict) before(other Conflict) bool {
	if c.Elsewhere != other.Elsewhere {
		return c.Elsewhere
	}
	return c.Interface < other.Interface
}

// stale implements frameHandler.
func (r *Responder) stale() bool { return r.isStale() }

// addressInUse implements frameHandler. The receivers call it, so it waits only for the detector's lock, which nobody
// holds for long.
func (r *Responder) addressInUse(interfaceName string, u addressUse) {
	by, inCluster := r.ownerOf(u.by)
	if inCluster && !by.other() {
		return
	}
	if inCluster && u.probe {
		r.asker.heard(time.Now(), by.node, u.addr, true) // Who holds a shared address does not announce it, but asks about it.
	}
	if u.probe && u.held != inCluster {
		return // A node of the cluster that probes what we probe has claimed it, too: the claims settle it. One that searches has it.
	}
	if inCluster {
		answered := !u.probe && r.asker.heard(time.Now(), by.node, u.addr, u.announced)
		rival := (u.held || r.searcher.searchesFor(u.addr)) && !r.detector.kernelsAnswer(u.addr) &&
			!r.detector.servesWith(u, by.node)
		if rival && r.rivals.heard(time.Now(), u, by, interfaceName) || answered {
			r.notifyUrgent()
		}
		if u.held {
			return
		}
	}
	began, defend := r.detector.addressInUse(u, by, interfaceName)
	if began {
		notify(r.changes)
	}
	if defend {
		r.defend(u)
	}
}

// detectConflicts does what the detector says is due, until ctx ends.
func (r *Responder) detectConflicts(ctx context.Context) {
	repeat(ctx, &r.steps.detecting, r.detector.wake, func() time.Duration {
		if r.isStale() {
			return staleInterval
		}
		do := r.detector.due(time.Now())
		r.letGo(do.released)
		r.hold(do.free)
		if do.ended {
			notify(r.changes)
		}
		for _, v := range do.probes {
			if !r.probe(v) {
				r.detector.probeFailed(v)
			}
		}
		return r.detector.untilNext(time.Now())
	})
}

// probe sends a probe for an address on its interface, and reports whether it was sent.
func (r *Responder) probe(v *vip) (sent bool) {
	for _, s := range *r.live.Load() {
		sent = s.has(v) && s.probe(v.addr) || sent
	}
	return sent
}

// hold announces addresses that were found free.
func (r *Responder) hold(free []*vip) {
	if len(free) == 0 {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	now := time.Now()
	for _, s := range *r.live.Load() {
		var held []netip.Addr
		for _, v := range free {
			if s.has(v) && v.held.Load() {
				held = append(held, v.addr)
				r.recordHeldOn(v.addr, s.name, now, v)
			}
		}
		r.announceOn(s, held)
	}
	r.metrics.setHeld(r.held)
	notify(r.changes)
}
