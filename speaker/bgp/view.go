package bgp

import (
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/daymark-lb/daymark/api/v1beta1"
	"github.com/daymark-lb/daymark/internal/core/announce"
)

// States of a session that is not established (RFC 4271 section 8.2.2).
const (
	idle        v1beta1.BGPSessionState = "Idle"
	connect     v1beta1.BGPSessionState = "Connect"
	openSent    v1beta1.BGPSessionState = "OpenSent"
	openConfirm v1beta1.BGPSessionState = "OpenConfirm"
)

// view is what is known of a session. The session writes to it, anybody reads.
type view struct {
	log     *slog.Logger
	changed func() // Wakes whoever reads Speaker.Changes.
	// refused counts the prefixes that the router sent.
	refused atomic.Int64

	mu               sync.Mutex
	name, peer, addr string
	state            v1beta1.BGPSessionState
	since            time.Time
	// Why the session cannot be had; why it is not up; which prefixes are not announced; and why it
	// last went down.
	problem, failure, unsaid, loss string
	// flooded: the router sends without end.
	flooded bool
	// agreed with the router, while the session is established.
	agreed terms
	// four and six: how many prefixes the router has been told.
	four, six                     int
	flaps, additions, withdrawals int
}

func newView(log *slog.Logger, changed func()) *view {
	return &view{log: log, changed: changed, state: idle, since: time.Now()}
}

// note changes what is known, and wakes whoever reads it if that was news.
func (v *view) note(change func() (news bool)) {
	v.mu.Lock()
	news := change()
	v.mu.Unlock()
	if news {
		v.changed()
	}
}

// describe takes what is desired, and why it cannot be had.
func (v *view) describe(desired *announce.Session, problem string) {
	address := ""
	if desired.Address.IsValid() {
		address = desired.Address.String()
	}
	v.note(func() bool {
		if problem != "" && v.state == v1beta1.BGPEstablished {
			address = v.addr // It is up with the router that it had.
		}
		same := v.name == desired.Name && v.addr == address && v.problem == problem
		v.name, v.peer, v.addr, v.problem = desired.Name, desired.Peer, address, problem
		return !same
	})
}

// outdated says why a session that is up is not as it is desired now; empty when it is. It is called with the lock held.
func (v *view) outdated() string {
	if v.state != v1beta1.BGPEstablished {
		return ""
	}
	return v.problem
}

// enter takes a new state on the way up, or to idle. It wakes nobody: a router that is not there is dialed again and again,
// which is no news.
func (v *view) enter(next v1beta1.BGPSessionState) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.become(next)
}

// become changes the state. It is called with the lock held.
func (v *view) become(next v1beta1.BGPSessionState) {
	if v.state != next {
		v.state, v.since = next, time.Now()
	}
}

// connected tells whether there is a connection with the router.
func (v *view) connected() bool {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.state != idle && v.state != connect
}

// rise takes the session's coming up.
func (v *view) rise(agreed *terms) {
	v.mu.Lock()
	v.become(v1beta1.BGPEstablished)
	v.agreed, v.failure = *agreed, ""
	name := v.name
	v.mu.Unlock()
	v.log.Info("BGP session is up", "session", name)
	v.changed()
}

// told takes what the router has been told in all, and what of it is new.
func (v *view) told(all *table, todo *changes) {
	v.note(func() bool {
		same := todo.added == 0 && todo.removed == 0 && v.unsaid == all.unsaid
		v.four, v.six, v.unsaid = all.four, all.six, all.unsaid
		v.additions, v.withdrawals = v.additions+todo.added, v.withdrawals+todo.removed
		return !same
	})
}

// flood takes whether the router sends without end.
func (v *view) flood(is bool) {
	v.note(func() bool {
		news := v.flooded != is
		v.flooded = is
		if news && is {
			v.log.Warn("BGP session is flooded", "session", v.name, "error", floodWords)
		}
		return news
	})
}

// leave takes the end of a connection. One that we wanted is no failure.
func (v *view) leave(why *ending) {
	v.mu.Lock()
	established := v.state == v1beta1.BGPEstablished
	v.become(idle)
	v.agreed, v.four, v.six, v.unsaid, v.flooded = terms{}, 0, 0, "", false
	if established && !why.ordered {
		v.loss, v.flaps = why.words, v.flaps+1
	}
	name := v.name
	v.mu.Unlock()
	if !why.ordered && !established {
		v.fail(why.words)
		return
	}
	if !why.ordered {
		v.mu.Lock()
		v.failure = why.words
		v.mu.Unlock()
		v.log.Warn("BGP session went down", "session", name, "error", why.words)
	}
	v.changed()
}

// wait says what the session waits for, if it is in a state still.
func (v *view) wait(in v1beta1.BGPSessionState, words string) {
	v.note(func() bool {
		news := v.state == in && v.failure != words
		if news {
			v.failure = words
		}
		return news
	})
}

// fail says why the session does not come up. Only other words than before are news.
func (v *view) fail(words string) {
	v.note(func() bool {
		news := v.failure != words
		v.failure = words
		if news {
			v.log.Warn("BGP session does not come up", "session", v.name, "error", words)
		}
		return news
	})
}
