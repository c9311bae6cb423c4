package reconcile

import (
	"slices"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/daymark-lb/daymark/internal/core/ipam"
	"github.com/daymark-lb/daymark/internal/core/lb"
	"github.com/daymark-lb/daymark/internal/core/status"
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
	// untold are the addresses that the last write took, if nobody knows whether it was made: no Event has told of them.
	untold []ipam.Release
}

// newest returns the newest version that is known of each of the Services that the informer shows, which are in order of key. It forgets
// what the informer shows already, and what is gone. Writes of addresses that are under way count as if they may have been made.
func (a assumeCache) newest(cached []*cachedService, underWay []*serviceWrite) []*cachedService {
	if len(a) == 0 && len(underWay) == 0 {
		return cached
	}
	newest := slices.Clone(cached)
	// order does not matter: each is looked up for itself.
	for uid, known := range a {
		if i, found := find(cached, known.service); found && slices.Contains(known.decidedOn, cached[i].version) {
			newest[i] = known.service
		} else {
			delete(a, uid)
		}
	}
	for _, w := range underWay {
		if !w.urgency().ofAddress() {
			continue
		}
		if i, found := find(cached, w.service); found && w.service.version == newest[i].version {
			newest[i] = w.perhapsMade()
		}
	}
	return newest
}

// find finds a Service in a list in order of key, in whatever version.
func find(cached []*cachedService, s *cachedService) (int, bool) {
	i, found := slices.BinarySearchFunc(cached, s.Key, func(c *cachedService, key lb.Key) int { return c.Key.Compare(key) })
	return i, found && cached[i].UID == s.UID
}

// assume records the result of a write that was decided on a version.
func (a assumeCache) assume(decidedOn string, result *cachedService) {
	known := a[result.UID]
	if known == nil {
		known = &assumed{}
		a[result.UID] = known
	}
	known.decidedOn = append(known.decidedOn, decidedOn)
	known.service, known.untold = result, nil
}

// stillUntold are the addresses that a write of a Service takes, with those that one before took whose answer got lost, unless the Service
// is to have them again.
func (a assumeCache) stillUntold(s *cachedService, desired *status.Service, released []ipam.Release) []ipam.Release {
	known := a[s.UID]
	if known == nil || !s.Uncertain {
		return released
	}
	told := slices.Clone(released)
	for _, release := range known.untold {
		again := slices.ContainsFunc(desired.Ingress, func(i corev1.LoadBalancerIngress) bool { return i.IP == release.Addr.String() })
		if !again && !slices.ContainsFunc(told, func(r ipam.Release) bool { return r.Addr == release.Addr }) {
			told = append(told, release)
		}
	}
	return told
}
