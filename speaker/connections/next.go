package connections

import (
	"errors"
	"maps"
	"net/netip"
	"slices"
	"time"

	"github.com/vishvananda/netlink"
)

const (
	// askInterval is how often the kernel's table of neighbors is looked at while packets are passed on, and hurry while a node is silent.
	askInterval, hurry = time.Second, 200 * time.Millisecond
	// askAgain is how long an answer is good for.
	askAgain = 2 * time.Second
	// patience is how long a node may leave the kernel's questions without an answer, of which there is one a second.
	patience = 2500 * time.Millisecond
	// askFor is how long a node that does not answer is asked though nothing is passed on to it any more.
	askFor = time.Hour
)

// nextNode is a node that packets are passed on to, or were until it was found not to answer.
type nextNode struct {
	// wanted is when a passage led to it last, asked when the kernel was told last to ask it.
	wanted, asked time.Time
	// silent is since when it leaves a question without an answer; zero: it does not.
	silent      time.Time
	unreachable bool
	// suspected is since when the plan asks it; zero: it does not. answered is when the last question was put that it has answered, and answers
	// whether that was since, and lately.
	suspected, answered time.Time
	answers             bool
}

// Unreachable returns the next nodes of passages that do not answer on the segment (ARP, RFC 826; NDP, RFC 4861 section 7.3), sorted: a
// node that was switched off is among them within about five seconds, and until it answers. It is asked for an hour after
// a plan named it last. What cannot be asked, for its entry is permanent or its link has no such protocol, is never among them.
// Changes tells of a change.
func (r *Relay) Unreachable() []netip.Addr {
	r.mu.Lock()
	defer r.mu.Unlock()
	var addrs []netip.Addr
	for addr, n := range r.asked {
		if n.unreachable {
			addrs = append(addrs, addr)
		}
	}
	slices.SortFunc(addrs, netip.Addr.Compare)
	return addrs
}

// Answered returns those that the plan asks and that have answered a question put since it does, within patience, sorted. Changes tells of a
// change.
func (r *Relay) Answered() []netip.Addr {
	r.mu.Lock()
	defer r.mu.Unlock()
	var addrs []netip.Addr
	for addr, n := range r.asked {
		if n.answers && !n.suspected.IsZero() {
			addrs = append(addrs, addr)
		}
	}
	slices.SortFunc(addrs, netip.Addr.Compare)
	return addrs
}

// askNext looks at what the kernel knows of the next nodes, and has it ask them.
func (r *Relay) askNext() {
	now := time.Now()
	nodes := r.nextNodes(now)
	if len(nodes) == 0 {
		return
	}
	known := neighbors(nodes)
	r.mu.Lock()
	defer r.mu.Unlock()
	changed := false
	for addr, neighbor := range known {
		n := r.asked[addr]
		was, answered := n.unreachable, n.answers
		ask := n.see(neighbor.State, now)
		changed = changed || was != n.unreachable || answered != n.answers
		if ask && n.ask(neighbor) == nil {
			n.asked = now
		}
		if n.unreachable && !was {
			r.log.Warn("a node that packets are passed on to does not answer on the segment", "node", addr)
		}
	}
	if changed {
		notify(r.changes)
	}
}

// nextNodes are those that are to be asked.
func (r *Relay) nextNodes(now time.Time) []netip.Addr {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, p := range r.desired.Passages {
		if r.refused[p.Via] != "" {
			continue
		}
		if r.asked[p.Via] == nil {
			r.asked[p.Via] = &nextNode{}
		}
		r.asked[p.Via].wanted = now
	}
	r.suspect(now)
	// One that does not answer is out of the plan for that, and comes back into it when it does.
	maps.DeleteFunc(r.asked, func(_ netip.Addr, n *nextNode) bool {
		return n.wanted != now && (!n.unreachable || now.Sub(n.wanted) > askFor)
	})
	return slices.Collect(maps.Keys(r.asked))
}

// suspect notes which nodes the plan asks, whether they are there. The caller holds mu.
func (r *Relay) suspect(now time.Time) {
	for addr, n := range r.asked {
		if _, asks := slices.BinarySearchFunc(r.desired.Asked, addr, netip.Addr.Compare); !asks {
			n.suspected = time.Time{}
		}
	}
	for _, addr := range r.desired.Asked {
		if r.asked[addr] == nil {
			r.asked[addr] = &nextNode{}
		}
		n := r.asked[addr]
		if n.wanted = now; n.suspected.IsZero() {
			n.suspected, n.asked = now, time.Time{} // to be asked now
		}
	}
}

// see takes in the state that the kernel's entry of the node has now, and reports whether the kernel is to ask.
func (n *nextNode) see(state int, now time.Time) (ask bool) {
	if state == netlink.NUD_REACHABLE && !n.asked.IsZero() {
		n.answered = n.asked
	}
	n.answers = !n.suspected.IsZero() && !n.answered.Before(n.suspected) && now.Sub(n.answered) < patience
	switch state {
	case netlink.NUD_REACHABLE:
		n.unreachable, n.silent = false, time.Time{}
		return now.Sub(n.asked) >= n.goodFor()
	case netlink.NUD_PERMANENT, netlink.NUD_NOARP:
		n.unreachable, n.silent = false, time.Time{}
		return false
	case netlink.NUD_STALE, netlink.NUD_DELAY: // It was there, or has just said something by itself.
		n.silent = time.Time{}
		return true
	}
	if n.silent.IsZero() {
		n.silent = now
	}
	n.unreachable = n.unreachable || state == netlink.NUD_FAILED || now.Sub(n.silent) >= patience
	return state == netlink.NUD_FAILED || state == netlink.NUD_NONE
}

// goodFor is how long an answer is good for.
func (n *nextNode) goodFor() time.Duration {
	if !n.suspected.IsZero() {
		return askAgain / 2
	}
	return askAgain
}

// ask has the kernel ask a neighbor whether it is there.
func (n *nextNode) ask(neighbor netlink.Neigh) error {
	if len(neighbor.HardwareAddr) > 0 && neighbor.State != netlink.NUD_FAILED {
		neighbor.State = netlink.NUD_PROBE // by unicast
	} else {
		neighbor.State, neighbor.HardwareAddr = netlink.NUD_NONE, nil
		neighbor.Flags |= netlink.NTF_USE
	}
	return netlink.NeighSet(&neighbor)
}

// neighbors returns what the kernel knows of nodes on the segments of this one. One that it knows nothing of has NUD_NONE; one of which
// that cannot be told is missing.
func neighbors(nodes []netip.Addr) map[netip.Addr]netlink.Neigh {
	type of struct{ link, family int }
	asked := map[of][]netip.Addr{}
	for _, addr := range nodes {
		if routes, err := netlink.RouteGet(addr.AsSlice()); err == nil && len(routes) > 0 {
			family := netlink.FAMILY_V4
			if addr.Is6() {
				family = netlink.FAMILY_V6
			}
			key := of{routes[0].LinkIndex, family}
			asked[key] = append(asked[key], addr)
		}
	}
	known := map[netip.Addr]netlink.Neigh{}
	for key, addrs := range asked {
		list, err := netlink.NeighList(key.link, key.family)
		if err != nil && !errors.Is(err, netlink.ErrDumpInterrupted) {
			continue
		}
		for _, addr := range addrs {
			neighbor := netlink.Neigh{LinkIndex: key.link, Family: key.family, IP: addr.AsSlice()}
			if i := slices.IndexFunc(list, func(n netlink.Neigh) bool { return n.IP.Equal(neighbor.IP) }); i >= 0 {
				neighbor = list[i]
			} else if err != nil {
				continue
			}
			known[addr] = neighbor
		}
	}
	return known
}
