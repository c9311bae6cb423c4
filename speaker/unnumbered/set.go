package unnumbered

import (
	"errors"
	"maps"
	"net/netip"
	"slices"
)

// reapply applies the last desired state again.
func (d *Discovery) reapply() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.apply()
}

// apply makes the sockets match the desired state and the interfaces as they are now. The caller holds mu.
func (d *Discovery) apply() {
	problems := map[string]error{}
	for _, name := range d.desired {
		if err := d.ensureSocket(name); err != nil {
			problems[name] = err
		}
	}
	for name := range d.sockets {
		if !slices.Contains(d.desired, name) {
			d.closeSocket(name)
		}
	}
	d.record(problems)
}

// ensureSocket makes sure that an interface has a socket that fits it, or none if the interface cannot be used. It
// returns why no router can be found there now.
func (d *Discovery) ensureSocket(name string) error {
	found, err := d.lookUp(name)
	if errors.Is(err, errLookUp) {
		return err // The socket that is open may still be right.
	}
	if err != nil {
		d.closeSocket(name)
		return err
	}
	if s := d.sockets[name]; s != nil {
		_, broken, lastErr := s.state()
		if !broken && s.netif.equal(found) {
			return lastErr
		}
		d.closeSocket(name)
		if broken {
			return lastErr // The next apply opens another one.
		}
	}
	s, err := open(found, d.log, func() { notify(d.socketChanged) })
	if err != nil {
		return err
	}
	d.sockets[name] = s
	d.serving.Go(s.serve)
	return nil
}

// closeSocket closes the socket of an interface, if there is one, and forgets its router.
func (d *Discovery) closeSocket(name string) {
	if s := d.sockets[name]; s != nil {
		s.close()
		delete(d.sockets, name)
	}
}

// record updates routers and problems, and wakes the receiver of Changes if they differ from before.
func (d *Discovery) record(problems map[string]error) {
	routers := make(map[string]netip.Addr, len(d.sockets))
	for name, s := range d.sockets {
		if router, _, _ := s.state(); router.IsValid() {
			routers[name] = router
		}
	}
	same := func(a, b error) bool { return a.Error() == b.Error() }
	if !maps.Equal(d.routers, routers) || !maps.EqualFunc(d.problems, problems, same) {
		for name, err := range problems {
			if before := d.problems[name]; before == nil || !same(before, err) {
				d.log.Warn("no router can be looked for, trying again", "interface", name, "error", err)
			}
		}
		notify(d.changes)
	}
	d.routers, d.problems = routers, problems
}

// stop closes all sockets for good.
func (d *Discovery) stop() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.stopped, d.desired = true, nil
	d.apply()
}
