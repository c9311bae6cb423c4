package bgp

import (
	"log/slog"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/osrg/gobgp/v4/api"
	"github.com/osrg/gobgp/v4/pkg/apiutil"
	"github.com/osrg/gobgp/v4/pkg/packet/bgp"

	"github.com/daymark-lb/daymark/api/v1beta1"
	"github.com/daymark-lb/daymark/internal/lb"
	"github.com/daymark-lb/daymark/speaker/announce"
)

// idle is the state a session is in until it dials.
const idle v1beta1.BGPSessionState = "Idle"

// refusal is what is said of a router that refused us until it has been asked why.
const refusal = "router refused our OPEN message"

// view is what is known of a session. GoBGP's callbacks write to it, and return at once.
type view struct {
	log     *slog.Logger
	changed func()        // Wakes whoever reads Speaker.Changes.
	idle    chan struct{} // Wakes session.tend.

	mu               sync.Mutex
	name, peer, addr string
	state            v1beta1.BGPSessionState
	since            time.Time
	// Why the session cannot be had; why it is not up; which prefixes are not announced; what is not heeded; and why it
	// last went down. The first that is not empty is the status's LastError.
	problem, failure, homeless, unheeded, loss string
	// told by GoBGP's log since the last change of state.
	told cause
	// lost: the session that ended had been up.
	lost bool
	// offered are the families that the router takes.
	offered                       []bgp.Family
	prefixes                      map[lb.Family]int
	flaps, additions, withdrawals int
}

func newView(log *slog.Logger, changed func()) *view {
	return &view{log: log, changed: changed, idle: make(chan struct{}, 1), state: idle, since: time.Now()}
}

// update changes the view under its lock and wakes the readers.
func (v *view) update(f func()) {
	v.mu.Lock()
	f()
	v.mu.Unlock()
	v.changed()
}

// describe takes what is desired, and why it cannot be had.
func (v *view) describe(desired *announce.Session, problem string) {
	address := ""
	if desired.Address.IsValid() {
		address = desired.Address.String()
	}
	v.mu.Lock()
	same := v.name == desired.Name && v.addr == address && v.problem == problem && v.unheeded == unheeded(desired)
	v.name, v.peer, v.addr, v.problem, v.unheeded = desired.Name, desired.Peer, address, problem, unheeded(desired)
	v.mu.Unlock()
	if !same {
		v.changed()
	}
}

// announced takes what was announced in all, and how many paths have changed.
func (v *view) announced(sent map[netip.Prefix]announced, added, withdrawn int, homeless string) {
	v.mu.Lock()
	same := added == 0 && withdrawn == 0 && v.homeless == homeless
	v.mu.Unlock()
	if same {
		return
	}
	prefixes := map[lb.Family]int{}
	for prefix := range sent {
		prefixes[lb.FamilyOf(prefix.Addr())]++
	}
	v.update(func() {
		v.prefixes, v.homeless = prefixes, homeless
		v.additions, v.withdrawals = v.additions+added, v.withdrawals+withdrawn
	})
}

// fail says why the session does not come up.
func (v *view) fail(words string) { v.update(func() { v.failure = words }) }

// hear takes a cause from GoBGP's log. While no session is up, it is at once the reason why not.
func (v *view) hear(found cause) {
	v.mu.Lock()
	up := v.state == v1beta1.BGPEstablished
	news := !up && v.failure != found.words
	v.told = found
	if !up {
		v.failure = found.words
	}
	name := v.name
	v.mu.Unlock()
	if found.refused {
		v.wakeIdle()
	}
	if news {
		v.log.Warn("BGP session does not come up", "session", name, "error", found.words)
		v.changed()
	}
}

// wakeIdle says that the session has gone idle, or is to.
func (v *view) wakeIdle() {
	select {
	case v.idle <- struct{}{}:
	default:
	}
}

// see takes a change of state from GoBGP.
func (v *view) see(s *settings, state apiutil.PeerState) {
	next := stateOf(state.SessionState)
	v.mu.Lock()
	before := v.state
	if next == before {
		v.mu.Unlock()
		return
	}
	v.state, v.since = next, time.Now()
	switch {
	case next == v1beta1.BGPEstablished:
		v.rise(s, state)
	case before == v1beta1.BGPEstablished:
		v.lost, v.loss, v.flaps = true, v.reason(state), v.flaps+1
		v.failure = v.loss
	case next == idle:
		v.failure = v.reason(state)
	}
	name, words := v.name, v.failure
	v.mu.Unlock()
	switch {
	case next == v1beta1.BGPEstablished:
		v.log.Info("BGP session is up", "session", name)
	case before == v1beta1.BGPEstablished:
		v.log.Warn("BGP session went down", "session", name, "error", words)
	}
	if next == idle {
		v.wakeIdle()
	}
	v.changed()
}

// rise takes the session's coming up. It is called with the lock held.
func (v *view) rise(s *settings, state apiutil.PeerState) {
	v.told, v.offered = cause{}, offered(state.RemoteCap)
	v.failure = missing(s, v.offered)
	if s.expectedASN() == 0 && state.PeerASN == s.asn() {
		v.told = cause{words: "the router is of our own AS, and must be of another"}
		v.failure = v.told.words
		v.wakeIdle()
	}
}

// rest makes the session idle because we want it so; that is no failure, and wakes no redial.
func (v *view) rest() {
	v.update(func() {
		if v.state != idle {
			v.state, v.since = idle, time.Now()
		}
	})
}

// takeEnd tells, once, how the session ended: whether it had been up, and whether the router refused our OPEN message
// for a reason not known.
func (v *view) takeEnd() (lost, refused bool) {
	v.mu.Lock()
	defer v.mu.Unlock()
	lost, refused = v.lost, v.told.refused
	v.lost, v.told = false, cause{}
	return lost, refused
}

// reason says why a session ended. What the log told comes before the event's own word. It is called with the lock held.
func (v *view) reason(state apiutil.PeerState) string {
	if v.told.words != "" {
		return v.told.words
	}
	switch state.DisconnectReason { //nolint:exhaustive // The others say it in words.
	case api.PeerState_DISCONNECT_REASON_READ_FAILED, api.PeerState_DISCONNECT_REASON_GRACEFUL_RESTART:
		return "router closed the connection"
	case api.PeerState_DISCONNECT_REASON_WRITE_FAILED:
		return "the connection broke while sending"
	case api.PeerState_DISCONNECT_REASON_INVALID_MSG:
		// A NOTIFICATION before the session is up: GoBGP expects none and does not read it.
		v.told = cause{words: refusal, refused: true}
		return refusal
	}
	return strings.ReplaceAll(state.DisconnectMessage, "-", " ")
}

func stateOf(state bgp.FSMState) v1beta1.BGPSessionState {
	switch state {
	case bgp.BGP_FSM_CONNECT:
		return "Connect"
	case bgp.BGP_FSM_ACTIVE:
		return "Active"
	case bgp.BGP_FSM_OPENSENT:
		return "OpenSent"
	case bgp.BGP_FSM_OPENCONFIRM:
		return "OpenConfirm"
	case bgp.BGP_FSM_ESTABLISHED:
		return v1beta1.BGPEstablished
	case bgp.BGP_FSM_IDLE:
	}
	return idle
}

// offered reads the families from a router's capabilities. One without any takes IPv4 (RFC 4760 section 8).
func offered(capabilities []bgp.ParameterCapabilityInterface) (families []bgp.Family) {
	for _, capability := range capabilities {
		if multi, ok := capability.(*bgp.CapMultiProtocol); ok {
			families = append(families, multi.CapValue)
		}
	}
	if len(families) == 0 {
		return []bgp.Family{bgp.RF_IPv4_UC}
	}
	return families
}

// missing says which families we want and the router does not take.
func missing(s *settings, offered []bgp.Family) string {
	var lacking []string
	for _, family := range []lb.Family{lb.IPv4, lb.IPv6} {
		if s.has(family) && !slices.Contains(offered, wireFamily(family)) {
			lacking = append(lacking, family.String())
		}
	}
	if len(lacking) == 0 {
		return ""
	}
	return "the router does not exchange " + strings.Join(lacking, " and ") + " unicast on this session"
}
