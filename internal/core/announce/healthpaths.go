package announce

import (
	"maps"

	"github.com/daymark-lb/daymark/internal/core/lb"
)

// maxHealthEdits is how many answers may stand beside the others before all are put together.
const maxHealthEdits = 1024

// HealthPaths are the answers to the health checks of Services on the fixed port. They never change; those of one pass share most of
// their memory with those of the next. The zero value has none.
type HealthPaths struct {
	// services in order of key, and how many endpoints of each are on this node: a map would take ten times the memory.
	services []*lb.Service
	local    []int32
	healthy  bool
	// edits count before them; nil: there is none any more.
	edits map[lb.Key]*Health
}

// NewHealthPaths returns those of a few Services.
func NewHealthPaths(of map[lb.Key]Health) HealthPaths {
	edits := make(map[lb.Key]*Health, len(of))
	for key, health := range of {
		edits[key] = &health
	}
	return HealthPaths{edits: edits}
}

// Of a Service; false when it has none.
func (p HealthPaths) Of(service lb.Key) (Health, bool) {
	if edited, known := p.edits[service]; known {
		if edited == nil {
			return Health{}, false
		}
		return *edited, true
	}
	i, known := findService(p.services, service)
	if !known {
		return Health{}, false
	}
	return Health{LocalEndpoints: int(p.local[i]), NodeHealthy: p.healthy}, true
}

// with are the answers in which those of some Services are as others have them, or gone. The others have no more. If there are many they are
// what all of them are when they are worked out anew.
func (p HealthPaths) with(of map[lb.Key]bool, now HealthPaths, anew func() HealthPaths) HealthPaths {
	edits := map[lb.Key]*Health{}
	// order does not matter: each Service stands for itself
	for key := range of {
		before, had := p.Of(key)
		switch after, has := now.Of(key); {
		case had == has && before == after:
		case has:
			edits[key] = &after
		default:
			edits[key] = nil
		}
	}
	switch {
	case len(edits) == 0:
		return p
	case len(edits)+len(p.edits) > maxHealthEdits:
		return anew()
	}
	both := make(map[lb.Key]*Health, len(p.edits)+len(edits))
	maps.Copy(both, p.edits)
	maps.Copy(both, edits)
	p.edits = both
	return p
}
