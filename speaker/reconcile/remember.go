package reconcile

import (
	"slices"

	"github.com/daymark-lb/daymark/internal/core/announce"
)

// remember adds to the sessions of a plan those of the plan before that have no place in it only because it is not known for
// the moment which routers their peer has: an annotation with a slip of the pen, a default route that is being replaced.
func remember(before, now []announce.Session) []announce.Session {
	unknown, named := map[string]*announce.Session{}, make(map[string]bool, len(now))
	for i := range now {
		named[now[i].Name] = true
		if now[i].RoutersUnknown {
			unknown[now[i].Peer] = &now[i]
		}
	}
	all := slices.Clip(now)
	for _, session := range before {
		if why := unknown[session.Peer]; why != nil && !named[session.Name] {
			session.Problem, session.Paths = why.Problem, why.Paths
			all = append(all, session)
		}
	}
	return all
}
