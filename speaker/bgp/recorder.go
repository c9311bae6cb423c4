package bgp

import (
	"log/slog"
	"reflect"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/daymark-lb/daymark/api/v1beta1"
	"github.com/daymark-lb/daymark/internal/core/adjribout"
	"github.com/daymark-lb/daymark/internal/core/announce"
	"github.com/daymark-lb/daymark/internal/core/lb"
	"github.com/daymark-lb/daymark/speaker/trace"
)

// States of a session that is not established (RFC 4271 section 8.2.2). In stateIdle, it waits before it connects again.
const (
	stateIdle        v1beta1.BGPSessionState = "Idle"
	stateConnect     v1beta1.BGPSessionState = "Connect"
	stateOpenSent    v1beta1.BGPSessionState = "OpenSent"
	stateOpenConfirm v1beta1.BGPSessionState = "OpenConfirm"
)

// longPause is how long a pause must be so that Status says when it ends. Shorter ones would change it all the time. After a rejection
// each pause is longer than the one before, and somebody waits for its end: then it is rejectedPause.
const longPause, rejectedPause = time.Minute, 10 * time.Second

// statusRecorder records what happens to a session. The session writes to it; anybody may read.
type statusRecorder struct {
	log     *slog.Logger
	changed func() // Wakes whoever reads Speaker.Changes.
	tracer  *trace.Tracer
	// prefixesReceived counts the prefixes that the router has announced.
	prefixesReceived atomic.Int64

	mu               sync.Mutex
	name, peer, addr string
	state            v1beta1.BGPSessionState
	since            time.Time
	// problem is why the session cannot be run as desired, failure why it is not established, notAnnounced which prefixes
	// are not announced and why, and lastDown why the session last went down. Empty where there is nothing to say.
	problem, failure, notAnnounced, lastDown string
	// rejected: the router did not want the session at the last attempt.
	rejected bool
	// nextTry is when the session connects again, if that is not soon.
	nextTry time.Time
	// flooded: the router sends more than we read.
	flooded bool
	// wanted is what is desired, and told what of it the router has been told; nil unless the session is established.
	wanted, told *announce.Session
	// negotiated is what was negotiated with the router; the zero value unless the session is established.
	negotiated negotiated
	// bfdEnded is when BFD last ended the session, as Status says.
	bfdEnded time.Time
	// heldBack is as in adjRIBOut.
	heldBack []lb.Family
	// ipv4 and ipv6 are how many prefixes the router has been told, digest which, and nextHops how they are reached.
	ipv4, ipv6 int
	digest     adjribout.Digest
	nextHops   adjribout.NextHops

	flaps, announcements, withdrawals int
}

func newStatusRecorder(log *slog.Logger, changed func()) *statusRecorder {
	return &statusRecorder{log: log, changed: changed, state: stateIdle, since: time.Now()}
}

// update changes what is recorded. change reports whether that is of interest to readers of Speaker.Changes, who are then
// woken.
func (r *statusRecorder) update(change func() (changed bool)) {
	r.mu.Lock()
	changed := change()
	r.mu.Unlock()
	if changed {
		r.changed()
	}
}

// setDesired records what is desired, and why the session cannot be run as desired; problem is empty when it can.
func (r *statusRecorder) setDesired(desired *announce.Session, problem string) {
	address := ""
	if desired.Address.IsValid() {
		address = desired.Address.String()
	}
	if desired.Down() {
		problem = "administratively down"
	}
	r.update(func() bool {
		if problem != "" && r.state == v1beta1.BGPEstablished {
			address = r.addr // The session is still established with its former router.
		}
		same := r.name == desired.Name && r.addr == address && r.problem == problem
		if r.told != nil && r.told == r.wanted && sameSession(desired, r.wanted) {
			r.told = desired // It is another one at each pass. Nothing will be sent, and nobody is to wait until that is noted.
		}
		r.name, r.peer, r.addr, r.problem, r.wanted = desired.Name, desired.Peer, address, problem, desired
		return !same
	})
}

// sameSession reports whether two sessions are desired alike. There may be many paths, and few attributes, which neighbors share.
func sameSession(a, b *announce.Session) bool {
	var last [2]*announce.Attributes
	samePaths := slices.EqualFunc(a.Paths, b.Paths, func(p, q announce.Path) bool {
		both := [2]*announce.Attributes{p.Attributes, q.Attributes}
		same := p.Prefix == q.Prefix && (both[0] == both[1] || both == last || reflect.DeepEqual(both[0], both[1]))
		last = both
		return same
	})
	x, y := *a, *b
	x.Paths, y.Paths = nil, nil
	return samePaths && reflect.DeepEqual(x, y)
}

// down reports whether an administrator wants no session. The lock must be held.
func (r *statusRecorder) down() bool { return r.wanted != nil && r.wanted.Down() }

// outdatedText says why an established session is not as desired now; empty when it is. The lock must be held.
func (r *statusRecorder) outdatedText() string {
	if r.state != v1beta1.BGPEstablished {
		return ""
	}
	return r.problem
}

// setState records a new state on the way to Established, or Idle. It does not wake readers: a router that is unreachable
// is dialed again and again.
func (r *statusRecorder) setState(next v1beta1.BGPSessionState) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.setStateLocked(next)
}

// setStateLocked changes the state. The lock must be held.
func (r *statusRecorder) setStateLocked(next v1beta1.BGPSessionState) {
	if r.state != next {
		r.state, r.since = next, time.Now()
	}
}

// connected reports whether there is a connection with the router.
func (r *statusRecorder) connected() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.state != stateIdle && r.state != stateConnect
}

// established records that the session is established, with what was negotiated.
func (r *statusRecorder) established(agreed *negotiated) {
	r.mu.Lock()
	r.setStateLocked(v1beta1.BGPEstablished)
	r.negotiated, r.failure, r.nextTry, r.rejected = *agreed, "", time.Time{}, false
	name := r.name
	r.mu.Unlock()
	r.log.Info("BGP session is up", "session", name)
	r.changed()
}

// setAdvertised records what the router has been told in all and of what is desired, and which changes were sent last.
func (r *statusRecorder) setAdvertised(desired *announce.Session, all *adjRIBOut, changes *routeChanges) {
	r.update(func() bool {
		same := changes.added == 0 && changes.removed == 0 && r.notAnnounced == all.notAnnounced &&
			slices.Equal(r.heldBack, all.heldBack) && r.told != nil && slices.Equal(r.told.Warnings, desired.Warnings)
		r.told, r.ipv4, r.ipv6, r.notAnnounced, r.heldBack = desired, all.ipv4, all.ipv6, all.notAnnounced, all.heldBack
		r.digest, r.nextHops = all.digest, all.nextHops
		r.announcements, r.withdrawals = r.announcements+changes.added, r.withdrawals+changes.removed
		return !same
	})
}

// setFlooded records whether the router sends more than we read.
func (r *statusRecorder) setFlooded(is bool) {
	r.update(func() bool {
		changed := r.flooded != is
		r.flooded = is
		if changed && is {
			r.log.Warn("BGP session is flooded", "session", r.name, "error", floodWarning)
		}
		return changed
	})
}

// connectionClosed records the end of a connection. An end that we intended is no failure.
func (r *statusRecorder) connectionClosed(reason *closeReason) {
	r.mu.Lock()
	established := r.state == v1beta1.BGPEstablished
	if established && reason.bfd && time.Since(r.since) > announce.BFDRestart {
		r.bfdEnded = time.Now()
	}
	r.setStateLocked(stateIdle)
	r.negotiated, r.told, r.ipv4, r.ipv6, r.notAnnounced, r.heldBack, r.flooded = negotiated{}, nil, 0, 0, "", nil, false
	if established && !reason.intended {
		r.lastDown, r.flaps = reason.text, r.flaps+1
	}
	name := r.name
	r.mu.Unlock()
	if !reason.intended && !established {
		r.attemptFailed(reason.text)
		return
	}
	if !reason.intended {
		r.mu.Lock()
		r.failure = reason.text
		r.mu.Unlock()
		r.log.Warn("BGP session went down", "session", name, "error", reason.text)
	}
	r.changed()
}

// waitingIn records what the session waits for, if it is still in a state.
func (r *statusRecorder) waitingIn(state v1beta1.BGPSessionState, text string) {
	r.update(func() bool {
		changed := r.state == state && r.failure != text
		if changed {
			r.failure = text
		}
		return changed
	})
}

// connectsAgain records when the session connects again, after a pause for a cause. What comes soon is not told.
func (r *statusRecorder) connectsAgain(next time.Time, pause time.Duration, c cause) {
	if pause < rejectedPause || pause < longPause && c < rejected {
		next = time.Time{}
	}
	r.update(func() bool {
		changed := r.nextTry != next || r.rejected != (c >= rejected)
		r.nextTry, r.rejected = next, c >= rejected
		return changed
	})
}

// attemptFailed records why the session is not established. A text that is recorded already is neither logged nor of
// interest to readers.
func (r *statusRecorder) attemptFailed(text string) {
	r.update(func() bool {
		changed := r.failure != text
		r.failure = text
		if changed {
			r.log.Warn("BGP session does not come up", "session", r.name, "error", text)
		}
		return changed
	})
}
