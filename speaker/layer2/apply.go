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

	"github.com/daymark-lb/daymark/internal/lb"
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
	want, err := r.wanted()
	errs := []error{err}
	nics := map[string]found{}

	// First all that is new, everywhere; only then does anything fall silent.
	places := slices.SortedFunc(maps.Keys(want), place.compare)
	for _, where := range places {
		if _, looked := nics[where.name]; !looked {
			nics[where.name] = lookUp(where.name)
		}
		if err := r.hold(where, nics[where.name], want[where]); err != nil {
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
	r.note()
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

// wanted sorts the desired state by socket.
func (r *Responder) wanted() (map[place]set, error) {
	want := map[place]set{}
	var errs []error
	for _, address := range r.desired {
		addr := address.Addr.Unmap().WithZone("")
		if !addr.IsValid() || addr.IsUnspecified() || addr.IsMulticast() {
			errs = append(errs, fmt.Errorf("answer for %v: not the address of a host", address.Addr))
			continue
		}
		for _, name := range address.Interfaces {
			where := place{name: name, family: lb.FamilyOf(addr)}
			if want[where] == nil {
				want[where] = set{}
			}
			want[where][addr] = struct{}{}
		}
	}
	return want, errors.Join(errs...)
}

// hold adds addresses to the socket of a place, which it opens when there is none that still fits the interface.
func (r *Responder) hold(where place, on found, addresses set) error {
	if on.err != nil {
		return on.err
	}
	s, replaced := r.sockets[where], false
	if s == nil || s.nic != on.nic || s.broken.Load() {
		fresh, err := open(on.nic, protocols[where.family], r.metrics.of(where.family))
		if err != nil {
			r.close(where)
			return err
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
	r.announcer.add(s, added)
	return err
}

// receive serves a socket until it is closed; when it breaks, Start is told to mend it.
func (r *Responder) receive(where place, s *socket) {
	err := s.serve()
	if err == nil {
		return
	}
	r.log.Info("socket broke, opening it again", "protocol", protocols[where.family].name, "interface", where.name, "error", err)
	s.broken.Store(true)
	select {
	case r.broken <- struct{}{}:
	default:
	}
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

// note writes down what is now truly held.
func (r *Responder) note() {
	held := make(map[netip.Addr]Held, len(r.held))
	now := time.Now()
	for _, where := range slices.SortedFunc(maps.Keys(r.sockets), place.compare) {
		for addr := range *r.sockets[where].held.Load() {
			h, seen := held[addr]
			if !seen {
				h = Held{Addr: addr, Since: now}
				if before, ok := r.held[addr]; ok {
					h.Since = before.Since
				}
			}
			h.Interfaces = append(h.Interfaces, where.name)
			held[addr] = h
		}
	}
	r.held = held
	r.metrics.hold(held)
}

// few names some addresses of many, for an error message.
func few(addresses set) string {
	const most = 3
	sorted := slices.SortedFunc(maps.Keys(addresses), netip.Addr.Compare)
	if len(sorted) <= most {
		return strings.Join(lb.Strings(sorted), ", ")
	}
	return fmt.Sprintf("%s and %d more", strings.Join(lb.Strings(sorted[:most]), ", "), len(sorted)-most)
}
