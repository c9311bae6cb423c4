package announce

import (
	"fmt"
	"net/netip"
	"slices"

	"github.com/daymark-lb/daymark/internal/core/lb"
)

// BFDSession is a BFD session that is wanted.
type BFDSession struct {
	// Name of the session, for status, metrics and the log. No two sessions have the same name. A session that gets
	// another name goes on as it is.
	Name string
	// Peer is the address of the other system; a link-local address carries its zone.
	Peer netip.Addr
	// Local is the address to send from; invalid: the one that the routing table gives.
	Local netip.Addr
	// Device is the VRF to send and receive in; empty: none.
	Device string
	// MultiHop: the peer is more than one hop away (RFC 5883).
	MultiHop bool
	// Profile holds the parameters. Zero values are those of an empty BFDProfile; the executor brings others within its
	// limits: intervals from 10 ms to 1 min, multiplier from 1 to 255. MinimumTTL is for MultiHop only: some routers
	// (BIRD) send with a TTL of 64, and their packets are dropped unless MinimumTTL is lower.
	Profile lb.BFDProfile
}

// BFDPlan is which routers BFD watches, for which BGP sessions. It is computed from the plan before, because a session
// with a problem goes on as it was, and so does its BFD. A plan does not change once it is made. The zero value is the plan
// before the first.
type BFDPlan struct {
	// Sessions that are wanted, each path once.
	Sessions []BFDSession

	// last is by which BFD session each BGP session is watched, by its name.
	last map[string]BFDSession
	// shared are the BGP sessions on a path, by the name of the first, which is the name of the BFD session. former are
	// those of the plan before: a failure may be reported under the name that the path had then.
	shared, former map[string][]string
	// ending are the BGP sessions from which BFD has been taken: see watch.
	ending map[string]bool
}

// bfdPath is what two BFD sessions must not have in common.
type bfdPath struct {
	peer, local netip.Addr
	device      string
	multiHop    bool
}

// unwatchOwn takes BFD from a session with a router that is on this node: its packets would come back to this speaker, whose BFD session would
// be up with itself, whatever becomes of the router.
func (r *rules) unwatchOwn(s *Session) {
	if s.BFD == nil || !r.isOwn(s.Address, s.VRF) {
		return
	}
	s.BFD, s.BFDStrict = nil, false
	text := fmt.Sprintf("bfdProfile is not used: %s is an address of this node, and BFD would be up with itself", s.Address)
	s.Warnings = append(slices.Clip(s.Warnings), text)
}

// isOwn reports whether this node has an address itself. Within a VRF only loopback addresses are told: another VRF may have the same ones.
func (r *rules) isOwn(addr netip.Addr, vrf string) bool {
	if vrf != "" || addr.IsLoopback() {
		return addr.IsLoopback()
	}
	return slices.ContainsFunc(r.world.OwnLinks, func(link lb.Link) bool {
		if zone := addr.Zone(); zone != "" && zone != link.Name {
			return false
		}
		bare := addr.WithZone("")
		return slices.ContainsFunc(link.Addresses, func(p netip.Prefix) bool { return p.Addr() == bare }) ||
			slices.ContainsFunc(link.Local, func(p netip.Prefix) bool { return p.Contains(bare) })
	})
}

// Next is the plan for these BGP sessions. Stable are those that are established and whose BFD session is up.
func (p *BFDPlan) Next(sessions []Session, stable map[string]bool) *BFDPlan {
	next := &BFDPlan{
		last: make(map[string]BFDSession, len(sessions)), shared: map[string][]string{}, former: p.shared, ending: map[string]bool{},
	}
	first := map[bfdPath]string{}
	for i := range sessions {
		s := &sessions[i]
		next.ending[s.Name] = p.isEnding(s)
		wanted, watched := p.watch(s, stable[s.Name])
		if !watched {
			continue
		}
		next.last[wanted.Name] = wanted
		path := bfdPath{wanted.Peer, wanted.Local, wanted.Device, wanted.MultiHop}
		name, taken := first[path]
		if !taken {
			name = wanted.Name
			first[path] = name
			next.Sessions = append(next.Sessions, wanted)
		}
		next.shared[name] = append(next.shared[name], wanted.Name)
	}
	return next
}

// watch returns the BFD session that is to watch a BGP session; false if none. A router that was one hop away still is
// while our end of the link is down.
//
// When BFD is taken from a stable session, it goes on until the session ends or the router has taken BFD from it, too, and
// its failures are ignored. FRR and BIRD take AdminDown, which says that we stop, for a failure: they would close the
// session and drop its routes.
func (p *BFDPlan) watch(s *Session, stable bool) (BFDSession, bool) {
	before, known := p.last[s.Name]
	switch {
	case s.stays():
		return before, known
	case !s.Address.IsValid():
		return BFDSession{}, false
	case s.BFD == nil:
		return before, known && stable && before.Peer == s.Address
	}
	wanted := BFDSession{Name: s.Name, Peer: s.Address, Local: s.Source, Device: s.VRF, MultiHop: s.MultiHopBFD, Profile: *s.BFD}
	if known && before.Peer == wanted.Peer && before.Local == wanted.Local && !s.MultiHop && !before.MultiHop {
		wanted.MultiHop = false
	}
	return wanted, true
}

// isEnding reports whether BFD has been taken from a session; with a problem it is as it was.
func (p *BFDPlan) isEnding(s *Session) bool {
	if s.stays() {
		return p.ending[s.Name]
	}
	return s.BFD == nil
}

// Affected are the BGP sessions to close when the BFD session of a name fails.
func (p *BFDPlan) Affected(name string) []string {
	return slices.DeleteFunc(slices.Clone(p.Sharing(name)), p.Ending)
}

// Ending reports whether BFD has been taken from a BGP session, so that failures are ignored.
func (p *BFDPlan) Ending(session string) bool { return p.ending[session] }

// Sharing are the BGP sessions that the BFD session of a name watches; not to be changed.
func (p *BFDPlan) Sharing(name string) []string {
	if sessions, known := p.shared[name]; known {
		return sessions
	}
	return p.former[name]
}

// Watched are the BGP sessions that some BFD sessions of this plan, given by name, watch.
func (p *BFDPlan) Watched(names []string) map[string]bool {
	watched := map[string]bool{}
	for _, name := range names {
		for _, session := range p.Sharing(name) {
			watched[session] = true
		}
	}
	return watched
}

// HoldForBFD are sessions of which those that BFD watches are held unless they are settled, and those in strict mode wait unless
// their BFD is passable. A router that has the BFD session of an earlier process still up keeps our routes as long as BGP is down.
// If BGP is established when that fails, it drops them.
func HoldForBFD(sessions []Session, settled, passable map[string]bool) []Session {
	held := slices.Clone(sessions)
	for i := range held {
		s := &held[i]
		s.Hold = s.BFD != nil && !settled[s.Name]
		s.AwaitBFD = s.BFDStrict && !passable[s.Name]
	}
	return held
}

// BFDSeen remembers with which routers BFD has been up, by the name of the BGP session. The zero value remembers none.
type BFDSeen struct{ routers map[string]netip.Addr }

// Next sets BFDSeen of sessions, given how BFD is now, and forgets those that are not among them any more.
func (b *BFDSeen) Next(sessions []Session, paths map[string]BFDPath) {
	routers := map[string]netip.Addr{}
	for i := range sessions {
		s := &sessions[i]
		path := paths[s.Name]
		if s.BFD == nil || !s.Address.IsValid() || b.routers[s.Name] != s.Address && (path.Up.IsZero() || path.Router != s.Address) {
			continue
		}
		s.BFDSeen, routers[s.Name] = true, s.Address
	}
	b.routers = routers
}

// Stable are the BGP sessions that are watched by one of the BFD sessions that are up, given by name, and are established;
// established has every session that runs.
func (p *BFDPlan) Stable(established map[string]bool, up []string) map[string]bool {
	stable := map[string]bool{}
	for _, name := range up {
		for _, session := range p.Sharing(name) {
			is, runs := established[session]
			stable[session] = is || !runs
		}
	}
	return stable
}
