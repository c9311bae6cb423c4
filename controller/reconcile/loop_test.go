package reconcile

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	corev1 "k8s.io/api/core/v1"
	eventsv1 "k8s.io/api/events/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/daymark-lb/daymark/api/v1beta1"
	"github.com/daymark-lb/daymark/internal/bubble"
	"github.com/daymark-lb/daymark/internal/core/lb"
	"github.com/daymark-lb/daymark/internal/informer/informertest"
	"github.com/daymark-lb/daymark/internal/loop"
)

// recorder is a client that records writes as "VERB KIND NAME" and answers them as a test says.
type recorder struct {
	client.Client
	mu     sync.Mutex
	writes []string
	// events that were made.
	events []*eventsv1.Event
	// patches of what is no status.
	patches []string
	// answers to writes; the others succeed.
	answers map[string]error
}

func (r *recorder) record(verb string, object client.Object) error {
	time.Sleep(time.Millisecond) // so that concurrent writes do overlap
	kind := fmt.Sprintf("%T", object)
	write := strings.TrimSpace(verb + " " + kind[strings.LastIndexByte(kind, '.')+1:] + " " + object.GetName())
	r.mu.Lock()
	defer r.mu.Unlock()
	if strings.HasPrefix(write, "create Event") {
		write = "create Event"
	}
	r.writes = append(r.writes, write)
	return r.answers[write]
}

func (r *recorder) Create(_ context.Context, object client.Object, _ ...client.CreateOption) error {
	if event, ok := object.(*eventsv1.Event); ok {
		r.mu.Lock()
		r.events = append(r.events, event)
		r.mu.Unlock()
	}
	return r.record("create", object)
}

func (r *recorder) Patch(_ context.Context, object client.Object, patch client.Patch, _ ...client.PatchOption) error {
	data, err := patch.Data(object)
	if err != nil {
		return err
	}
	r.mu.Lock()
	r.patches = append(r.patches, string(data))
	r.mu.Unlock()
	return r.record("patch", object)
}

func (r *recorder) Status() client.SubResourceWriter { return &statusRecorder{recorder: r} }

type statusRecorder struct {
	client.SubResourceWriter
	recorder *recorder
}

func (s *statusRecorder) Patch(_ context.Context, object client.Object, _ client.Patch, _ ...client.SubResourcePatchOption) error {
	err := s.recorder.record("patch", object)
	if err == nil {
		object.SetResourceVersion("2")
	}
	return err
}

// count of the writes of a kind: "patch Service".
func (r *recorder) count(prefix string) int {
	n := 0
	for _, write := range r.writes {
		if strings.HasPrefix(write, prefix) {
			n++
		}
	}
	return n
}

// scene is a loop with a cache and a recorder in the place of an API server.
type scene struct {
	*Loop
	cache    *informertest.Cache
	recorder *recorder
	server   *server
	// stored is how many writes of Services were put into the cache.
	stored int
}

// newScene makes a loop that sees a pool, two Services without addresses, and no key for the gossip.
func newScene(c Config) *scene {
	pool := &v1beta1.IPAddressPool{ObjectMeta: metav1.ObjectMeta{Name: "blue", UID: "blue", ResourceVersion: "1"}}
	pool.Spec.Addresses = []v1beta1.AddressRange{"192.0.2.0/28"}
	lan := &v1beta1.L2Advertisement{ObjectMeta: metav1.ObjectMeta{Name: "lan", UID: "lan", ResourceVersion: "1"}}
	s := sceneOf(informertest.New(pool, lan), c)
	for _, name := range []string{"a", "b"} {
		s.cache.Put(&corev1.Service{
			ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: name, UID: types.UID(name), ResourceVersion: "1"},
			Spec:       corev1.ServiceSpec{Type: corev1.ServiceTypeLoadBalancer, Ports: []corev1.ServicePort{{Protocol: "TCP", Port: 80}}},
		})
	}
	return s
}

// sceneOf is a scene with what is in a cache.
func sceneOf(objects *informertest.Cache, c Config) *scene {
	c.Namespace, c.Classes, c.Log = daymarkNamespace, lb.Classes{Classless: true}, slog.New(slog.DiscardHandler)
	s := &scene{
		Loop: newLoop(c), cache: objects, recorder: &recorder{answers: map[string]error{}},
		server: &server{versions: map[string]string{"a": "1", "b": "1"}},
	}
	s.informers = s.cache
	s.listers, s.client, s.direct, s.events = newListers(s.cache, daymarkNamespace), s.recorder, s.server, newEventWriter(s.recorder, s.log, s.metrics.eventsDropped)
	return s
}

// write makes the writes that may begin at once, one after the other.
func (s *scene) write() {
	for {
		one, _ := s.writer.take(time.Now())
		if one == nil {
			return
		}
		s.writer.make(one)
	}
}

// gossipKey puts a Secret for the gossip into the cache.
func (s *scene) gossipKey() {
	s.cache.Put(&corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Namespace: daymarkNamespace, Name: v1beta1.GossipSecret, UID: "key", ResourceVersion: "1"},
		Data:       map[string][]byte{v1beta1.GossipSecretKey: []byte("key")},
	})
}

func TestLoop_Reconcile(t *testing.T) {
	services := schema.GroupResource{Resource: "services"}
	conflict := apierrors.NewConflict(services, "a", errors.New("changed"))
	forbidden := apierrors.NewForbidden(services, "a", errors.New("by a webhook"))
	all := []string{"patch Service a", "patch Service b", "create Secret daymark-gossip", "patch IPAddressPool blue", "patch L2Advertisement lan"}
	others := all[2:]
	for _, test := range []struct {
		name   string
		config Config
		// change of the scene before the pass.
		change func(*scene)
		// writes that are made, those of Services sorted.
		writes []string
		// failed: an error is returned; again: when the loop runs again.
		failed bool
		again  time.Duration
		// woken: the writer has the loop run again.
		woken bool
	}{
		{name: "addresses are written before all else", writes: all},
		{
			name: "an error while looking changes nothing", failed: true,
			change: func(s *scene) { s.cache.NotSynced = true },
		},
		{
			name: "a new leader writes nothing as long as its cache is behind", again: catchUpInterval,
			change: func(s *scene) { s.server.versions["a"] = "2" },
		},
		{name: "who does not lead writes nothing", config: Config{Leader: &Leader{}}},
		{
			name: "a failing write does not stop the others", writes: all, woken: true,
			change: func(s *scene) { s.recorder.answers["patch Service a"] = forbidden },
		},
		{
			name: "a failing write of another object does not either", writes: all, woken: true,
			change: func(s *scene) { s.recorder.answers["patch IPAddressPool blue"] = forbidden },
		},
		{
			name: "a conflict waits for the newer version, which wakes the loop", writes: all,
			change: func(s *scene) { s.recorder.answers["patch Service a"] = conflict },
		},
		{
			name: "an object that is gone is no error", writes: all,
			change: func(s *scene) { s.recorder.answers["patch Service a"] = apierrors.NewNotFound(services, "a") },
		},
		{
			name: "there is a key of the gossip already", writes: slices.Concat(all[:2], all[3:]),
			change: (*scene).gossipKey,
		},
		{
			name: "there is a key that the cache does not show yet", writes: all,
			change: func(s *scene) {
				s.recorder.answers["create Secret daymark-gossip"] = apierrors.NewAlreadyExists(schema.GroupResource{}, "")
			},
		},
		{
			name: "Services of another class are left alone", writes: others,
			change: func(s *scene) { s.classes = lb.Classes{Name: "example.com/other"} },
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := newScene(test.config)
			if test.change != nil {
				test.change(s)
			}
			result, err := s.Reconcile(t.Context(), loop.Wake{})
			s.write()
			got := s.recorder.writes
			slices.Sort(got[:s.recorder.count("patch Service")])
			if !slices.Equal(got, test.writes) {
				t.Errorf("writes %q, want %q", got, test.writes)
			}
			if (err != nil) != test.failed || result.RequeueAfter != test.again {
				t.Errorf("again after %s, error %v", result.RequeueAfter, err)
			}
			if woken := len(s.writer.wakes) > 0; woken != test.woken {
				t.Errorf("the loop is woken: %v", woken)
			}
		})
	}
}

func TestLoop_SecondPass(t *testing.T) {
	for _, test := range []struct {
		name string
		// change between the two passes.
		change func(*scene)
		// services and secrets that the second pass writes.
		services, secrets int
	}{
		{"a cache that does not show our writes has none repeated", func(*scene) {}, 0, 0},
		{"the key of the gossip is made once", (*scene).gossipKey, 0, 0},
		{"what was remembered does not count in a new term", func(s *scene) { s.leader.term++ }, 2, 1},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := newScene(Config{Leader: &Leader{leading: t.Context(), term: 1}})
			if _, err := s.Reconcile(t.Context(), loop.Wake{}); err != nil {
				t.Fatal(err)
			}
			s.write()
			test.change(s)
			s.recorder.writes = nil
			if _, err := s.Reconcile(t.Context(), loop.Wake{}); err != nil {
				t.Fatal(err)
			}
			s.write()
			if got := s.recorder.count("patch Service"); got != test.services {
				t.Errorf("%d Services are written, want %d: %q", got, test.services, s.recorder.writes)
			}
			if got := s.recorder.count("create Secret"); got != test.secrets {
				t.Errorf("%d Secrets are written, want %d", got, test.secrets)
			}
		})
	}
}

func TestLoop_EventsComeAfterAllAddresses(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		s := newScene(Config{})
		ctx, cancel := context.WithCancel(t.Context())
		go func() { _ = s.events.Start(ctx) }()
		go func() { _ = s.writer.Start(ctx) }()
		if _, err := s.Reconcile(t.Context(), loop.Wake{}); err != nil {
			t.Fatal(err)
		}
		time.Sleep(maxEventDelay + time.Second)
		cancel()
		synctest.Wait()
		first := slices.Index(s.recorder.writes, "create Event")
		if first < 5 || s.recorder.count("create Event") != 4 { // of each Service that it has an address, and is not announced
			t.Errorf("writes %q", s.recorder.writes)
		}
	})
}
