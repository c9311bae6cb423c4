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
func (a assumeCache) newest(cached []*cachedService) []*cachedService {
	if len(a) == 0 {
		return cached
	}
	newest := slices.Clone(cached)
	behind := make(map[types.UID]bool, len(a))
	for i, s := range newest {
		known := a[s.UID]
		if known == nil || !slices.Contains(known.decidedOn, s.version) {
			continue
		}
		behind[s.UID] = true
		newest[i] = known.service
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
