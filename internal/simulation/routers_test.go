package simulation

import (
	"context"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/daymark-lb/daymark/api/v1beta1"
	"github.com/daymark-lb/daymark/internal/core/announce"
	"github.com/daymark-lb/daymark/internal/core/lb"
	"github.com/daymark-lb/daymark/speaker/bgp"
)

// routers are those of the network, each with what each node has told it.
type routers struct {
	*world
	mu     sync.Mutex
	tables map[nodeRouter]*table
}

// nodeRouter is one node's session with one router.
type nodeRouter struct {
	node   string
	router netip.Addr
}

// table is what a router has of a node.
type table struct {
	routes map[netip.Prefix]bool
	// stale is until when the router keeps it though there is no session (RFC 4724); zero: there is one.
	stale time.Time
}

// maxConnecting is how long it takes to establish a session, and maxAway how long a router is away that restarts.
const maxConnecting, maxAway = 300 * time.Millisecond, 5 * time.Second

// of returns what a router has of a node now. The caller holds the lock.
func (r *routers) of(at nodeRouter) *table {
	t := r.tables[at]
	if t == nil {
		t = &table{}
		r.tables[at] = t
	}
	if !t.stale.IsZero() && time.Now().After(t.stale) {
		t.routes, t.stale = nil, time.Time{}
	}
	return t
}

// told are the routes that a router has of a node, in order.
func (r *routers) told(at nodeRouter) (routes []netip.Prefix) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for prefix := range r.of(at).routes {
		routes = append(routes, prefix)
	}
	slices.SortFunc(routes, netip.Prefix.Compare)
	return routes
}

// simulatedBGP is what a process does by BGP: it holds sessions with routers that always answer.
type simulatedBGP struct {
	*routers
	p       *process
	node    string
	changes chan struct{}

	// The lock of the routers guards these.
	sessions map[string]*simulatedSession
	ended    bool
}

type simulatedSession struct {
	announce.Session
	state v1beta1.BGPSessionState
	since time.Time
	// told: the router has been sent the first routes.
	told bool
	// tries counts them, so that what was to become of an earlier one is not done.
	tries int
}

func (r *routers) start(p *process, node string) *simulatedBGP {
	return &simulatedBGP{routers: r, p: p, node: node, changes: make(chan struct{}, 1), sessions: map[string]*simulatedSession{}}
}

// Set implements reconcile.BGP.
func (b *simulatedBGP) Set(_ context.Context, desired []announce.Session) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.ended {
		return nil
	}
	names := map[string]bool{}
	for i := range desired {
		names[desired[i].Name] = true
	}
	for name, s := range b.sessions { // order does not matter: each ends by itself
		if !names[name] {
			delete(b.sessions, name)
			b.cease(s)
		}
	}
	for i := range desired {
		b.set(&desired[i])
	}
	return nil
}

// set one session.
func (b *simulatedBGP) set(d *announce.Session) {
	s := b.sessions[d.Name]
	if d.Problem != "" || d.RoutersUnknown {
		if s != nil {
			s.Paths = d.Paths
			b.tell(s)
		}
		return
	}
	if s != nil && bgp.Resets(&s.Session, d) {
		b.cease(s)
		s = nil
	}
	if s == nil {
		s = &simulatedSession{state: v1beta1.BGPIdle, since: time.Now()}
		b.sessions[d.Name] = s
	}
	s.Session = *d
	switch {
	case s.Down():
		b.cease(s)
		s.state, s.told = v1beta1.BGPIdle, false
	case s.state == v1beta1.BGPIdle && !s.Hold:
		b.connect(s, 0)
	default:
		b.tell(s)
	}
}

// connect a session after a while.
func (b *simulatedBGP) connect(s *simulatedSession, after time.Duration) {
	s.state, s.since, s.told = v1beta1.BGPActive, time.Now(), false
	s.tries++
	try := s.tries
	r, _ := b.p.lotOf("connects " + s.Name)
	b.later(after+time.Duration(r.Int64N(int64(maxConnecting))), s, try, func() {
		s.state, s.since = v1beta1.BGPEstablished, time.Now()
		b.note("%s has session %s", b.p.id, s.Name)
		b.later(s.UpdateAfter, s, try, func() {
			s.told = true
			b.tell(s)
		})
	})
}

// later does something about a session if it is the same try then. It wakes the loop.
func (b *simulatedBGP) later(after time.Duration, s *simulatedSession, try int, do func()) {
	time.AfterFunc(after, func() {
		b.mu.Lock()
		defer b.mu.Unlock()
		if !b.ended && b.sessions[s.Name] == s && s.tries == try {
			do()
			wake(b.changes)
		}
	})
}

// tell the router what it has not been told, if there is a session.
func (b *simulatedBGP) tell(s *simulatedSession) {
	if !s.told {
		return
	}
	routes := map[netip.Prefix]bool{}
	for i := range s.Paths {
		if slices.Contains(s.Families, lb.FamilyOf(s.Paths[i].Prefix.Addr())) {
			routes[s.Paths[i].Prefix] = true
		}
	}
	b.replace(s, routes)
}

// cease ends a session for good: the router drops its routes.
func (b *simulatedBGP) cease(s *simulatedSession) {
	if s.told {
		b.replace(s, nil)
	}
	s.tries++
}

// replace what the router has.
func (b *simulatedBGP) replace(s *simulatedSession, routes map[netip.Prefix]bool) {
	t := b.of(nodeRouter{b.node, s.Address})
	before := t.routes
	t.routes, t.stale = routes, time.Time{}
	b.judge.routes(b.p, b.node, s.Peer, before, routes)
}

// restart has a router restart its sessions with a node: it keeps the routes meanwhile, as the node does.
func (b *simulatedBGP) restart(away time.Duration) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, s := range b.sessions { // order does not matter: each is lost by itself
		if !b.ended && s.state == v1beta1.BGPEstablished {
			b.lose(s)
			b.connect(s, away)
		}
	}
	wake(b.changes)
}

// lose a session that may come back.
func (b *simulatedBGP) lose(s *simulatedSession) {
	if s.told {
		b.of(nodeRouter{b.node, s.Address}).stale = time.Now().Add(s.RestartTime)
	}
	s.told = false
}

// end is the end of the process: its connections are closed, and nobody says why.
func (b *simulatedBGP) end() {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, s := range b.sessions { // order does not matter: each is lost by itself
		b.lose(s)
	}
	b.ended = true
}

// Status implements reconcile.BGP.
func (b *simulatedBGP) Status() (list []bgp.Status) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for name, s := range b.sessions { // order does not matter: they are sorted
		status := bgp.Status{Name: name, Peer: s.Peer, Address: s.Address.String(), State: s.state, Since: s.since, Down: s.Down()}
		if s.state == v1beta1.BGPEstablished {
			status.Families, status.HoldTime, status.Behind = slices.Clone(s.Families), s.HoldTime, !s.told
			for i := range s.Paths {
				if s.told && s.Paths[i].Prefix.Addr().Is4() {
					status.IPv4++
				} else if s.told {
					status.IPv6++
				}
			}
		}
		list = append(list, status)
	}
	slices.SortFunc(list, func(a, b bgp.Status) int { return strings.Compare(a.Name, b.Name) })
	return list
}

// Changes implements reconcile.BGP.
func (b *simulatedBGP) Changes() <-chan struct{} { return b.changes }

// BFDDown implements reconcile.BGP: nothing is watched by BFD.
func (b *simulatedBGP) BFDDown(string, string) {}

// BFDUp implements reconcile.BGP.
func (b *simulatedBGP) BFDUp(string) {}
