package layer2

import (
	"net/netip"
	"slices"

	"github.com/daymark-lb/daymark/internal/core/announce"
)

// An address may be shared: several nodes answer for it, each some of the clients. Then nothing is broadcast about it, because a
// broadcast reaches all clients. Who asks for it is remembered by all its nodes, and told by unicast when another node
// answers. The holder, one of them, does what is not about a client: it answers probes and reports conflicts.

// requester is who asks for an address of ours.
type requester struct {
	// of is the address; nil: the address is never shared, or nobody asks.
	of   *vip
	addr netip.Addr
	// client and mac are the addresses that it gives for itself; an unspecified client only asks whether the address is in use.
	client netip.Addr
	mac    mac
	// from is the source of the frame.
	from mac
	// toUs: we alone are asked.
	toUs bool
}

// requesterOf returns who asks for an address that may be shared.
func requesterOf(of *vip, a requester) requester {
	if of.sharing.Load() == nil {
		return requester{}
	}
	a.of = of
	return a
}

// shared returns how an address is shared; nil: this node answers all.
func (v *vip) shared() *announce.Sharing {
	if s := v.sharing.Load(); s != nil && s.Table.Shared() {
		return s
	}
	return nil
}

// serves reports whether this node answers a client.
func (v *vip) serves(client netip.Addr) bool {
	s := v.shared()
	return s == nil || s.Own.Serves(client)
}

// serves implements frameHandler. It remembers who asks. A host that is asked alone is asked by a client that has learned of it
// before, or by a speaker.
func (r *Responder) serves(interfaceName string, a *requester) bool {
	if a.client.IsUnspecified() {
		s := a.of.shared()
		return s == nil || s.Holder || a.toUs // A probe is for all. That of another speaker asks whether we live.
	}
	_, byNode := r.ownerOf(a.from)
	introduced := byNode && a.from != a.mac
	from := neighbor{a.client, a.mac, interfaceName}
	if !a.toUs || introduced {
		r.crowds.heard(a.addr, from)
	}
	serves := a.of.serves(a.client)
	switch {
	case introduced:
		if serves {
			r.tellIntroduced(a.addr, from)
		}
		return false // It has not asked us, and may not heed an answer.
	case serves:
		return true
	case !a.toUs:
		return false
	case byNode:
		return true
	}
	last, asked := r.crowds.lastAsked(a.addr, hostKey{a.mac, interfaceName})
	return asked && a.of.serves(last)
}

// servesWith reports whether another node uses an address as it may, because it answers some of the clients. When we hold the address, it
// may not announce it to all, nor search for others that hold it.
func (d *conflictDetector) servesWith(u addressUse, node string) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	s := sharingOf(d.vips[u.addr])
	return s != nil && s.Table.Has(node) && !(s.Holder && (u.announced || u.probe))
}

// sharingChange is a change of how a desired address is shared. Nil: it was not desired, or is never shared.
type sharingChange struct {
	addr          netip.Addr
	before, after *announce.Sharing
}

// setSharing notes how the desired addresses are shared, and returns what has changed, in order of address.
func (d *conflictDetector) setSharing(addresses []announce.Layer2Address) (changes []sharingChange) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for i := range addresses {
		address := &addresses[i]
		places := d.vips[address.Addr]
		before, after := sharingOf(places), address.Sharing
		same := before.Equal(after)
		if same {
			after = before
		}
		for _, v := range places {
			v.sharing.Store(after)
		}
		if !same {
			changes = append(changes, sharingChange{address.Addr, before, after})
		}
	}
	slices.SortFunc(changes, func(a, b sharingChange) int { return a.addr.Compare(b.addr) })
	return changes
}

// sharingOf is how an address is shared by now; nil: it never is.
func sharingOf(places []*vip) *announce.Sharing {
	for _, v := range places {
		if s := v.sharing.Load(); s != nil {
			return s // An interface that was just added does not know yet.
		}
	}
	return nil
}

// sharedVIP returns a desired address that is held and shared; nil: it is not.
func (d *conflictDetector) sharedVIP(addr netip.Addr) *vip {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, v := range d.vips[addr] {
		if v.held.Load() && v.shared() != nil {
			return v
		}
	}
	return nil
}

// keepCrowds remembers who asks for the addresses that may be shared.
func (r *Responder) keepCrowds(addresses []announce.Layer2Address) {
	perClient := map[netip.Addr]bool{}
	for i := range addresses {
		if addresses[i].Sharing != nil {
			perClient[addresses[i].Addr] = true
		}
	}
	r.crowds.keep(perClient)
}

// followSharing does what changes of sharing demand, when all sockets have their addresses.
func (r *Responder) followSharing(changes []sharingChange) {
	var toTell []sharingChange
	for _, c := range changes {
		sharedBefore, sharedNow := c.before != nil && c.before.Table.Shared(), c.after != nil && c.after.Table.Shared()
		for _, s := range *r.live.Load() {
			switch {
			case sharedBefore && !sharedNow && s.holds(c.addr):
				r.announcer.add(s, []netip.Addr{c.addr})
			case sharedNow && !sharedBefore:
				r.announcer.remove(s, c.addr)
			}
		}
		if sharedNow && c.before != nil {
			toTell = append(toTell, c)
		}
	}
	r.tellOfChanges(toTell)
}

// tellOwn tells the clients of a shared address that are ours once more where it is: those that asked by the interfaces of these sockets.
// This is no more urgent than is said.
func (r *Responder) tellOwn(addr netip.Addr, v *vip, most urgency, sockets []*socket) {
	updates := r.newUpdates(addr, sockets)
	updates.most = most
	for _, of := range r.crowds.clients(addr) {
		if v.serves(of.addr) {
			updates.tell(of)
		}
	}
	updates.send()
}

// tellIntroduced tells a client that another node has told us of that it is ours.
func (r *Responder) tellIntroduced(addr netip.Addr, of neighbor) {
	updates := r.newUpdates(addr, *r.live.Load())
	updates.tell(of)
	updates.send()
}

// announceAgain announces held addresses again, now and over the next seconds.
func (r *Responder) announceAgain(addresses []netip.Addr) {
	var exclusive []netip.Addr
	for _, addr := range addresses {
		if v := r.detector.sharedVIP(addr); v != nil {
			r.tellOwn(addr, v, telling, *r.live.Load())
		} else {
			exclusive = append(exclusive, addr)
		}
	}
	r.announcer.restart(exclusive)
}

// announceOn begins to announce held addresses by a socket that is new to them.
func (r *Responder) announceOn(s *socket, held []netip.Addr) {
	var exclusive []netip.Addr
	for _, addr := range held {
		if v := (*s.addresses.Load())[addr]; v != nil && v.shared() != nil {
			r.tellOwn(addr, v, telling, []*socket{s}) // It may not be live yet.
		} else {
			exclusive = append(exclusive, addr)
		}
	}
	r.announcer.add(s, exclusive)
}

// updates are sent about the clients of an address.
type updates struct {
	announcer *announcer
	addr      netip.Addr
	sockets   map[string]*socket
	told      []update
	others    []update
	// room is how many others there may be at most.
	room int
	// most is how urgent it is at most to tell the clients.
	most urgency
}

func (r *Responder) newUpdates(addr netip.Addr, sockets []*socket) *updates {
	u := &updates{announcer: r.announcer, addr: addr, sockets: map[string]*socket{}, most: telling}
	for _, s := range sockets {
		if s.holds(addr) {
			u.sockets[s.name] = s
		}
	}
	return u
}

func (u *updates) tell(of neighbor) {
	if s := u.sockets[of.interfaceName]; s != nil {
		u.told = append(u.told, clientUpdate{s, u.addr, of})
	}
}

func (u *updates) introduce(of neighbor, to *announce.Layer2Server) {
	s := u.sockets[of.interfaceName]
	if s == nil {
		return
	}
	for _, path := range to.Paths {
		if server, ok := parseMAC(path.MAC); ok && path.Interface == of.interfaceName {
			if len(u.others) >= u.room {
				u.announcer.notIntroduced.Inc()
				continue
			}
			u.others = append(u.others, introduction{s, u.addr, of, server})
		}
	}
}

func (u *updates) send() {
	if len(u.told) == 0 {
		u.announcer.allTold(u.addr)
	}
	u.announcer.tell(u.told, u.addr, u.most, updateIntervals(u.addr))
	u.announcer.tell(u.others, u.addr, introducing, introductionIntervals)
}
