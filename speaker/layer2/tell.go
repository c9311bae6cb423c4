package layer2

import (
	"net/netip"
	"time"
)

// update is a sender that sends something about an address to one host, by way of the sender that announces it.
type update interface {
	sender

	via() sender
}

// untold counts the clients that have not been told yet, by the address that they are told about: they use another node until then.
type untold map[netip.Addr]int

func (u untold) add(addr netip.Addr, n int) {
	if u[addr] += n; u[addr] == 0 {
		delete(u, addr)
	}
}

// tell has updates about an address sent: at once, again after each of the waits, and then no more. They are no more urgent than is said.
// What is to be sent already, and is as urgent, is not put off. Introductions for which there is no room are forgotten.
func (a *announcer) tell(updates []update, addr netip.Addr, most urgency, waits []time.Duration) {
	if len(updates) == 0 {
		return
	}
	now := time.Now()
	a.mu.Lock()
	defer a.mu.Unlock()
	for i, u := range updates {
		q := a.queue(u.interfaceName(), now)
		t := a.updates[u.via()][u]
		switch {
		case t == nil && most == introducing && len(q.lists[introducing]) >= maxIntroductions:
			a.notIntroduced.Inc()
			continue
		case t == nil:
			t = &schedule{sender: u, addr: addr, waits: waits}
			if a.updates[u.via()] == nil {
				a.updates[u.via()] = map[update]*schedule{}
			}
			a.updates[u.via()][u] = t
		case t.urgency() <= most:
			continue
		default:
			q.remove(t)
		}
		t.most = most
		q.addFirst(t, now, i)
		if most == telling {
			a.untold.add(addr, 1)
		}
	}
	notify(a.wake)
}

// allTold notes that there is no client to tell about an address: whoever asks for it now is answered.
func (a *announcer) allTold(addr netip.Addr) {
	a.mu.Lock()
	waiting := a.untold[addr] > 0
	a.mu.Unlock()
	if !waiting {
		a.failOvers.announced(addr, time.Now())
	}
}

// endsFailOver reports whether an address is announced, or its last client told, by what is sent now. The caller holds mu.
func (a *announcer) endsFailOver(t *schedule) bool {
	switch {
	case t.waits == nil:
		return t.sent == 0
	case t.urgency() != telling:
		return false
	}
	a.untold.add(t.addr, -1)
	return a.untold[t.addr] == 0
}

// forgetUpdate forgets an update that has been sent as often as it should be. The caller holds mu.
func (a *announcer) forgetUpdate(t *schedule) {
	u := t.sender.(update)
	delete(a.updates[u.via()], u)
	if len(a.updates[u.via()]) == 0 {
		delete(a.updates, u.via())
	}
}

// removeUpdates ends the updates by way of a sender. The caller holds mu.
func (a *announcer) removeUpdates(by sender) {
	for _, t := range a.updates[by] {
		a.queues[by.interfaceName()].remove(t)
		if t.urgency() == telling {
			a.untold.add(t.addr, -1)
		}
	}
	delete(a.updates, by)
}
