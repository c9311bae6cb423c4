package reconcile

import (
	"slices"

	"k8s.io/apimachinery/pkg/types"
)

// overlay is what we have written and not seen yet. It lies over the cache: as long as the cache shows a version that one
// of our writes was decided on, what that write made of it counts. Any other version is newer, since a write is refused
// when the Service changed in between, so it shows our write and perhaps more.
type overlay map[types.UID]*written

type written struct {
	// behind are the versions that our writes were decided on.
	behind []string
	record *record
}

// lay gives the newest that is known of each Service, and forgets what the cache has seen or what is gone.
func (o overlay) lay(cached []*record) []*record {
	if len(o) == 0 {
		return cached
	}
	newest := slices.Clone(cached)
	seen := make(map[types.UID]bool, len(o))
	for i, r := range newest {
		w := o[r.UID]
		if w == nil || !slices.Contains(w.behind, r.version) {
			continue
		}
		seen[r.UID] = true
		newest[i] = w.record
	}
	for uid := range o {
		if !seen[uid] {
			delete(o, uid)
		}
	}
	return newest
}

// put notes that a write decided on one version made a Service what it is now.
func (o overlay) put(decidedOn string, now *record) {
	w := o[now.UID]
	if w == nil {
		w = &written{}
		o[now.UID] = w
	}
	w.behind = append(w.behind, decidedOn)
	w.record = now
}
