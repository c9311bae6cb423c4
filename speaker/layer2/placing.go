package layer2

import (
	"maps"
	"net/netip"
	"slices"
	"time"

	"github.com/daymark-lb/daymark/api/v1beta1"
	"github.com/daymark-lb/daymark/internal/core/announce"
	"github.com/daymark-lb/daymark/internal/core/lb"
)

// An address may be answered on several interfaces, which lead to several segments: what is free on one may be in use on another. So
// conflicts are detected on each by itself, and an interface that is added to an address is probed before it is answered there.

// placeKey is an address on an interface.
type placeKey struct {
	addr netip.Addr
	on   string
}

// leftPlace is when an interface was taken from an address, and the hosts that the address was defended against there.
type leftPlace struct {
	at           time.Time
	defendedFrom []mac
}

// setAddresses makes the detector follow these addresses and no others. It returns them by socket.
func (d *conflictDetector) setAddresses(addresses []announce.Layer2Address) map[socketKey]addressSet {
	d.mu.Lock()
	defer d.mu.Unlock()
	now := time.Now()
	vips, byKey := make(map[netip.Addr][]*vip, len(addresses)), map[socketKey]addressSet{}
	for i := range addresses {
		address := &addresses[i]
		before := d.vips[address.Addr]
		interfaces := address.Interfaces
		if said, twice := vips[address.Addr]; twice {
			before, interfaces = said, alsoOn(interfaces, said)
		}
		vips[address.Addr] = d.place(now, address, interfaces, before)
		for _, v := range vips[address.Addr] {
			d.follow(now, v, address)
			key := socketKey{name: v.on, family: lb.FamilyOf(v.addr)}
			if byKey[key] == nil {
				byKey[key] = addressSet{}
			}
			byKey[key][v.addr] = v
		}
	}
	maps.DeleteFunc(d.left, func(_ placeKey, left leftPlace) bool { return now.Sub(left.at) >= freeAfter })
	for addr, before := range d.vips {
		for _, v := range before {
			if !slices.Contains(vips[addr], v) {
				d.leave(now, v, len(vips[addr]) > 0)
			}
		}
	}
	d.vips = vips
	return byKey
}

// leave forgets an address on an interface. stays: it is on others. The caller holds mu.
func (d *conflictDetector) leave(now time.Time, v *vip, stays bool) {
	host := v.acd.conflict
	if key := (placeKey{v.addr, v.on}); stays && v.acd.holding {
		d.left[key] = leftPlace{now, v.acd.defended()}
	} else {
		delete(d.left, key)
	}
	v.acd.conflict = nil
	d.conflictEnded(v, host)
	delete(d.pending, v)
}

// returns is what is known of an interface that comes back to an address so soon that a host there would have left it to us; nil: it does
// not. The caller holds mu.
func (d *conflictDetector) returns(now time.Time, addr netip.Addr, on string) *leftPlace {
	if left, known := d.left[placeKey{addr, on}]; known && now.Sub(left.at) < freeAfter {
		return &left
	}
	return nil
}

// alsoOn adds the interfaces on which an address is already.
func alsoOn(interfaces []string, placed []*vip) []string {
	all := slices.Clone(interfaces)
	for _, v := range placed {
		all = append(all, v.on)
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// place returns an address on each of these interfaces. Where it was before it stays as it is.
func (d *conflictDetector) place(now time.Time, address *announce.Layer2Address, interfaces []string, before []*vip) []*vip {
	if slices.EqualFunc(before, interfaces, func(v *vip, name string) bool { return v.on == name }) {
		return before
	}
	placed := make([]*vip, len(interfaces))
	for i, name := range interfaces {
		if placed[i] = findVIP(before, name); placed[i] != nil {
			continue
		}
		v := &vip{addr: address.Addr, on: name}
		if len(before) == 0 {
			v.acd = firstACD(now, address)
		} else {
			v.acd = addedACD(now, address, interfaces, before, d.returns(now, address.Addr, name))
		}
		v.held.Store(v.acd.holding)
		d.reschedule(v)
		placed[i] = v
	}
	return placed
}

// firstACD is the state of an address that is new here.
func firstACD(now time.Time, address *announce.Layer2Address) acd {
	first := newACD(now, address.Probe, address.Detection)
	if len(address.Interfaces) == 1 { // Of several one may be free, and its clients wait.
		first.late = address.Withheld
		if address.Disputed {
			first.waitsUntil = now.Add(freeAfter)
		}
	}
	if address.OnTrial {
		first.beginProving(now)
	}
	return first
}

// addedACD is the state of an address on an interface that is new to it. As long as it is answered on another one nobody waits here, so it
// is probed. Where the new one takes the place of all that answered, nobody else answers: it does at once, and a host that objects has the
// address, unless it is one that was told off there, as the two may lead to the same segment. So it is where it returns after a moment: to
// probe thousands of addresses takes long. The others of a shared address answer on the same segment.
func addedACD(now time.Time, address *announce.Layer2Address, interfaces []string, before []*vip, returns *leftPlace) acd {
	holds, stays, disputed := false, false, false
	var defendedFrom []mac
	for _, v := range before {
		holds = holds || v.acd.holding
		stays = stays || v.acd.holding && slices.Contains(interfaces, v.on)
		disputed = disputed || v.acd.conflict != nil
		defendedFrom = append(defendedFrom, v.acd.defended()...)
	}
	if returns != nil {
		defendedFrom, stays = append(defendedFrom, returns.defendedFrom...), false
	}
	added := newACD(now, (stays || !holds) && address.Sharing == nil, address.Detection)
	added.late = disputed && !added.holding
	if !stays && address.Sharing == nil {
		if added.beginProving(now); added.unproven() {
			added.defendedFrom = defendedFrom
		}
	}
	return added
}

// follow makes an address as it is desired now. The caller holds mu.
func (d *conflictDetector) follow(now time.Time, v *vip, address *announce.Layer2Address) {
	if v.acd.detection != address.Detection {
		v.acd.setDetection(now, address.Detection)
		d.reschedule(v)
		notify(d.wake)
	}
	v.kernelsAnswer = address.KernelsAnswer
	if host := v.acd.conflict; v.kernelsAnswer && v.acd.endConflictWithNode(now) {
		d.conflictEnded(v, host)
		d.reschedule(v)
		notify(d.wake)
	}
	v.looksAgain.Store(address.Detection != v1beta1.ConflictOff && !address.KernelsAnswer)
}

// kernelsAnswer reports whether the kernels of other nodes answer for an address.
func (d *conflictDetector) kernelsAnswer(addr netip.Addr) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return slices.ContainsFunc(d.vips[addr], func(v *vip) bool { return v.kernelsAnswer })
}

// holds reports whether an address is answered on any interface.
func (d *conflictDetector) holds(addr netip.Addr) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.holdsAnywhere(addr)
}

// holdsAnywhere is holds for who holds mu.
func (d *conflictDetector) holdsAnywhere(addr netip.Addr) bool {
	return slices.ContainsFunc(d.vips[addr], func(v *vip) bool { return v.acd.holding })
}

// vip returns a desired address on an interface; nil: it is none there. The caller holds mu.
func (d *conflictDetector) vip(addr netip.Addr, on string) *vip { return findVIP(d.vips[addr], on) }

// findVIP returns an address on an interface; nil: it is none there.
func findVIP(places []*vip, on string) *vip {
	if i := slices.IndexFunc(places, func(v *vip) bool { return v.on == on }); i >= 0 {
		return places[i]
	}
	return nil
}

// desired reports whether an address is still desired on an interface. The caller holds mu.
func (d *conflictDetector) desired(v *vip) bool { return d.vip(v.addr, v.on) == v }

// disputedElsewhere reports whether there is a conflict about an address on another interface, too. The caller holds mu.
func (d *conflictDetector) disputedElsewhere(than *vip) bool {
	return slices.ContainsFunc(d.vips[than.addr], func(v *vip) bool {
		return v != than && v.acd.conflict != nil && v.acd.conflict.certain
	})
}
