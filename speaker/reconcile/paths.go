package reconcile

import (
	"net/netip"
	"slices"
	"sync"

	"github.com/daymark-lb/daymark/speaker/announce"
	"github.com/daymark-lb/daymark/speaker/bfd"
)

// paths are those to routers that BFD watches. A session with a problem runs on as it was, and so does its BFD: what it
// was watched by is remembered. Sessions with the same router share one path.
type paths struct {
	mu sync.Mutex
	// last is by what each session was watched last, by name.
	last map[string]bfd.Session
	// shared are the sessions on a path, by the name of the first, which is the path's; former are those of the pass before: a
	// failure may be told under the name that the path had then.
	shared, former map[string][]string
}

// path is what two sessions of BFD may not have in common.
type path struct {
	peer, local netip.Addr
	device      string
	multiHop    bool
}

// watch says which paths to watch for these sessions.
func (p *paths) watch(sessions []announce.Session) []bfd.Session {
	p.mu.Lock()
	defer p.mu.Unlock()
	last, shared := make(map[string]bfd.Session, len(sessions)), map[string][]string{}
	first := map[path]string{}
	var list []bfd.Session
	for i := range sessions {
		w, watched := p.of(&sessions[i])
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
	p.last, p.shared, p.former = last, shared, p.shared
	return list
}

// of is by what a session is to be watched; false: by nothing. A router that was one hop away still is while our end of
// the link is down.
func (p *paths) of(s *announce.Session) (bfd.Session, bool) {
	before, known := p.last[s.Name]
	if s.Problem != "" {
		return before, known
	}
	if s.BFD == nil || !s.Address.IsValid() {
		return bfd.Session{}, false
	}
	w := bfd.Session{Name: s.Name, Peer: s.Address, Local: s.Source, Device: s.VRF, MultiHop: s.Distant, Profile: *s.BFD}
	if known && before.Peer == w.Peer && before.Local == w.Local && !s.MultiHop && !before.MultiHop {
		w.MultiHop = false
	}
	return w, true
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
