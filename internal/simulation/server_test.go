package simulation

import (
	"cmp"
	"errors"
	"maps"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/watch"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// server is an API server: objects with versions, and all changes since the beginning. It checks the versions that writes are decided
// on, as the real one does. Objects in it are never changed; who gets one gets a copy.
type server struct {
	mu      sync.Mutex
	version int64
	objects map[string]map[types.NamespacedName]client.Object
	// changes of all kinds that are watched, in order.
	changes []change
	// watchers that are told of changes.
	watchers map[*watcher]bool
	judge    *judge
}

// change of an object.
type change struct {
	version int64
	at      time.Time
	// by whom: a process, or people.
	by   string
	kind string
	// before is nil for a new object, after for one that is deleted.
	before, after client.Object
}

// object is that which the change is about.
func (c change) object() client.Object {
	if c.after == nil {
		return c.before
	}
	return c.after
}

// event is the change as a watch tells it.
func (c change) event() watch.Event {
	object := copyOf(c.object())
	object.SetResourceVersion(strconv.FormatInt(c.version, 10))
	switch {
	case c.after == nil:
		return watch.Event{Type: watch.Deleted, Object: object}
	case c.before == nil:
		return watch.Event{Type: watch.Added, Object: object}
	}
	return watch.Event{Type: watch.Modified, Object: object}
}

func newServer() *server {
	return &server{objects: map[string]map[types.NamespacedName]client.Object{}, watchers: map[*watcher]bool{}}
}

// kindOf is the kind of an object or of a list of them.
func kindOf(object any) string {
	return strings.TrimSuffix(reflect.TypeOf(object).Elem().Name(), "List")
}

func keyOf(object client.Object) types.NamespacedName { return client.ObjectKeyFromObject(object) }

func copyOf(object client.Object) client.Object {
	return object.DeepCopyObject().(client.Object)
}

func resourceOf(kind string) schema.GroupResource {
	return schema.GroupResource{Resource: strings.ToLower(kind) + "s"}
}

// attempted tells the judge of a write that arrives.
func (s *server) attempted(p *process, kind string, key types.NamespacedName) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.judge.attempted(p, kind, key)
}

// reports tells the judge that a process sends the status of an object.
func (s *server) reports(p *process, object client.Object) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.judge.reports(p, object)
}

// snapshot has all objects as they are now.
func (s *server) snapshot() objects {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := objects{}
	for kind, all := range s.objects { // order does not matter: it is a copy
		now[kind] = maps.Clone(all)
	}
	return now
}

// get returns a copy of an object.
func (s *server) get(kind string, key types.NamespacedName) (client.Object, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	object := s.objects[kind][key]
	if object == nil {
		return nil, apierrors.NewNotFound(resourceOf(kind), key.String())
	}
	return copyOf(object), nil
}

// list returns copies of all objects of a kind, in order, and the version of the list.
func (s *server) list(kind string) ([]client.Object, int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.listAt(kind, s.version), s.version
}

// listAt returns copies of the objects that there were in a version. The caller holds the lock.
func (s *server) listAt(kind string, version int64) []client.Object {
	then := s.objects[kind]
	if version < s.version {
		then = map[types.NamespacedName]client.Object{}
		for _, c := range s.changes {
			if c.kind != kind || c.version > version {
				continue
			}
			if c.after == nil {
				delete(then, keyOf(c.before))
			} else {
				then[keyOf(c.after)] = c.after
			}
		}
	}
	all := make([]client.Object, 0, len(then))
	for _, object := range then {
		all = append(all, copyOf(object))
	}
	slices.SortFunc(all, func(a, b client.Object) int {
		return cmp.Or(strings.Compare(a.GetNamespace(), b.GetNamespace()), strings.Compare(a.GetName(), b.GetName()))
	})
	return all
}

// create makes an object, and returns it as it is then.
func (s *server) create(by string, object client.Object) (client.Object, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	kind, key := kindOf(object), keyOf(object)
	if s.objects[kind][key] != nil {
		return nil, apierrors.NewAlreadyExists(resourceOf(kind), key.String())
	}
	made := copyOf(object)
	made.SetUID(types.UID("uid-" + strconv.FormatInt(s.version+1, 10)))
	made.SetGeneration(1)
	// The API server keeps whole seconds.
	made.SetCreationTimestamp(metav1.NewTime(time.Now().Truncate(time.Second)))
	s.commit(by, kind, nil, made)
	return copyOf(made), nil
}

// update changes an object. The change is given a copy, and returns nil, an error that refuses it, or errDelete.
func (s *server) update(by, kind string, key types.NamespacedName, edit func(client.Object) (client.Object, error)) (client.Object, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	before := s.objects[kind][key]
	if before == nil {
		return nil, apierrors.NewNotFound(resourceOf(kind), key.String())
	}
	after, err := edit(copyOf(before))
	if errors.Is(err, errDelete) {
		s.commit(by, kind, before, nil)
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	if after.GetDeletionTimestamp() != nil && len(after.GetFinalizers()) == 0 {
		s.commit(by, kind, before, nil)
		return after, nil
	}
	admit(after)
	after.SetResourceVersion(before.GetResourceVersion())
	if equality.Semantic.DeepEqual(before, after) {
		return copyOf(before), nil // as the real one: no change makes no version
	}
	if !equality.Semantic.DeepEqual(specOf(before), specOf(after)) {
		after.SetGeneration(before.GetGeneration() + 1)
	}
	s.commit(by, kind, before, after)
	return copyOf(after), nil
}

// errDelete is returned by an edit that deletes the object.
var errDelete = errors.New("delete it")

// admit does what the API server does to a Service before it is stored: a Service of another type has no addresses.
func admit(object client.Object) {
	if s, ok := object.(*corev1.Service); ok && s.Spec.Type != corev1.ServiceTypeLoadBalancer {
		s.Status.LoadBalancer.Ingress = nil
	}
}

func specOf(object client.Object) any {
	spec := fieldOf(object, "Spec")
	if !spec.IsValid() {
		return nil
	}
	return spec.Interface()
}

// conflict is the answer to a write that was decided on another version than the newest.
func conflict(kind string, key types.NamespacedName) error {
	return apierrors.NewConflict(resourceOf(kind), key.String(), errors.New("the object has been modified"))
}

// commit stores a change and tells the watchers. The caller holds the lock.
func (s *server) commit(by, kind string, before, after client.Object) {
	s.version++
	c := change{s.version, time.Now(), by, kind, before, after}
	if s.objects[kind] == nil {
		s.objects[kind] = map[types.NamespacedName]client.Object{}
	}
	if after == nil {
		delete(s.objects[kind], keyOf(before))
	} else {
		after.SetResourceVersion(strconv.FormatInt(s.version, 10))
		s.objects[kind][keyOf(after)] = after
	}
	if kind != "Lease" && kind != "Event" { // nobody watches these
		s.changes = append(s.changes, c)
	}
	for w := range s.watchers { // order does not matter: each has its own delay
		w.tell(c)
	}
	s.judge.observe(c)
}
