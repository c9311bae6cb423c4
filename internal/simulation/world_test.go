package simulation

import (
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/runtime"
	utilruntime "k8s.io/apimachinery/pkg/util/runtime"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/daymark-lb/daymark/api/v1beta1"
	"github.com/daymark-lb/daymark/internal/core/lb"
)

// namespace that Daymark runs in.
const namespace = "daymark-system"

var classes = lb.Classes{Name: v1beta1.LoadBalancerClass, Classless: true}

// scheme has all kinds. It is made before the first bubble and never changed.
var scheme = func() *runtime.Scheme {
	s := runtime.NewScheme()
	utilruntime.Must(clientgoscheme.AddToScheme(s))
	utilruntime.Must(v1beta1.AddToScheme(s))
	return s
}()

// settings of the programs, which are others in each run.
type settings struct {
	poolGrace time.Duration
	finalizer bool
}

// world is one simulated cluster.
type world struct {
	settings
	seed   uint64
	random *rand.Rand
	server *server
	judge  *judge
	slots  []*slot
	began  time.Time
	log    *slog.Logger

	mu sync.Mutex
	// trace is what happened last.
	trace []string
	// everything: the trace is of all that happened.
	everything bool
}

// maxTrace bounds the trace.
const maxTrace = 400

func newWorld(seed uint64, everything bool) *world {
	w := &world{seed: seed, random: rand.New(rand.NewPCG(seed, 1)), server: newServer(), began: time.Now(), everything: everything}
	w.judge = newJudge(w)
	w.server.judge = w.judge
	w.log = slog.New(slog.DiscardHandler)
	if everything {
		w.log = slog.New(slog.NewTextHandler(noting{w}, &slog.HandlerOptions{Level: slog.LevelDebug}))
	}
	w.poolGrace = []time.Duration{10 * time.Second, time.Minute, 10 * time.Minute}[w.random.IntN(3)]
	return w
}

// noting writes what the programs log into the trace.
type noting struct{ w *world }

// Write notes a line.
func (n noting) Write(line []byte) (int, error) {
	n.w.note("%s", line)
	return len(line), nil
}

// clock is how long the simulation has run.
func (w *world) clock() time.Duration { return time.Since(w.began) }

// note adds to the trace.
func (w *world) note(format string, args ...any) {
	line := fmt.Sprintf("%12s ", w.clock()) + fmt.Sprintf(format, args...)
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.trace = append(w.trace, line); len(w.trace) > 2*maxTrace && !w.everything {
		w.trace = append(w.trace[:0:0], w.trace[maxTrace:]...)
	}
}

// chance is true as often as a probability says.
func (w *world) chance(p float64) bool { return w.random.Float64() < p }

// within is a time up to a bound.
func (w *world) within(d time.Duration) time.Duration {
	return time.Duration(w.random.Int64N(int64(d)))
}

// slot is a machine on which a program runs, and is started again when it has ended.
type slot struct {
	*world
	name string
	link *link
	// program runs the program of this machine until it ends.
	program func(context.Context, *process) error

	mu      sync.Mutex
	current *process
	// sessions of a speaker that runs, or ran.
	sessions *simulatedBGP
	starts   int
}

func (w *world) newSlot(name string) *slot {
	s := &slot{world: w, name: name, link: &link{watchers: map[*watcher]bool{}}}
	w.slots = append(w.slots, s)
	return s
}

// process that runs; nil while none does.
func (s *slot) process() *process {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.current
}

// run keeps a program running until ctx ends.
func (s *slot) run(ctx context.Context) {
	time.Sleep(time.Duration(lot(s.seed, s.name+" starts").Int64N(int64(time.Second))))
	for ctx.Err() == nil {
		running, cancel := context.WithCancel(ctx)
		s.mu.Lock()
		s.starts++
		p := &process{
			id: fmt.Sprintf("%s-%d", s.name, s.starts), seed: s.seed, server: s.server, link: s.link,
			calls: map[string]int{}, cancel: cancel, ended: make(chan struct{}), left: make(chan struct{}), born: time.Now(),
		}
		p.log = s.log.With("process", p.id)
		s.current = p
		s.mu.Unlock()
		s.note("%s starts", p.id)
		err := s.program(running, p)
		s.note("%s ends: %v", p.id, err)
		if err != nil || running.Err() == nil {
			s.server.mu.Lock()
			s.judge.violate("%s ends by itself: %v", p.id, err)
			s.server.mu.Unlock()
		}
		cancel()
		s.mu.Lock()
		s.current = nil
		s.mu.Unlock()
		r := lot(s.seed, p.id+" starts again")
		select {
		case <-ctx.Done():
		case <-time.After(time.Second + time.Duration(r.Int64N(int64(10*time.Second)))):
		}
	}
}

// all are copies of all objects of all kinds.
func (w *world) all() (objects []runtime.Object) {
	w.server.mu.Lock()
	defer w.server.mu.Unlock()
	for kind := range w.server.objects { // order does not matter: what follows from them does not go by it
		for _, object := range w.server.listAt(kind, w.server.version) {
			objects = append(objects, object)
		}
	}
	return objects
}

// names of a kind, in order.
func (w *world) keys(kind string) (keys []client.ObjectKey) {
	objects, _ := w.server.list(kind)
	for _, object := range objects {
		keys = append(keys, keyOf(object))
	}
	return keys
}
