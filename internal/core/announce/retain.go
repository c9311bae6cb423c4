package announce

import "slices"

// RetainSessions adds to the sessions of a plan those of the plan before that are missing only because their peer's
// routers are unknown for the moment: an annotation has a mistake in it, or the default route is being replaced. They stay
// as they were but for the paths, and with the problem of the session that stands for the unknown ones.
func RetainSessions(before, now []Session) []Session {
	unknown, named := map[string]*Session{}, make(map[string]bool, len(now))
	for i := range now {
		named[now[i].Name] = true
		if now[i].RoutersUnknown {
			unknown[now[i].Peer] = &now[i]
		}
	}
	all := slices.Clip(now)
	for _, session := range before {
		if placeholder := unknown[session.Peer]; placeholder != nil && !named[session.Name] {
			session.Problem, session.Paths = placeholder.Problem, placeholder.Paths
			all = append(all, session)
		}
	}
	return all
}
