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
	all map[lb.Key]Health
	// edits count before all; nil: there is none any more.
	edits map[lb.Key]*Health
}

// NewHealthPaths returns those of a map, which must not be changed any more.
func NewHealthPaths(all map[lb.Key]Health) HealthPaths { return HealthPaths{all: all} }

// Of a Service; false when it has none.
func (p HealthPaths) Of(service lb.Key) (Health, bool) {
	if edited, known := p.edits[service]; known {
		if edited == nil {
			return Health{}, false
		}
		return *edited, true
	}
	health, known := p.all[service]
	return health, known
}

// with are the answers in which those of some Services are as a map has them, or gone. It has no others.
func (p HealthPaths) with(of map[lb.Key]bool, now map[lb.Key]Health) HealthPaths {
	edits := map[lb.Key]*Health{}
	// order does not matter: each Service stands for itself
	for key := range of {
		before, had := p.Of(key)
		switch after, has := now[key]; {
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
		return HealthPaths{all: HealthPaths{p.flat(), edits}.flat()}
	}
	both := make(map[lb.Key]*Health, len(p.edits)+len(edits))
	maps.Copy(both, p.edits)
	maps.Copy(both, edits)
	return HealthPaths{p.all, both}
}

// flat are all answers as one map.
func (p HealthPaths) flat() map[lb.Key]Health {
	if len(p.edits) == 0 {
		return p.all
	}
	all := maps.Clone(p.all)
	if all == nil {
		all = map[lb.Key]Health{}
	}
	for key, edited := range p.edits {
		if edited == nil {
			delete(all, key)
		} else {
			all[key] = *edited
		}
	}
	return all
}
