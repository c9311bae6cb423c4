package reconcile

import (
	"net/netip"
	"slices"
	"sync"

	"github.com/daymark-lb/daymark/api/v1beta1"
	"github.com/daymark-lb/daymark/internal/core/announce"
	"github.com/daymark-lb/daymark/internal/core/bfdsession"
	"github.com/daymark-lb/daymark/speaker/bfd"
	"github.com/daymark-lb/daymark/speaker/bgp"
)

// paths are those to routers that BFD watches. A session with a problem runs on as it was, and so does its BFD: what it
// was watched by is remembered. Sessions with the same router share one path.
type paths struct {
	mu sync.Mutex
	// last is by what each session was watched last, by name.
	last map[string]announce.BFDSession
	// shared are the sessions on a path, by the name of the first, which is the path's; former are those of the pass before: a
	// failure may be told under the name that the path had then.
	shared, former map[string][]string
	// parting are the sessions that are watched no more, as far as we are concerned: see of.
	parting map[string]bool
}

// path is what two sessions of BFD may not have in common.
type path struct {
	peer, local netip.Addr
	device      string
	multiHop    bool
}

// watch says which paths to watch for these sessions. Those that stand are established, and BFD is up.
func (p *paths) watch(sessions []announce.Session, stand map[string]bool) []announce.BFDSession {
	p.mu.Lock()
	defer p.mu.Unlock()
	parting := map[string]bool{}
	last, shared := make(map[string]announce.BFDSession, len(sessions)), map[string][]string{}
	first := map[path]string{}
	var list []announce.BFDSession
	for i := range sessions {
		parting[sessions[i].Name] = p.parts(&sessions[i])
		w, watched := p.of(&sessions[i], stand[sessions[i].Name])
		if !watched {
			continue
		}
		last[w.Name] = w
		at := path{w.Peer, w.Local, w.Device, w.MultiHop}
		name, taken := first[at]
		if !taken {
			name = w.Name
			first[at] = name
			list = append(list, w)
		}
		shared[name] = append(shared[name], w.Name)
	}
	p.last, p.shared, p.former, p.parting = last, shared, p.shared, parting
	return list
}

// of is by what a session is to be watched; false: by nothing. A router that was one hop away still is while our end of
// the link is down.
//
// When BFD is taken from a session that stands, we go on until it ends or the router has taken BFD from it, too, but heed no
// failure: FRR and BIRD take the word that we leave, AdminDown, for a failure, close the session and drop its routes.
func (p *paths) of(s *announce.Session, stands bool) (announce.BFDSession, bool) {
	before, known := p.last[s.Name]
	switch {
	case s.Problem != "":
		return before, known
	case !s.Address.IsValid():
		return announce.BFDSession{}, false
	case s.BFD == nil:
		return before, known && stands && before.Peer == s.Address
	}
	w := announce.BFDSession{Name: s.Name, Peer: s.Address, Local: s.Source, Device: s.VRF, MultiHop: s.MultiHopBFD, Profile: *s.BFD}
	if known && before.Peer == w.Peer && before.Local == w.Local && !s.MultiHop && !before.MultiHop {
		w.MultiHop = false
	}
	return w, true
}

// parts tells whether BFD is taken from a session; with a problem it is as it was.
func (p *paths) parts(s *announce.Session) bool {
	return s.BFD == nil && s.Problem == "" || s.Problem != "" && p.parting[s.Name]
}

// concerned are the sessions that a failure of the path of a name concerns.
func (p *paths) concerned(name string) []string {
	return slices.DeleteFunc(p.sharers(name), p.isParting)
}

// isParting reports whether a session is watched no more, as far as we are concerned.
func (p *paths) isParting(name string) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.parting[name]
}

// standing are the sessions that are established and whose BFD is up.
func (p *paths) standing(sessions []bgp.Status, watches []bfd.Status) map[string]bool {
	stand := map[string]bool{}
	for i := range watches {
		if watches[i].State == bfdsession.Up {
			for _, name := range p.sharers(watches[i].Name) {
				stand[name] = true
			}
		}
	}
	for i := range sessions {
		if sessions[i].State != v1beta1.BGPEstablished {
			delete(stand, sessions[i].Name)
		}
	}
	return stand
}

// sharers are the sessions on the path of a name.
func (p *paths) sharers(name string) []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	if _, known := p.shared[name]; !known {
		return slices.Clone(p.former[name])
	}
	return slices.Clone(p.shared[name])
}
