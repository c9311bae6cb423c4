package reconcile

import (
	"maps"
	"slices"

	"github.com/daymark-lb/daymark/internal/core/announce"
	"github.com/daymark-lb/daymark/internal/core/cluster"
	"github.com/daymark-lb/daymark/internal/core/lb"
	"github.com/daymark-lb/daymark/internal/informer"
)

// maxEdits is how many changes are taken into a list; for more it is made anew.
const maxEdits = 1024

// served are the Services that Daymark serves, kept from pass to pass: of a hundred thousand few change.
type served struct {
	classes lb.Classes
	// list in order of key; a new one is made when it changes. known: it was made before.
	list  []*lb.Service
	known bool
	// leaving are the versions of those that are to be withdrawn, whose finalizers wait for that.
	leaving map[lb.Key]uint64
}

// update takes in all Services, in order of key, and how they differ from those of the last call, in the order in which they changed. It
// returns the same of those that are served; nil when there was no call before.
func (s *served) update(all []*lb.Service, changed []informer.Replacement[*lb.Service]) []announce.ServiceChange {
	if !s.known {
		s.known, s.leaving = true, map[lb.Key]uint64{}
		s.list = (&cluster.Objects{Services: all}).Owned(s.classes)
		for _, service := range all {
			s.noteLeaving(service)
		}
		return nil
	}
	changes := make([]announce.ServiceChange, 0, len(changed))
	for _, c := range changed {
		var served announce.ServiceChange
		if c.Before != nil {
			delete(s.leaving, (*c.Before).Key)
			served.Before = s.ifServed(*c.Before)
		}
		if c.Now != nil {
			s.noteLeaving(*c.Now)
			served.Now = s.ifServed(*c.Now)
		}
		if served != (announce.ServiceChange{}) {
			changes = append(changes, served)
		}
	}
	switch {
	case len(changes) == 0:
	case len(changes) > maxEdits:
		s.list = (&cluster.Objects{Services: all}).Owned(s.classes)
	default:
		s.edit(changes)
	}
	return changes
}

// edit makes a new list, in one go over the one before.
func (s *served) edit(changes []announce.ServiceChange) {
	now := make(map[lb.Key]*lb.Service, len(changes)) // nil: gone
	for _, c := range changes {
		if c.Before != nil {
			now[c.Before.Key] = nil
		}
		if c.Now != nil {
			now[c.Now.Key] = c.Now
		}
	}
	list, rest := make([]*lb.Service, 0, len(s.list)+len(now)), s.list
	for _, key := range slices.SortedFunc(maps.Keys(now), lb.Key.Compare) {
		i, found := findService(rest, key)
		list = append(list, rest[:i]...)
		if found {
			i++
		}
		rest = rest[i:]
		if service := now[key]; service != nil {
			list = append(list, service)
		}
	}
	s.list = append(list, rest...)
}

func findService(list []*lb.Service, key lb.Key) (int, bool) {
	return slices.BinarySearchFunc(list, key, func(s *lb.Service, key lb.Key) int { return s.Key.Compare(key) })
}

// ifServed returns a Service, or nil if Daymark does not serve it.
func (s *served) ifServed(service *lb.Service) *lb.Service {
	if cluster.Announced(s.classes, service) {
		return service
	}
	return nil
}

func (s *served) noteLeaving(service *lb.Service) {
	if s.classes.Leaving(service) {
		s.leaving[service.Key] = service.Version
	}
}

// newestLeaving is the version of the newest Service that is to be withdrawn and waits for that; 0: there is none.
func (s *served) newestLeaving() (newest uint64) {
	for _, version := range s.leaving {
		newest = max(newest, version)
	}
	return newest
}
