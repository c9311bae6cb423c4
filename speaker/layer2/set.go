package layer2

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"

	"github.com/daymark-lb/daymark/internal/core/announce"
	"github.com/daymark-lb/daymark/internal/core/lb"
)

// socketKey names a socket: one interface, one family.
type socketKey struct {
	name   string
	family lb.Family
}

func (p socketKey) compare(other socketKey) int {
	return cmp.Or(strings.Compare(p.name, other.name), cmp.Compare(p.family, other.family))
}

// apply makes the sockets match the desired state. The caller holds mu.
func (r *Responder) apply() error {
	if r.stopped {
		return ErrStopped
	}
	r.complete = false
	addresses, err := r.validAddresses()
	want := r.detector.setAddresses(addresses)
	r.keepCrowds(addresses)
	sharing := r.detector.setSharing(addresses)
	r.addUnaddressed(want)
	errs := []error{err}
	nics := map[string]nicResult{}
	var unasked []*vip

	// Add everything that is new on all interfaces before anything is removed.
	keys := slices.SortedFunc(maps.Keys(want), socketKey.compare)
	for _, key := range keys {
		if _, known := nics[key.name]; !known {
			nics[key.name] = lookUp(key.name)
		}
		added, err := r.addAddresses(key, nics[key.name], want[key])
		unasked = append(unasked, added...)
		if err != nil && len(want[key]) > 0 {
			r.failed(key, want[key], err)
			errs = append(errs, fmt.Errorf("answer %s for %s on %s: %w",
				protocols[key.family].name, abbreviate(want[key]), key.name, err))
		}
	}
	for key, s := range r.sockets {
		if want[key] == nil || nics[key.name].err != nil {
			r.closeSocket(key)
			continue
		}
		for _, addr := range s.removeOthers(want[key]) {
			r.announcer.remove(s, addr)
		}
	}
	r.publish()
	r.followSharing(sharing)
	r.watchAsked()
	r.detector.restartProbing(unasked) // Only now can a probe be sent by the new sockets.
	err = errors.Join(errs...)
	r.complete = err == nil
	return err
}

// addUnaddressed adds the sockets that are wanted without an address: to ask by, and to listen to.
func (r *Responder) addUnaddressed(want map[socketKey]addressSet) {
	for _, keys := range []map[socketKey]bool{questionKeys(r.questions), r.listened} {
		for key := range keys {
			if want[key] == nil {
				want[key] = addressSet{}
			}
		}
	}
}

// upToDate reports whether every socket still works and fits its interface.
func (r *Responder) upToDate() bool {
	for key, s := range r.sockets {
		if found := lookUp(key.name); s.broken.Load() || found.err != nil || found.nic != s.nic {
			return false
		}
	}
	return !r.stopped
}

// validAddresses returns the desired addresses in normal form, without those that cannot be the address of a host.
func (r *Responder) validAddresses() ([]announce.Layer2Address, error) {
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

// addAddresses adds addresses to a socket. It opens the socket if there is none that still fits the interface. It
// returns the added addresses, about which nobody has been asked there yet.
func (r *Responder) addAddresses(key socketKey, found nicResult, addresses addressSet) (unasked []*vip, err error) {
	if found.err != nil {
		return nil, found.err
	}
	s, replaced := r.sockets[key], false
	if s == nil || s.nic != found.nic || s.broken.Load() {
		opened, err := open(key, found.nic, r.metrics.of(key.family), r, r.tracer)
		if err != nil {
			r.closeSocket(key)
			return nil, err
		}
		s, replaced = opened, true
		s.troubled = r.troubled
	}
	added, err := s.add(addresses)
	if replaced {
		// The new socket answers before the old one is closed.
		r.closeSocket(key)
		r.sockets[key] = s
		r.receivers.Go(func() { r.receive(key, s) })
	}
	var held []netip.Addr
	for _, addr := range added {
		v := addresses[addr]
		if unasked = append(unasked, v); v.held.Load() {
			held = append(held, addr)
		}
	}
	r.announceOn(s, held)
	return unasked, err
}

// receive serves a socket until it is closed; if it breaks, Start is woken to open it again.
func (r *Responder) receive(key socketKey, s *socket) {
	err := s.serve()
	if err == nil {
		return
	}
	r.log.Info("socket failed, opening it again", "protocol", protocols[key.family].name, "interface", key.name, "error", err)
	s.broken.Store(true)
	notify(r.broken)
}

// closeSocket closes a socket, if it is open.
func (r *Responder) closeSocket(key socketKey) {
	s := r.sockets[key]
	if s == nil {
		return
	}
	r.announcer.removeSender(s)
	s.close()
	delete(r.sockets, key)
}

// publish makes the sockets and the held addresses visible to others. The caller holds mu.
func (r *Responder) publish() {
	live := make([]*socket, 0, len(r.sockets))
	for _, key := range slices.SortedFunc(maps.Keys(r.sockets), socketKey.compare) {
		live = append(live, r.sockets[key])
	}
	r.live.Store(&live)
	r.updateClusterMACs()
	r.recordHeld()
}

// abbreviate lists the first addresses of a set, for an error message.
func abbreviate(addresses addressSet) string {
	const most = 3
	sorted := slices.SortedFunc(maps.Keys(addresses), netip.Addr.Compare)
	if len(sorted) <= most {
		return strings.Join(lb.Strings(sorted), ", ")
	}
	return fmt.Sprintf("%s and %d more", strings.Join(lb.Strings(sorted[:most]), ", "), len(sorted)-most)
}
