package announce

import (
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"time"

	"github.com/daymark-lb/daymark/api/v1beta1"
)

// BFDRestart is how soon after BGP is established some routers begin BFD anew, which looks like a failure of the path.
const BFDRestart = 5 * time.Second

// maxHoldDown is the longest holdDown of a BFDProfile.
const maxHoldDown = time.Hour

// rememberFor is how long the failure of a session that is away is remembered: BFD may come up just before holdDown ends, and then it
// begins anew.
const rememberFor = 2 * maxHoldDown

// BFDPath is how BFD has been that watches a BGP session.
type BFDPath struct {
	// Router is the address of the other end, and VRF the one that it is in; empty: none.
	Router netip.Addr
	VRF    string
	// Failed is when it last failed; the zero time: never, or it has been taken down on purpose since. Up is since when it is up; the
	// zero time: it is not.
	Failed, Up time.Time
	// Established is since when the BGP session is established; the zero time: it is not.
	Established time.Time
	// Ended is when it last failed while the BGP session was established, and had been for longer than BFDRestart; the zero time: never.
	Ended time.Time
}

// HoldDowns remembers which BGP sessions have no paths because their BFD has failed. The zero value is that of the first pass.
type HoldDowns struct{ holds map[string]hold }

// hold is a failure that ended a session with a router, at ended. It was last followed by another one at last; the same time: by none.
type hold struct {
	router      netip.Addr
	vrf         string
	ended, last time.Time
	over        bool
}

// Next are sessions, of which those have no paths whose BFD has ended them and has not been up without a break for the holdDown of its
// BFDProfile since; and when to ask again, 0: when something happens. One that has been established for that time, and whose BFD has not
// come up, has its paths again: a path that nobody watches is better than none. Paths has how BFD has been, by the name of the session. The
// sessions given are not changed.
//
// They are established all the same: some routers begin BFD with a dynamic neighbor when that connects. A failure is remembered while
// its session is away, as that of a default gateway is whose link fails, and goes with the router when that has another name.
func (h *HoldDowns) Next(now time.Time, sessions []Session, paths map[string]BFDPath) (held []Session, wait time.Duration) {
	h.note(now, paths)
	h.follow(sessions)
	held = slices.Clone(sessions)
	for i := range held {
		s := &held[i]
		path, is := paths[s.Name], h.holds[s.Name]
		if is.ended.IsZero() || is.over {
			continue
		}
		end, known := is.until(s, &path)
		if is.over = is.ofAnother(s) || known && !end.After(now); !is.over {
			s.holdDown()
		}
		if known && !is.over {
			wait = sooner(wait, end.Sub(now))
		}
		h.holds[s.Name] = is
	}
	return held, wait
}

// note remembers the failures of those that have some, and for a time those of sessions that are away.
func (h *HoldDowns) note(now time.Time, paths map[string]BFDPath) {
	before := h.holds
	h.holds = map[string]hold{}
	// order does not matter: each session stands for itself.
	for name, was := range before {
		if now.Sub(was.last) < rememberFor {
			h.holds[name] = was
		}
	}
	for name, path := range paths {
		if is := before[name].next(&path); !is.ended.IsZero() {
			h.holds[name] = is
		}
	}
}

// follow gives a session the failure of its router that came under another name: the one that its BGPPeer had, or that of a BGPPeer which has
// left the router to it. BGP says of a session that goes on what it said before, under the name that it has now.
func (h *HoldDowns) follow(sessions []Session) {
	if len(h.holds) == 0 {
		return
	}
	before, named := maps.Clone(h.holds), make(map[string]*Session, len(sessions))
	for i := range sessions {
		named[sessions[i].Name] = &sessions[i]
	}
	for i := range sessions {
		s := &sessions[i]
		if own, has := before[s.Name]; !s.Address.IsValid() || has && !own.ofAnother(s) {
			continue
		}
		var newest hold
		// order does not matter: the newest counts.
		for name, is := range before {
			if other := named[name]; !is.router.IsValid() || is.ofAnother(s) || other != nil && !is.ofAnother(other) {
				continue
			}
			if is.ended.After(newest.ended) {
				newest, h.holds[s.Name] = is, is
			}
			if named[name] == nil {
				delete(h.holds, name)
			}
		}
	}
}

// next is a hold after what has become of BFD.
func (h hold) next(path *BFDPath) hold {
	if path.Ended.After(h.ended) {
		h = hold{router: path.Router, vrf: path.VRF, ended: path.Ended, last: path.Ended}
	}
	if !h.over && !h.ended.IsZero() && path.Failed.After(h.last) {
		h.last = path.Failed
	}
	return h
}

// ofAnother reports whether the session is with another router now. Where the address of one is not known it is taken for the same.
func (h hold) ofAnother(s *Session) bool {
	return h.router.IsValid() && s.Address.IsValid() && (h.router != s.Address || h.vrf != s.VRF)
}

// until is when a session that is held has paths again; not known while BFD is not up and BGP not established: that must happen first.
func (h hold) until(s *Session, path *BFDPath) (end time.Time, known bool) {
	if s.BFD == nil || s.BFD.HoldDown == 0 {
		return time.Time{}, true
	}
	established := !path.Established.IsZero()
	unwatched := h.last
	if path.Established.After(unwatched) {
		unwatched = path.Established
	}
	end = unwatched.Add(s.BFD.HoldDown)
	if path.Up.After(h.last) && (!established || path.Up.Before(end)) {
		return path.Up.Add(s.BFD.HoldDown), true
	}
	return end, established
}

// holdDown takes a session's paths and says why, but for one in Maintenance, which loses them anyway. One that has none is left as it is.
func (s *Session) holdDown() {
	if len(s.Paths) == 0 {
		return
	}
	s.Paths, s.HeldDown = nil, true
	if s.AdminState != v1beta1.AdminMaintenance {
		text := fmt.Sprintf("BFD has failed: nothing is announced before it has been up for %s, or has not come up for as long (holdDown)", s.BFD.HoldDown)
		s.Warnings = append([]string{text}, s.Warnings...)
	}
}
