package announce

import (
	"time"

	"github.com/daymark-lb/daymark/api/v1beta1"
	"github.com/daymark-lb/daymark/internal/core/lb"
)

// administer gives a session the paths for its peer, unless adminState is against it. BFD does not watch a session that is Down.
func (s *Session) administer(peer *lb.Peer, paths *limitedPaths) {
	s.AdminState = peer.AdminState
	switch peer.AdminState {
	case v1beta1.AdminDown:
		s.ShutdownMessage, s.BFD, s.BFDStrict = peer.ShutdownMessage, nil, false
	case v1beta1.AdminMaintenance:
		s.PathsBefore = paths.within
	default:
		s.Paths = paths.within
		s.Warnings = append(maximumWarnings(peer, s.Families, paths.all, paths.beyond), s.Warnings...)
	}
}

// administerAs gives a session that stays what another one of its peer was given.
func (s *Session) administerAs(other *Session) {
	s.AdminState, s.ShutdownMessage = other.AdminState, other.ShutdownMessage
	s.Paths, s.PathsBefore, s.Warnings = other.Paths, other.PathsBefore, other.Warnings
	if s.Down() {
		s.BFD, s.BFDStrict = nil, false
	}
}

// Down reports whether an administrator wants no session.
func (s *Session) Down() bool { return s.AdminState == v1beta1.AdminDown }

// stays reports whether a session is left as it is, since it cannot be changed. It can always be ended.
func (s *Session) stays() bool { return s.Problem != "" && !s.Down() }

// maintain retires the paths of a session that comes into Maintenance, and says when to ask again; 0: no need. Since is when each
// session did, and before are the sessions of the pass before. One that carried no routes has none to retire: it was not established,
// or Down, or another process has retired them.
func (m *SessionMemory) maintain(s *Session, now time.Time, since map[string]time.Time, before []Session, established bool) time.Duration {
	if s.AdminState != v1beta1.AdminMaintenance {
		return 0
	}
	began, known := since[s.Name]
	if !known && established && wasUp(before, s.Name) {
		began = now
	}
	m.maintained[s.Name] = began
	left := began.Add(retireTime).Sub(now)
	if left <= 0 {
		return 0
	}
	s.Paths, s.Retiring = s.PathsBefore, true
	return left
}

// wasUp reports whether a session was among some, and its adminState was Up.
func wasUp(sessions []Session, name string) bool {
	for i := range sessions {
		if s := &sessions[i]; s.Name == name {
			return s.AdminState != v1beta1.AdminDown && s.AdminState != v1beta1.AdminMaintenance
		}
	}
	return false
}
