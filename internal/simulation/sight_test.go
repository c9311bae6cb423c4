package simulation

import (
	"maps"
	"slices"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/watch"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/daymark-lb/daymark/internal/informer"
)

// sight is what one process has been told of the objects that it watches: all that it can know. What it does must follow from that.
type sight struct {
	mu  sync.Mutex
	now objects
	// undo has the last looks, newest last, and what there was before each.
	undo []look
}

// objects by kind and key.
type objects map[string]map[types.NamespacedName]client.Object

// look is what a process was told at once: a list, or an event.
type look struct {
	at     time.Time
	kind   string
	before map[types.NamespacedName]client.Object
	// whole: it was a list, and before is all that there was of the kind.
	whole bool
}

// memoryOfSight is for how long it is remembered what a process was told before.
const memoryOfSight = 30 * time.Second

func newSight() *sight { return &sight{now: objects{}} }

// list notes that a process is told all objects of a kind.
func (s *sight) list(kind string, all []client.Object) {
	if s == nil {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	next := map[types.NamespacedName]client.Object{}
	for _, object := range all {
		next[keyOf(object)] = copyOf(object)
	}
	s.remember(look{kind: kind, before: s.now[kind], whole: true})
	s.now[kind] = next
}

// event notes that a process is told of a change. The object is one of the server's, which never changes.
func (s *sight) event(kind string, what watch.EventType, object client.Object) {
	if what == watch.Bookmark {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	key := keyOf(object)
	s.remember(look{kind: kind, before: map[types.NamespacedName]client.Object{key: s.now[kind][key]}})
	now := maps.Clone(s.now[kind])
	if now == nil {
		now = map[types.NamespacedName]client.Object{}
	}
	s.now[kind] = now
	if what == watch.Deleted {
		delete(now, key)
	} else {
		now[key] = object
	}
}

// remember what there was. The caller holds the lock.
func (s *sight) remember(l look) {
	l.at = time.Now()
	for len(s.undo) > 0 && l.at.Sub(s.undo[0].at) > memoryOfSight {
		s.undo = s.undo[1:]
	}
	s.undo = append(s.undo, l)
}

// complete reports whether a process knows of all kinds what there is.
func (o objects) complete() bool {
	return !slices.ContainsFunc(informer.Kinds(), func(example client.Object) bool { return o[kindOf(example)] == nil })
}

// within calls a function with what a process may have known at each moment of the last time, the newest first, until it returns true. What
// it is told of several kinds at one instant, as after an outage, it may take in in any order; that of one kind it takes in as it comes.
func (s *sight) within(d time.Duration, is func(objects) bool) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	then := maps.Clone(s.now)
	for i := len(s.undo) - 1; i >= 0 && time.Since(s.undo[i].at) <= d; {
		at := s.undo[i].at
		versions := map[string][]map[types.NamespacedName]client.Object{}
		for ; i >= 0 && s.undo[i].at.Equal(at); i-- {
			kind := s.undo[i].kind
			if versions[kind] == nil {
				versions[kind] = append(versions[kind], then[kind])
			}
			then[kind] = s.undo[i].undone(then[kind])
			versions[kind] = append(versions[kind], then[kind])
		}
		if then.anyOf(versions, slices.Sorted(maps.Keys(versions)), is) {
			return true
		}
	}
	return is(then)
}

// anyOf reports whether a function is true with any of the versions of each kind.
func (o objects) anyOf(versions map[string][]map[types.NamespacedName]client.Object, kinds []string, is func(objects) bool) bool {
	if len(kinds) == 0 {
		return is(o)
	}
	with := maps.Clone(o)
	for _, version := range versions[kinds[0]] {
		if with[kinds[0]] = version; with.anyOf(versions, kinds[1:], is) {
			return true
		}
	}
	return false
}

// undone is what there was before a look, given what there was after it.
func (l look) undone(after map[types.NamespacedName]client.Object) map[types.NamespacedName]client.Object {
	if l.whole {
		return l.before
	}
	before := maps.Clone(after)
	for key, object := range l.before { // order does not matter: there is one
		if object == nil {
			delete(before, key)
		} else {
			before[key] = object
		}
	}
	return before
}
