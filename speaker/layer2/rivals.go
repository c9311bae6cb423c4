package layer2

import (
	"cmp"
	"maps"
	"net/netip"
	"slices"
	"sync"
	"time"

	"github.com/daymark-lb/daymark/internal/core/election"
)

const (
	// maxRivals bounds what is remembered: in a hand-over of all addresses, each new holder announces what we still hold.
	maxRivals = 4096
	// rivalTimeout is how long after its last frame a rival counts.
	rivalTimeout = 3 * time.Second
	// rivalPause is how long a rival must be silent so that it is news when it is heard again, and the shortest time between two
	// defences of an address.
	rivalPause = 100 * time.Millisecond
	// rivalConflictTime is how long the claims have to settle it until it is a conflict.
	rivalConflictTime = 5 * time.Second
)

// rivals are other nodes of the cluster that use addresses which this node holds or searches for.
type rivals struct {
	mu   sync.Mutex
	seen map[rivalKey]*rival
}

type rivalKey struct {
	addr netip.Addr
	node string
}

type rival struct {
	since, last, defended time.Time
	by                    mac
	interfaceName         string
	owner                 owner
	// heldSince and held are when it first and last announced the address to all or searched for it; zero: it has not.
	heldSince, held time.Time
}

func newRivals() *rivals { return &rivals{seen: map[rivalKey]*rival{}} }

// heard records that a node uses an address, and reports whether that is news.
func (r *rivals) heard(now time.Time, u addressUse, by owner, interfaceName string) (news bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	key := rivalKey{u.addr, by.node}
	known := r.seen[key]
	if known != nil && now.Sub(known.last) < rivalTimeout {
		pause, before := now.Sub(known.last), known.last.Sub(known.since)
		known.last = now
		if known.notesHeld(now, u) {
			return true
		}
		return pause >= rivalPause || before < rivalConflictTime && now.Sub(known.since) >= rivalConflictTime
	}
	if len(r.seen) >= maxRivals {
		return false
	}
	known = &rival{since: now, last: now, by: u.by, interfaceName: interfaceName, owner: by}
	known.notesHeld(now, u)
	r.seen[key] = known
	return true
}

// notesHeld notes whether it uses the address as its holder does, and reports whether it has not done so before.
func (r *rival) notesHeld(now time.Time, u addressUse) (first bool) {
	if !u.announced && !u.probe {
		return false
	}
	first = r.held.IsZero()
	if r.held = now; first {
		r.heldSince = now
	}
	return first
}

// expire forgets the rivals that are silent, or about addresses that are not of interest any more. The caller holds mu.
func (r *rivals) expire(now time.Time, ofInterest func(netip.Addr) bool) {
	maps.DeleteFunc(r.seen, func(key rivalKey, known *rival) bool {
		return now.Sub(known.last) >= rivalTimeout || !ofInterest(key.addr)
	})
}

// Rivals are the other nodes of the cluster that use addresses which this node holds or searches for, in order of address and node.
func (r *Responder) Rivals() []election.Rival {
	r.rivals.mu.Lock()
	defer r.rivals.mu.Unlock()
	if len(r.rivals.seen) == 0 {
		return nil
	}
	r.rivals.expire(time.Now(), r.isOfInterest)
	all := make([]election.Rival, 0, len(r.rivals.seen))
	for key, known := range r.rivals.seen {
		all = append(all, election.Rival{
			Addr: key.addr, Node: key.node, Since: known.since, Last: known.last, HeldSince: known.heldSince, Held: known.held,
		})
	}
	slices.SortFunc(all, func(a, b election.Rival) int { return cmp.Or(a.Addr.Compare(b.Addr), cmp.Compare(a.Node, b.Node)) })
	return all
}

// isOfInterest reports whether rivals about an address count.
func (r *Responder) isOfInterest(addr netip.Addr) bool {
	return r.detector.holds(addr) || r.searcher.searchesFor(addr)
}

// conflicts are the rivals about addresses that the claims have not settled, added to those of foreign hosts.
func (r *rivals) conflicts(all map[netip.Addr]Conflict, ofInterest, holds func(netip.Addr) bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.expire(time.Now(), ofInterest)
	for key, known := range r.seen {
		if _, foreign := all[key.addr]; !foreign && holds(key.addr) && known.last.Sub(known.since) >= rivalConflictTime {
			all[key.addr] = Conflict{
				Addr: key.addr, MAC: known.by.String(), Interface: known.interfaceName, Since: known.since, Announced: true,
				Node: known.owner.node, NodeInterface: known.owner.interfaceName,
			}
		}
	}
}

// Defend announces held addresses again, now and over the next seconds, because another node of the cluster has announced them
// wrongly: each at most once in a tenth of a second.
func (r *Responder) Defend(addresses []netip.Addr) {
	if len(addresses) == 0 {
		return
	}
	now := time.Now()
	var due []netip.Addr
	r.rivals.mu.Lock()
	for key, known := range r.rivals.seen {
		if slices.Contains(addresses, key.addr) && now.Sub(known.defended) >= rivalPause {
			known.defended = now
			due = append(due, key.addr)
		}
	}
	r.rivals.mu.Unlock()
	r.announceAgain(due)
	for _, addr := range due {
		r.askAboutShared(addr)
	}
}

// askAboutShared asks all, if this node holds a shared address, whether they hold it. Its clients are told of it each alone, so nothing
// else tells another node that takes this one for dead. Clients do not heed it.
func (r *Responder) askAboutShared(addr netip.Addr) {
	if v := r.detector.sharedVIP(addr); v == nil || !v.shared().Holder {
		return
	}
	for _, s := range *r.live.Load() {
		s.search(addr, false)
	}
}
