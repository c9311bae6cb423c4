package simulation

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/watch"
	toolscache "k8s.io/client-go/tools/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/daymark-lb/daymark/api/v1beta1"
)

// informerOf returns how a process lists and watches a kind. A list may be as old as the API server's promise allows, which answers
// from a cache of its own.
func (p *process) listerWatcher(object runtime.Object) *toolscache.ListWatch {
	kind := kindOf(object)
	return &toolscache.ListWatch{
		ListWithContextFunc: func(ctx context.Context, options metav1.ListOptions) (runtime.Object, error) {
			var list runtime.Object
			var visible []client.Object
			err := p.call(ctx, "list "+kind, false, func() error {
				p.server.mu.Lock()
				defer p.server.mu.Unlock()
				version := p.answered(kind, options.ResourceVersion)
				var err error
				visible = p.visible(p.server.listAt(kind, version))
				list, err = listOf(object, visible, version)
				return err
			})
			if err == nil {
				p.sight.list(kind, visible)
			}
			return list, err
		},
		WatchFuncWithContext: func(ctx context.Context, options metav1.ListOptions) (watch.Interface, error) {
			var w *watcher
			err := p.call(ctx, "watch "+kind, false, func() (err error) {
				if w, err = p.open(kind, object, options); err == nil {
					context.AfterFunc(ctx, w.Stop) // who asked may have given it up
				}
				return err
			})
			if errors.Is(err, errLost) && w != nil {
				w.Stop() // the answer was lost
			}
			if err != nil {
				return nil, err
			}
			close(w.begun)
			return w, nil
		},
	}
}

// listOf makes a list of objects of the kind of an example.
func listOf(example runtime.Object, objects []client.Object, version int64) (runtime.Object, error) {
	gvks, _, err := scheme.ObjectKinds(example)
	if err != nil {
		return nil, err
	}
	list, err := scheme.New(gvks[0].GroupVersion().WithKind(gvks[0].Kind + "List"))
	if err != nil {
		return nil, err
	}
	list.(metav1.ListInterface).SetResourceVersion(strconv.FormatInt(version, 10))
	items := reflect.ValueOf(list).Elem().FieldByName("Items")
	for _, object := range objects {
		items.Set(reflect.Append(items, reflect.ValueOf(object).Elem()))
	}
	return list, nil
}

// visible are the objects that a process lists: of the Secrets those of its namespace, and of a speaker its own object.
func (p *process) visible(objects []client.Object) []client.Object {
	return slices.DeleteFunc(objects, func(o client.Object) bool { return !p.sees(o) })
}

func (p *process) sees(object client.Object) bool {
	switch object.(type) {
	case *corev1.Secret:
		return object.GetNamespace() == namespace
	case *v1beta1.Speaker: // Each reads its own.
		return p.node == "" || object.GetName() == p.node
	}
	return true
}

// answered is the version that a list is of which is to be no older than another; "" is the newest. The caller holds the lock of the
// server.
func (p *process) answered(kind, atLeast string) int64 {
	newest := p.server.version
	oldest, err := strconv.ParseInt(atLeast, 10, 64)
	if err != nil || oldest >= newest {
		return newest
	}
	r, _ := p.lotOf("answer of " + kind)
	if r.IntN(3) > 0 {
		return newest
	}
	return newest - r.Int64N(min(newest-oldest, maxStale)+1)
}

// maxStale is how many changes an answer may be behind.
const maxStale = 30

// watcher is a watch of one process. It tells what changes in order, each after a while.
type watcher struct {
	p    *process
	kind string
	out  chan watch.Event
	// begun is closed when the process has been told that the watch has begun.
	begun, stop chan struct{}
	once        sync.Once

	// first are the objects of the first events of a watch that lists.
	first []client.Object

	mu    sync.Mutex
	queue []told
	wake  chan struct{}
}

// told is an event, and when it happened.
type told struct {
	at    time.Time
	event watch.Event
	// object of the server that the event is about; nil: it is one of the first events of a watch that lists.
	object client.Object
}

// open begins a watch.
func (p *process) open(kind string, example runtime.Object, options metav1.ListOptions) (*watcher, error) {
	s := p.server
	s.mu.Lock()
	defer s.mu.Unlock()
	w := &watcher{p: p, kind: kind, out: make(chan watch.Event), begun: make(chan struct{}), stop: make(chan struct{}), wake: make(chan struct{}, 1)}
	var from int64
	if options.SendInitialEvents != nil && *options.SendInitialEvents {
		from = p.answered(kind, options.ResourceVersion)
		for _, object := range p.visible(s.listAt(kind, from)) {
			w.queue = append(w.queue, told{at: time.Now(), event: watch.Event{Type: watch.Added, Object: object}})
		}
		w.queue = append(w.queue, told{at: time.Now(), event: watch.Event{Type: watch.Bookmark, Object: bookmark(example, from)}})
	} else {
		version, err := strconv.ParseInt(options.ResourceVersion, 10, 64)
		if err != nil {
			return nil, apierrors.NewBadRequest(fmt.Sprintf("a watch from version %q", options.ResourceVersion))
		}
		if r, _ := p.lotOf("expiry of " + kind); r.IntN(4) == 0 {
			return nil, apierrors.NewResourceExpired("too old resource version")
		}
		from = version
	}
	for _, c := range s.changes {
		if c.kind == kind && c.version > from && p.sees(c.object()) {
			w.queue = append(w.queue, told{c.at, c.event(), c.object()})
		}
	}
	s.watchers[w] = true
	p.link.mu.Lock()
	p.link.watchers[w] = true
	p.link.mu.Unlock()
	go w.run()
	return w, nil
}

// bookmark tells that all that there was has been told.
func bookmark(example runtime.Object, version int64) runtime.Object {
	mark := reflect.New(reflect.TypeOf(example).Elem()).Interface().(client.Object)
	mark.SetResourceVersion(strconv.FormatInt(version, 10))
	mark.SetAnnotations(map[string]string{metav1.InitialEventsAnnotationKey: "true"})
	return mark
}

// tell has a change told. The caller holds the lock of the server.
func (w *watcher) tell(c change) {
	if c.kind != w.kind || !w.p.sees(c.object()) {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.queue = append(w.queue, told{c.at, c.event(), c.object()})
	select {
	case w.wake <- struct{}{}:
	default:
	}
}

// ResultChan is where the events come out.
func (w *watcher) ResultChan() <-chan watch.Event { return w.out }

// Stop ends the watch.
func (w *watcher) Stop() { w.once.Do(func() { close(w.stop) }) }

func (w *watcher) run() {
	defer close(w.out)
	defer w.forget()
	select {
	case <-w.begun:
	case <-w.stop:
		return
	}
	for {
		next, ok := w.next()
		if !ok {
			return
		}
		object := next.event.Object.(client.Object)
		r := lot(w.p.seed, fmt.Sprint(w.p.id, w.kind, next.event.Type, object.GetName(), object.GetResourceVersion()))
		due := next.at.Add(travel(r))
		if failure, until := w.p.link.state(); failure != works && until.After(due) {
			due = until
			if lost := time.Now().Add(lostAfter); until.After(lost) {
				w.sleep(lost)
				return
			}
		}
		if !w.sleep(due) {
			return
		}
		w.seen(next)
		select {
		case w.out <- next.event:
		case <-w.stop:
			return
		}
	}
}

// seen notes what the process is told. The first events of a watch that lists count when all of them have been told.
func (w *watcher) seen(t told) {
	switch {
	case w.p.sight == nil:
	case t.object != nil:
		w.p.sight.event(w.kind, t.event.Type, t.object)
	case t.event.Type == watch.Bookmark:
		w.p.sight.list(w.kind, w.first)
	default:
		w.first = append(w.first, copyOf(t.event.Object.(client.Object)))
	}
}

// forget takes a watch that has ended out of all lists.
func (w *watcher) forget() {
	w.p.server.mu.Lock()
	delete(w.p.server.watchers, w)
	w.p.server.mu.Unlock()
	w.p.link.mu.Lock()
	delete(w.p.link.watchers, w)
	w.p.link.mu.Unlock()
}

// next returns the next event; false when the watch ends.
func (w *watcher) next() (told, bool) {
	for {
		w.mu.Lock()
		if len(w.queue) > 0 {
			first := w.queue[0]
			w.queue = w.queue[1:]
			w.mu.Unlock()
			return first, true
		}
		w.mu.Unlock()
		select {
		case <-w.wake:
		case <-w.stop:
			return told{}, false
		}
	}
}

// sleep waits until a time; false when the watch ends before.
func (w *watcher) sleep(until time.Time) bool {
	timer := time.NewTimer(time.Until(until))
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-w.stop:
		return false
	}
}
