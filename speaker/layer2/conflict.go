package layer2

import (
	"context"
	"maps"
	"net"
	"net/netip"
	"slices"
	"time"

	"github.com/daymark-lb/daymark/internal/core/lb"
)

// Conflict is an address that was asked for, and that a foreign host has or claims.
type Conflict struct {
	Addr netip.Addr
	// MAC address of the foreign host, as "02:00:00:00:00:01"; of several, one that was heard lately.
	MAC string
	// Interface where it was heard.
	Interface string
	// Since the conflict is known.
	Since time.Time
	// Announced: we hold the address and defend it. Otherwise it is left to the foreign host, and looked at again
	// every few seconds.
	Announced bool
}

// Conflicts returns the conflicts that there are now, in order of address: one for each address at most.
func (r *Responder) Conflicts() []Conflict {
	return slices.SortedFunc(maps.Values(r.watch.conflicts()), func(a, b Conflict) int { return a.Addr.Compare(b.Addr) })
}

func (w *watch) conflicts() map[netip.Addr]Conflict {
	w.mu.Lock()
	defer w.mu.Unlock()
	all := map[netip.Addr]Conflict{}
	for addr, v := range w.busy { // An end is due for every conflict.
		if foe := v.acd.rival; foe != nil {
			all[addr] = Conflict{
				Addr: addr, MAC: foe.mac.String(), Interface: foe.on, Since: foe.since, Announced: v.acd.holding,
			}
		}
	}
	return all
}

// friends are the stations whose claims are no conflict.
type friends map[mac]struct{}

// SetCluster says which MAC addresses the nodes of the cluster have: their speakers take addresses over from each other,
// so what they say of an address is no conflict. The interfaces that we answer on are known without being named. What
// is not an Ethernet address, such as "", is passed over. It is to be called before the first Set, and may be called as
// often as one likes: the same list again costs a comparison. A conflict with a station that turns out to be of the cluster is over at once.
func (r *Responder) SetCluster(macs []string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if slices.Equal(r.cluster, macs) {
		return
	}
	r.cluster = slices.Clone(macs)
	r.nodes = friends{}
	for _, text := range macs {
		if addr, err := net.ParseMAC(text); err == nil && len(addr) == len(mac{}) {
			r.nodes[mac(addr)] = struct{}{}
		}
	}
	r.befriend()
}

// befriend puts the cluster's MAC addresses and our own together for the receivers. The caller holds mu.
func (r *Responder) befriend() {
	all := maps.Clone(r.nodes)
	if all == nil {
		all = friends{}
	}
	for _, s := range r.sockets {
		all[s.nic.mac] = struct{}{}
	}
	if before := r.friends.Swap(&all); maps.Equal(*before, all) {
		return
	}
	if r.watch.pardon(r.friendly) {
		signal(r.changes)
	}
}

func (r *Responder) friendly(m mac) bool {
	_, friend := (*r.friends.Load())[m]
	return friend
}

// doubtful is for the sockets.
func (r *Responder) doubtful() bool { return r.doubt() }

// claimed hears the receivers' claims. It waits for nobody but for other short holders of the watch.
func (r *Responder) claimed(on string, c claim) {
	if r.friendly(c.by) {
		return
	}
	began, defend := r.watch.claimed(c, on)
	if began {
		signal(r.changes)
	}
	if !defend {
		return
	}
	r.metrics.of(lb.FamilyOf(c.addr)).defences.Inc()
	for _, s := range *r.live.Load() {
		s.defend(c.addr)
	}
}

// detect does what conflict detection finds to be due, until ctx ends.
func (r *Responder) detect(ctx context.Context) {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-r.watch.wake:
		case <-timer.C:
		}
		if r.doubt() {
			timer.Reset(doubtPause)
			continue
		}
		probes, taken, settled := r.watch.due(time.Now())
		r.take(taken)
		if settled {
			signal(r.changes)
		}
		for _, addr := range probes {
			if !r.probe(addr) {
				r.watch.unheard(addr)
			}
		}
		if len(probes) == burst {
			if !pause(ctx) {
				return
			}
			signal(r.watch.wake)
		}
		timer.Reset(r.watch.next(time.Now()))
	}
}

// probe asks on all interfaces of an address whether somebody has it; it reports whether one of them could ask.
func (r *Responder) probe(addr netip.Addr) (carried bool) {
	for _, s := range *r.live.Load() {
		carried = s.probe(addr) || carried
	}
	return carried
}

// take announces addresses that were found free.
func (r *Responder) take(addresses []netip.Addr) {
	if len(addresses) == 0 {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	now := time.Now()
	for _, s := range *r.live.Load() {
		var held []netip.Addr
		for _, addr := range addresses {
			if s.holds(addr) {
				held = append(held, addr)
				r.noteOne(addr, s.name, now)
			}
		}
		r.announcer.add(s, held)
	}
	r.metrics.hold(r.held)
	signal(r.changes)
}
