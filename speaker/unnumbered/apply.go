package unnumbered

import (
	"errors"
	"maps"
	"net/netip"
	"slices"
)

// again applies the last desired state once more.
func (d *Discovery) again() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.apply()
}

// apply makes the ports match the desired state and the interfaces as they are now. The caller holds mu.
func (d *Discovery) apply() {
	problems := map[string]error{}
	for _, name := range d.desired {
		if err := d.hold(name); err != nil {
			problems[name] = err
		}
	}
	for name := range d.ports {
		if !slices.Contains(d.desired, name) {
			d.close(name)
		}
	}
	d.note(problems)
}

// hold makes sure that there is a port for an interface which fits it, or none if the interface is of no use.
func (d *Discovery) hold(name string) error {
	on, err := d.lookUp(name)
	if errors.Is(err, errUnread) {
		return err // What is open may well be right.
	}
	if err != nil {
		d.close(name)
		return err
	}
	if p := d.ports[name]; p != nil {
		_, broken, trouble := p.state()
		if !broken && p.on.same(on) {
			return trouble
		}
		d.close(name)
		if broken {
			return trouble // The next look opens another.
		}
	}
	p, err := open(on, d.log, func() { wake(d.moved) })
	if err != nil {
		return err
	}
	d.ports[name] = p
	d.serving.Go(p.serve)
	return nil
}

// close ends the port of an interface, if there is one, and forgets what it knew.
func (d *Discovery) close(name string) {
	if p := d.ports[name]; p != nil {
		p.close()
		delete(d.ports, name)
	}
}

// note writes down what is now known, and wakes the receiver when that is something else than before.
func (d *Discovery) note(problems map[string]error) {
	routers := make(map[string]netip.Addr, len(d.ports))
	for name, p := range d.ports {
		if router, _, _ := p.state(); router.IsValid() {
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
		wake(d.changes)
	}
	d.routers, d.problems = routers, problems
}

// stop closes everything for good.
func (d *Discovery) stop() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.stopped, d.desired = true, nil
	d.apply()
}
