package layer2

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/daymark-lb/daymark/internal/core/announce"
	"github.com/daymark-lb/daymark/internal/core/lb"
)

// place is where a socket is wanted: one interface, one family.
type place struct {
	name   string
	family lb.Family
}

func (p place) compare(other place) int {
	return cmp.Or(strings.Compare(p.name, other.name), cmp.Compare(p.family, other.family))
}

// apply makes the sockets match the desired state. The caller holds mu.
func (r *Responder) apply() error {
	if r.stopped {
		return ErrStopped
	}
	r.complete = false
	addresses, err := r.valid()
	want := r.watch.follow(addresses)
	errs := []error{err}
	nics := map[string]found{}
	var looking []netip.Addr

	// First all that is new, everywhere; only then does anything fall silent.
	places := slices.SortedFunc(maps.Keys(want), place.compare)
	for _, where := range places {
		if _, looked := nics[where.name]; !looked {
			nics[where.name] = lookUp(where.name)
		}
		unprobed, err := r.hold(where, nics[where.name], want[where])
		looking = append(looking, unprobed...)
		if err != nil {
			errs = append(errs, fmt.Errorf("answer %s for %s on %s: %w",
				protocols[where.family].name, few(want[where]), where.name, err))
		}
	}
	for where, s := range r.sockets {
		if want[where] == nil || nics[where.name].err != nil {
			r.close(where)
			continue
		}
		for _, addr := range s.keep(want[where]) {
			r.announcer.remove(s, addr)
		}
	}
	r.publish()
	r.watch.restart(looking) // Only now can a probe reach the new sockets.
	err = errors.Join(errs...)
	r.complete = err == nil
	return err
}

// settled reports whether every socket still works and fits its interface.
func (r *Responder) settled() bool {
	for where, s := range r.sockets {
		if on := lookUp(where.name); s.broken.Load() || on.err != nil || on.nic != s.nic {
			return false
		}
	}
	return !r.stopped
}

// valid returns what is desired in normal form, less what is not the address of a host.
func (r *Responder) valid() ([]announce.Layer2Address, error) {
	addresses := make([]announce.Layer2Address, 0, len(r.desired))
	var errs []error
	for _, address := range r.desired {
		addr := address.Addr.Unmap().WithZone("")
		if !addr.IsValid() || addr.IsUnspecified() || addr.IsMulticast() {
			errs = append(errs, fmt.Errorf("answer for %v: not the address of a host", address.Addr))
			continue
		}
		address.Addr = addr
		addresses = append(addresses, address)
	}
	return addresses, errors.Join(errs...)
}

// hold adds addresses to the socket of a place, which it opens when there is none that still fits the interface. It returns
// those of them that are not held yet, and must be probed there.
func (r *Responder) hold(where place, on found, addresses table) (looking []netip.Addr, err error) {
	if on.err != nil {
		return nil, on.err
	}
	s, replaced := r.sockets[where], false
	if s == nil || s.nic != on.nic || s.broken.Load() {
		fresh, err := open(where, on.nic, r.metrics.of(where.family), r)
		if err != nil {
			r.close(where)
			return nil, err
		}
		s, replaced = fresh, true
	}
	added, err := s.add(addresses)
	if replaced {
		// The new one answers before the old one falls silent.
		r.close(where)
		r.sockets[where] = s
		r.receivers.Go(func() { r.receive(where, s) })
	}
	held, looking := split(added, addresses)
	r.announcer.add(s, held)
	return looking, err
}

// split parts addresses into those that are held and those that are not yet.
func split(addresses []netip.Addr, from table) (held, looking []netip.Addr) {
	for _, addr := range addresses {
		if from[addr].held.Load() {
			held = append(held, addr)
		} else {
			looking = append(looking, addr)
		}
	}
	return held, looking
}

// receive serves a socket until it is closed; when it breaks, Start is told to mend it.
func (r *Responder) receive(where place, s *socket) {
	err := s.serve()
	if err == nil {
		return
	}
	r.log.Info("socket broke, opening it again", "protocol", protocols[where.family].name, "interface", where.name, "error", err)
	s.broken.Store(true)
	signal(r.broken)
}

// close ends the socket of a place, if there is one.
func (r *Responder) close(where place) {
	s := r.sockets[where]
	if s == nil {
		return
	}
	r.announcer.forget(s)
	s.close()
	delete(r.sockets, where)
}

// publish lets others see the sockets, and what is now truly held. The caller holds mu.
func (r *Responder) publish() {
	live := make([]*socket, 0, len(r.sockets))
	for _, where := range slices.SortedFunc(maps.Keys(r.sockets), place.compare) {
		live = append(live, r.sockets[where])
	}
	r.live.Store(&live)
	r.befriend()
	r.note()
}

// note writes down what is now truly held.
func (r *Responder) note() {
	before, now := r.held, time.Now()
	r.held = make(map[netip.Addr]Held, len(before))
	for _, s := range *r.live.Load() {
		for addr, v := range *s.known.Load() {
			if v.held.Load() {
				since := now
				if h, ok := before[addr]; ok {
					since = h.Since
				}
				r.noteOne(addr, s.name, since)
			}
		}
	}
	r.metrics.hold(r.held)
}

// noteOne writes down that an address is held on one more interface, and since when if that is the first.
func (r *Responder) noteOne(addr netip.Addr, on string, since time.Time) {
	h, known := r.held[addr]
	if !known {
		h = Held{Addr: addr, Since: since}
	}
	if !slices.Contains(h.Interfaces, on) {
		h.Interfaces = append(h.Interfaces, on)
	}
	r.held[addr] = h
}

// few names some addresses of many, for an error message.
func few(addresses table) string {
	const most = 3
	sorted := slices.SortedFunc(maps.Keys(addresses), netip.Addr.Compare)
	if len(sorted) <= most {
		return strings.Join(lb.Strings(sorted), ", ")
	}
	return fmt.Sprintf("%s and %d more", strings.Join(lb.Strings(sorted[:most]), ", "), len(sorted)-most)
}
