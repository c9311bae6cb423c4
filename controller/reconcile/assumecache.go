package reconcile

import (
	"slices"

	"k8s.io/apimachinery/pkg/types"
)

// assumeCache holds the Services that the loop has written and the informer's cache does not show yet, as kube-scheduler's
// cache of assumed Pods does. As long as the informer shows a version that one of our writes was decided on, the result of the
// last write counts. Any other version is newer and includes our writes, since the API server refuses a write whose Service
// changed in between.
type assumeCache map[types.UID]*assumed

type assumed struct {
	// decidedOn are the versions that our writes were decided on.
	decidedOn []string
	service   *cachedService
}

// newest returns the newest version that is known of each Service, and forgets those that the informer shows or that are gone.
// Writes that are under way count as if they may have been made.
func (a assumeCache) newest(cached []*cachedService, underWay []*serviceWrite) []*cachedService {
	if len(a) == 0 && len(underWay) == 0 {
		return cached
	}
	writing := make(map[types.UID]*serviceWrite, len(underWay))
	for _, w := range underWay {
		writing[w.service.UID] = w
	}
	newest := slices.Clone(cached)
	behind := make(map[types.UID]bool, len(a))
	for i, s := range newest {
		if known := a[s.UID]; known != nil && slices.Contains(known.decidedOn, s.version) {
			behind[s.UID] = true
			newest[i] = known.service
		}
		if w := writing[s.UID]; w != nil && w.service.version == newest[i].version {
			newest[i] = w.perhapsMade()
		}
	}
	for uid := range a {
		if !behind[uid] {
			delete(a, uid)
		}
	}
	return newest
}

// assume records the result of a write that was decided on a version.
func (a assumeCache) assume(decidedOn string, result *cachedService) {
	known := a[result.UID]
	if known == nil {
		known = &assumed{}
		a[result.UID] = known
	}
	known.decidedOn = append(known.decidedOn, decidedOn)
	known.service = result
}
