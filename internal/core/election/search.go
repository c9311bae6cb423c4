package election

import (
	"cmp"
	"maps"
	"net/netip"
	"slices"
	"time"
)

// A segment that was cut as well as the gossip may heal before the gossip does. Then two nodes answer for an address, and neither
// knows until the other one announces it. So for each silent node one address that it held is searched for, by the node that
// holds it now, and who meets a silent node announces all that it holds.

const (
	// searchInterval is the time between two searches for one address. All nodes together search for no more than
	// maxSearches in that time, as far as they know of the same silent nodes.
	searchInterval = time.Second
	maxSearches    = 16
	// meetingTimeout is how long after it was met a silent node is not met anew, and meetingPause the shortest time between two
	// announcements of all that this node holds.
	meetingTimeout = 10 * time.Second
	meetingPause   = 2 * time.Second
)

// Search asks all hosts of the segment, again and again, whether one of them answers for an address that this node holds, or
// would in the place of its holder.
type Search struct {
	Addr netip.Addr
	// Interval between two questions.
	Interval time.Duration
}

// meeting with a silent node that answers for an address of this side. Fresh: nobody had held the address when the node fell silent, so
// both may have claimed it on a segment that was never cut, and nothing follows for others.
type meeting struct {
	node  string
	fresh bool
}

// loss of an address by a silent node, "" for an address that is new.
type loss struct {
	node string
	addr netip.Addr
}

// searches are what an Elector remembers of silent nodes.
type searches struct {
	// lost are the addresses to search for.
	lost map[loss]bool
	// replaced are the addresses that changed their holder of late: the holder before may be silent to others already.
	replaced map[netip.Addr]taking
	// fresh are the addresses that were new while others were silent.
	fresh map[netip.Addr]bool
	// met is when each meeting was, and due are the kinds of those that nothing was announced for yet.
	met map[meeting]time.Time
	due map[bool]bool
	// reannounced is when that was announced last.
	reannounced time.Time
}

func newSearches() searches {
	return searches{
		lost: map[loss]bool{}, replaced: map[netip.Addr]taking{}, fresh: map[netip.Addr]bool{},
		met: map[meeting]time.Time{}, due: map[bool]bool{},
	}
}

// noteLost notes the first address of every family and segment that each silent node held.
func (r *round) noteLost() {
	r.forgetSearches()
	if len(r.Silent) == 0 {
		return
	}
	known := map[testimonyKey]bool{}
	key := func(contest Contest, node string) testimonyKey {
		return testimonyKey{node, contest.Segment, contest.Addr.Is4()}
	}
	for lost := range r.lost {
		if i, found := r.contestOf(lost.addr); found {
			known[key(r.contests[i], lost.node)] = true
		}
	}
	lose := func(contest Contest, node string) {
		if k := key(contest, node); !known[k] {
			r.lost[loss{node, contest.Addr}], known[k] = true, true
		}
	}
	for i := range r.unheld {
		claim, contest := r.unheld[i].claim, r.contests[r.unheld[i].contest]
		if claim.free() {
			r.fresh[contest.Addr] = true
		}
		if incarnation, silent := r.Silent[claim.Node]; claim.free() || silent && claim.Incarnation >= incarnation {
			lose(contest, claim.Node)
		}
	}
	for _, addr := range slices.SortedFunc(maps.Keys(r.replaced), netip.Addr.Compare) {
		if i, found := r.contestOf(addr); found && r.isSilent(r.replaced[addr].from) {
			lose(r.contests[i], r.replaced[addr].from)
		}
	}
}

// noteReplaced notes that a claim has taken the place of one by a node that was alive. If it is for a node that is silent, that node
// was met by the one that ceded it.
func (r *round) noteReplaced(before string, by Claim) {
	r.replaced[by.Addr] = taking{from: before, at: r.Now}
	if r.isSilent(by.Node) && !r.isSilent(before) {
		r.meet(by.Node, by.Addr)
	}
}

// forgetSearches forgets what is known of nodes that are not silent any more, and of addresses that are not held any more.
func (r *round) forgetSearches() {
	if len(r.Silent) == 0 {
		clear(r.lost)
		clear(r.fresh)
		clear(r.due)
	}
	maps.DeleteFunc(r.lost, func(lost loss, _ bool) bool {
		_, contested := r.contestOf(lost.addr)
		return !contested || lost.node != "" && !r.isSilent(lost.node)
	})
	maps.DeleteFunc(r.replaced, func(_ netip.Addr, by taking) bool { return r.Now.Sub(by.at) > claimLag })
	maps.DeleteFunc(r.fresh, func(addr netip.Addr, _ bool) bool { _, contested := r.contestOf(addr); return !contested })
	maps.DeleteFunc(r.met, func(_ meeting, at time.Time) bool { return r.Now.Sub(at) >= meetingTimeout })
}

// contestOf finds the place of an address in the list of contests.
func (r *round) contestOf(addr netip.Addr) (place int, found bool) {
	return slices.BinarySearchFunc(r.contests, addr, func(c Contest, a netip.Addr) int { return c.Addr.Compare(a) })
}

// search searches for the lost addresses that this node holds.
func (r *round) search() {
	interval := max(searchInterval, searchInterval*time.Duration(len(r.Silent))/maxSearches)
	for lost := range r.lost {
		if r.answers[lost.addr] {
			r.decision.Search = append(r.decision.Search, Search{lost.addr, interval})
		}
	}
	slices.SortFunc(r.decision.Search, func(a, b Search) int {
		return cmp.Or(a.Addr.Compare(b.Addr), cmp.Compare(a.Interval, b.Interval))
	})
	r.decision.Search = slices.CompactFunc(r.decision.Search, func(a, b Search) bool { return a.Addr == b.Addr })
}

// meet notes that a silent node answers for an address that a node of this side has, too.
func (r *round) meet(node string, addr netip.Addr) {
	m := meeting{node, r.fresh[addr]}
	if at, known := r.met[m]; !known || r.Now.Sub(at) >= meetingTimeout {
		r.met[m], r.due[m.fresh] = r.Now, true
	}
}

// announceMet announces what this node holds and those that it has met may hold, too.
func (r *round) announceMet() {
	if len(r.due) == 0 {
		return
	}
	if wait := meetingPause - r.Now.Sub(r.reannounced); wait > 0 {
		r.wakeAfter(wait)
		return
	}
	for _, hold := range r.decision.Hold {
		if !hold.First && (r.due[false] || r.fresh[hold.Addr]) {
			r.decision.Announce = append(r.decision.Announce, hold.Addr)
		}
	}
	r.reannounced = r.Now
	clear(r.due)
}
