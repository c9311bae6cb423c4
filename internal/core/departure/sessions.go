package departure

import (
	"slices"

	"github.com/daymark-lb/daymark/internal/core/announce"
	"github.com/daymark-lb/daymark/internal/core/lb"
)

// Stage is how far the BGP sessions of a node that leaves are.
type Stage int32

// The stages, in order.
const (
	// Announcing: the node does not leave.
	Announcing Stage = iota
	// Unpreferred: paths are announced as the least preferred ones, with the community GRACEFUL_SHUTDOWN (RFC 8326).
	// Routers that heed it use others and have these until they do.
	Unpreferred
	// Withdrawn: nothing is announced any more.
	Withdrawn
)

// gracefulShutdown is the community GRACEFUL_SHUTDOWN (RFC 8326 section 5).
var gracefulShutdown = lb.Community{Parts: [3]uint32{0, 0xffff, 0}}

// Sessions are the sessions of a node at a stage of its leaving, for a reason. Those that retire are unpreferred though the node
// stays. The sessions and their paths are not changed: paths and attributes that sessions share are shared by the new ones, too.
func Sessions(sessions []announce.Session, stage Stage, why string) []announce.Session {
	if stage == Announcing && !slices.ContainsFunc(sessions, func(s announce.Session) bool { return s.Retiring }) {
		return sessions
	}
	leaving := slices.Clone(sessions)
	u := unpreferred{paths: map[*announce.Path][]announce.Path{}, attributes: map[*announce.Attributes]*announce.Attributes{}}
	for i := range leaving {
		s := &leaving[i]
		switch {
		case stage == Withdrawn:
			s.Leaving, s.Paths = why, nil
		case stage == Unpreferred:
			s.Leaving, s.Paths = why, u.of(s.Paths)
		case s.Retiring:
			s.Paths = u.of(s.Paths)
		}
	}
	return leaving
}

// unpreferred makes the least preferred of paths, each list and each set of attributes once.
type unpreferred struct {
	paths      map[*announce.Path][]announce.Path
	attributes map[*announce.Attributes]*announce.Attributes
}

func (u *unpreferred) of(paths []announce.Path) []announce.Path {
	if len(paths) == 0 {
		return nil
	}
	made := u.paths[&paths[0]]
	if len(made) == len(paths) {
		return made
	}
	made = slices.Clone(paths)
	for i := range made {
		made[i].Attributes = u.attributesOf(made[i].Attributes)
	}
	u.paths[&paths[0]] = made
	return made
}

// attributesOf are attributes with the community and the lowest LOCAL_PREF, which internal routers are sent (RFC 8326
// section 4.1).
func (u *unpreferred) attributesOf(from *announce.Attributes) *announce.Attributes {
	made := u.attributes[from]
	if made == nil {
		changed := *from
		changed.LocalPref = new(uint32)
		changed.Communities = append(slices.Clone(from.Communities), gracefulShutdown)
		slices.SortFunc(changed.Communities, lb.Community.Compare)
		changed.Communities = slices.Compact(changed.Communities)
		made = &changed
		u.attributes[from] = made
	}
	return made
}
