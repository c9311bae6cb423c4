package reconcile

import (
	"slices"

	"github.com/daymark-lb/daymark/internal/core/announce"
	"github.com/daymark-lb/daymark/internal/core/cluster"
	"github.com/daymark-lb/daymark/internal/core/lb"
	"github.com/daymark-lb/daymark/internal/informer"
)

// maxEdits is how many Services are taken in and out of a list one by one; for more it is made anew.
const maxEdits = 64

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

// edit makes a new list.
func (s *served) edit(changes []announce.ServiceChange) {
	s.list = append(make([]*lb.Service, 0, len(s.list)+len(changes)), s.list...)
	for _, c := range changes {
		if c.Before != nil {
			if i, found := findService(s.list, c.Before.Key); found {
				s.list = slices.Delete(s.list, i, i+1)
			}
		}
		if c.Now != nil {
			i, _ := findService(s.list, c.Now.Key)
			s.list = slices.Insert(s.list, i, c.Now)
		}
	}
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
