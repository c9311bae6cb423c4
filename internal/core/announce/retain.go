package announce

import (
	"maps"
	"slices"
	"time"
)

// retireTime is for how long a router is told that a session ends, before it does: to look for other paths (RFC 8326).
const retireTime = 10 * time.Second

// trustTime is for how long at least after its start a speaker takes a session with a gateway for established that the process before it had, and
// that is not one any more: routers keep routes for as long.
const trustTime = 30 * time.Second

// SessionMemory is the sessions of a node over time. It keeps some that a plan does not have any more. The zero value is that of the
// first pass.
type SessionMemory struct {
	sessions []Session
	// replaced is since when all that replaces a session has been up, by the name of the session.
	replaced map[string]time.Time
	// maintained is since when a session is in Maintenance, by its name; the zero time: it has had no routes since.
	maintained map[string]time.Time
	// trusted is until when sessions of the process before this one count as established, by their name; nil before the first pass.
	trusted map[string]time.Time
}

// Next adds to the sessions of a plan those of the pass before that are to stay, and says when to ask again; 0: no need. Established has
// the sessions that are, by name.
//
// A session that comes into Maintenance keeps its paths, which retire, for some time.
//
// Where a peer's routers are unknown for the moment (an annotation has a mistake in it, or there is no default route), its sessions stay
// as they were but for the paths, with the problem of the session that stands for the unknown ones.
//
// A default gateway that others have replaced keeps its session as long as that is established, and until all sessions of the others have
// been for its hold time. Then it retires. So the new session comes before the old one ends; a link that flaps costs no session; and a
// gateway whose link is really gone, and that has not failed by then, is a router that works and is not meant any more. So it is with the
// Former ones that the process before this one had, in the first pass; they have some time to be established anew.
func (m *SessionMemory) Next(now time.Time, planned []Session, established map[string]bool) (sessions []Session, wait time.Duration) {
	planned, established, wait = m.trust(now, planned, established)
	before, since, maintained := m.sessions, m.replaced, m.maintained
	m.sessions, m.replaced, m.maintained = slices.Clone(planned), map[string]time.Time{}, map[string]time.Time{}
	for i := range before {
		session := before[i]
		successors := successorsOf(&session, planned)
		switch {
		case len(successors) == 0:
		case successors[0].RoutersUnknown:
			session.Problem, session.Retiring = successors[0].Problem, false
			session.administerAs(successors[0])
			m.sessions = append(m.sessions, session)
		case session.FromGateway && established[session.Name]:
			session.Problem = ""
			session.administerAs(successors[0])
			again, stays := m.retire(&session, now, since, allEstablished(successors, established))
			if stays {
				m.sessions, wait = append(m.sessions, session), sooner(wait, again)
			}
		}
	}
	for i := range m.sessions {
		s := &m.sessions[i]
		wait = sooner(wait, m.maintain(s, now, maintained, before, established[s.Name]))
	}
	return m.sessions, wait
}

// trust takes the Former ones out of some planned sessions: in the first pass they are sessions of the pass before. It returns the others, what
// counts as established, and when to ask again because that ends.
func (m *SessionMemory) trust(now time.Time, planned []Session, running map[string]bool) (meant []Session, established map[string]bool, wait time.Duration) {
	first := m.trusted == nil
	if first {
		m.trusted = map[string]time.Time{}
	}
	if running == nil {
		running = map[string]bool{}
	}
	for i := range planned {
		switch s := &planned[i]; {
		case !s.Former:
			meant = append(meant, *s)
		case first:
			m.sessions = append(m.sessions, *s)
			m.sessions[len(m.sessions)-1].Former = false
			m.trusted[s.Name] = now.Add(max(trustTime, s.RestartTime))
		}
	}
	established = running
	// order does not matter: all are asked alike, and the shortest wait counts
	for name, until := range m.trusted {
		left := until.Sub(now)
		if left <= 0 {
			delete(m.trusted, name)
			continue
		}
		if wait = sooner(wait, left); !running[name] {
			established = maps.Clone(established)
			established[name] = true
		}
	}
	return meant, established, wait
}

// retire says whether the session of a gateway that was replaced stays, and when to ask again; since is what replaced was.
func (m *SessionMemory) retire(s *Session, now time.Time, since map[string]time.Time, replaced bool) (wait time.Duration, stays bool) {
	s.Retiring = false
	if !replaced {
		return 0, true
	}
	began, known := since[s.Name]
	if !known {
		began = now
	}
	m.replaced[s.Name] = began
	left := s.HoldTime - now.Sub(began)
	if s.Retiring = left <= 0; !s.Retiring {
		return left, true
	}
	return left + retireTime, left+retireTime > 0
}

// successorsOf are the planned sessions of a session's peer, that which stands for unknown routers first; none when the session
// itself is planned, or its router is another peer's now.
func successorsOf(s *Session, planned []Session) (successors []*Session) {
	for i := range planned {
		next := &planned[i]
		switch {
		case next.Name == s.Name, next.Problem == "" && next.Address == s.Address && next.Port == s.Port && next.VRF == s.VRF:
			return nil
		case next.Peer == s.Peer && next.RoutersUnknown:
			successors = slices.Insert(successors, 0, next)
		case next.Peer == s.Peer:
			successors = append(successors, next)
		}
	}
	return successors
}

func allEstablished(sessions []*Session, established map[string]bool) bool {
	return !slices.ContainsFunc(sessions, func(s *Session) bool { return !established[s.Name] })
}

// sooner is the shorter of two waits; 0 is none.
func sooner(a, b time.Duration) time.Duration {
	if a == 0 || b == 0 {
		return max(a, b)
	}
	return min(a, b)
}
