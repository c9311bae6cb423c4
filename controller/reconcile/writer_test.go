package reconcile

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/tools/leaderelection/resourcelock"

	"github.com/daymark-lb/daymark/internal/bubble"
	"github.com/daymark-lb/daymark/internal/core/lb"
	"github.com/daymark-lb/daymark/internal/core/status"
	"github.com/daymark-lb/daymark/internal/loop"
)

// slowServer is an API server that takes a time for each write, and records them in order.
type slowServer struct {
	takes time.Duration
	mu    sync.Mutex
	made  []string
	at    map[string]time.Time
	// busy is how many writes are under way, most how many were.
	busy, most int
	answers    map[string]error
}

// desire is a write of a text or of the addresses of a Service, which has some before and others after it.
func (s *slowServer) desire(name, version string, before, after []string) *write {
	service := func(ips []string) (list []corev1.LoadBalancerIngress) {
		for _, ip := range ips {
			list = append(list, corev1.LoadBalancerIngress{IP: ip})
		}
		return list
	}
	w := &serviceWrite{
		service: &cachedService{status.Observed{
			Service: &lb.Service{Request: &lb.Request{UID: types.UID(name)}}, Written: status.Service{Ingress: service(before)},
		}, version},
		desired: status.Service{Ingress: service(after)},
	}
	return &write{key: objectKey{"Service", "default", name}, version: version, urgency: w.urgency(), service: w, send: func(ctx context.Context) error {
		return s.write(ctx, name)
	}}
}

func (s *slowServer) write(ctx context.Context, name string) error {
	s.mu.Lock()
	s.busy++
	s.most = max(s.most, s.busy)
	s.mu.Unlock()
	select {
	case <-time.After(s.takes):
	case <-ctx.Done():
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.busy--
	s.made = append(s.made, name)
	if s.at == nil {
		s.at = map[string]time.Time{}
	}
	s.at[name] = time.Now()
	return s.answers[name]
}

// seen is what a slowServer has recorded.
type seen struct {
	made       []string
	at         map[string]time.Time
	busy, most int
}

func (s *slowServer) seen() seen {
	s.mu.Lock()
	defer s.mu.Unlock()
	return seen{slices.Clone(s.made), maps.Clone(s.at), s.busy, s.most}
}

// answer sets the answers from now on, by name.
func (s *slowServer) answer(answers map[string]error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.answers = answers
}

func always(f func(ctx context.Context, term int) error) (bool, error) {
	return true, f(context.Background(), 0)
}

func testWriter() *writer {
	return newWriter(slog.New(slog.DiscardHandler), newMetrics(nil, never), always)
}

// run runs a writer in a synctest bubble until the function returns.
func (w *writer) run(t *testing.T, f func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = w.Start(ctx)
	}()
	f()
	cancel()
	<-ended
}

func texts(s *slowServer, count int) (writes []*write) {
	for i := range count {
		writes = append(writes, s.desire(fmt.Sprintf("text-%05d", i), "1", nil, nil))
	}
	return writes
}

func TestWriter_AddressesGoBeforeTexts(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		s, w := &slowServer{takes: 4 * time.Millisecond}, testWriter()
		w.run(t, func() {
			rewrites := texts(s, 10000)
			w.Set(rewrites, time.Now())
			time.Sleep(3*time.Second + time.Millisecond)
			began, made := time.Now(), len(s.seen().made)
			if most := 3*textWritesPerSecond + textWriteBurst; made > most || made < most-10 || s.seen().most > maxTextWrites {
				t.Errorf("%d texts in 3 s, and %d at a time", made, s.seen().most)
			}
			w.Set(append(rewrites[made:], s.desire("new", "1", nil, []string{"192.0.2.1"})), began)
			time.Sleep(50 * time.Millisecond)
			if took := s.seen().at["new"].Sub(began); s.seen().at["new"].IsZero() || took > 5*time.Millisecond {
				t.Errorf("the new Service has its address after %s", took)
			}
			var many []*write
			for i := range 1000 {
				many = append(many, s.desire(fmt.Sprintf("moved-%d", i), "1", []string{"198.51.100.1"}, []string{fmt.Sprint("192.0.2.", i)}))
			}
			began = time.Now()
			w.Set(append(append(rewrites[made:], many...), s.desire("newest", "1", nil, []string{"192.0.2.2"})), began)
			time.Sleep(20 * time.Millisecond)
			if took := s.seen().at["newest"].Sub(began); s.seen().at["newest"].IsZero() || took > 12*time.Millisecond {
				t.Errorf("with 1,000 Services that move, the new one has its address after %s", took)
			}
			before := len(s.seen().made)
			time.Sleep(100 * time.Millisecond)
			if slices.ContainsFunc(s.seen().made[before:], func(name string) bool { return name[:4] == "text" }) || s.seen().most > maxAddressWrites+maxTextWrites {
				t.Errorf("texts are written while addresses wait, or %d at a time", s.seen().most)
			}
		})
	})
}

func TestWriter_Set(t *testing.T) {
	refusal := apierrors.NewForbidden(schema.GroupResource{}, "a", errors.New("no"))
	conflict := apierrors.NewConflict(schema.GroupResource{}, "a", errors.New("changed"))
	one, two := []string{"192.0.2.1"}, []string{"192.0.2.2"}
	type set struct {
		// after is how long after the one before it the writes are set.
		after  time.Duration
		writes func(*slowServer) []*write
	}
	a := func(version string, addresses ...string) func(*slowServer) []*write {
		return func(s *slowServer) []*write { return []*write{s.desire("a", version, nil, addresses)} }
	}
	for _, test := range []struct {
		name   string
		answer error // to a write of Service a
		sets   []set
		made   []string
		woken  bool
	}{
		{"a write is made once, however often it is set", nil, []set{{0, a("1", one...)}, {time.Second, a("1", one...)}, {time.Second, a("1", one...)}}, []string{"a"}, false},
		{"what is decided on the result is another write", nil, []set{{0, a("1", one...)}, {time.Second, a("2", two...)}}, []string{"a", "a"}, false},
		{"nothing is written twice at a time: the loop decides again", nil, []set{{0, a("1", one...)}, {2 * time.Millisecond, a("1", two...)}}, []string{"a"}, true},
		{"the same decision needs no other", nil, []set{{0, a("1", one...)}, {2 * time.Millisecond, a("1", one...)}}, []string{"a"}, false},
		{"what is not wanted any more is not written", nil, []set{
			{0, func(s *slowServer) []*write { return texts(s, 200) }}, {time.Millisecond, func(*slowServer) []*write { return nil }},
		}, []string{"text-00000", "text-00001", "text-00002", "text-00003"}, false},
		{"nothing is written on a version that the API server does not have any more", conflict, []set{{0, a("1", one...)}, {time.Second, a("1", one...)}}, []string{"a"}, false},
		{"what is refused is not tried at once", refusal, []set{{0, a("1", one...)}, {6 * time.Millisecond, a("1", one...)}, {time.Millisecond, a("1", one...)}}, []string{"a"}, true},
		{"but later", refusal, []set{{0, a("1", one...)}, {time.Second, a("1", one...)}}, []string{"a", "a"}, true},
		{"an address is given when who had it has lost it", nil, []set{{0, func(s *slowServer) []*write {
			return []*write{s.desire("b", "1", nil, one), s.desire("a", "1", one, two)}
		}}}, []string{"a"}, true},
		{"and then it is", nil, []set{
			{0, func(s *slowServer) []*write {
				return []*write{s.desire("b", "1", nil, one), s.desire("a", "1", one, two)}
			}},
			{time.Second, func(s *slowServer) []*write { return []*write{s.desire("b", "1", nil, one)} }},
		}, []string{"a", "b"}, true},
	} {
		t.Run(test.name, func(t *testing.T) {
			bubble.Test(t, func(t *testing.T) {
				s, w := &slowServer{takes: 5 * time.Millisecond, answers: map[string]error{"a": test.answer}}, testWriter()
				w.run(t, func() {
					for _, set := range test.sets {
						time.Sleep(set.after)
						w.Set(set.writes(s), time.Now())
					}
					time.Sleep(40 * time.Millisecond)
				})
				made := s.seen().made
				slices.Sort(made)
				if !slices.Equal(made, test.made) {
					t.Errorf("made %q", made)
				}
				if woken := len(w.wakes) > 0; woken != test.woken {
					t.Errorf("the loop is woken: %v", woken)
				}
			})
		})
	}
}

func TestWriter_TwoServicesThatChangePlaces(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		s, w := &slowServer{}, testWriter()
		w.run(t, func() {
			one, two := []string{"192.0.2.1"}, []string{"192.0.2.2"}
			w.Set([]*write{s.desire("a", "1", one, two), s.desire("b", "1", two, one)}, time.Now())
			synctest.Wait()
		})
		if len(s.seen().made) != 2 {
			t.Errorf("made %q", s.seen().made)
		}
	})
}

// A webhook that takes its time, or refuses, must not keep the status of all pools from being written.
func TestWriter_AddressesDoNotStarveTexts(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		s, w := &slowServer{takes: time.Minute}, testWriter()
		w.run(t, func() {
			all := texts(s, 100)
			for i := range 100 {
				all = append(all, s.desire(fmt.Sprint(i), "1", nil, []string{fmt.Sprint(i)}))
			}
			w.Set(all, time.Now())
			time.Sleep(2*textPause + time.Millisecond)
			if got := s.seen().busy - maxAddressWrites; got < 2 || got > 3 {
				t.Errorf("%d texts are being written after two pauses", got)
			}
		})
	})
}

// The loss may have been made, or the Service was changed by somebody else: only the cache will tell.
func TestWriter_AddressIsNotGivenBeforeALossIsKnown(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		conflict := apierrors.NewConflict(schema.GroupResource{}, "a", errors.New("changed"))
		s, w := &slowServer{answers: map[string]error{"a": conflict}}, testWriter()
		w.run(t, func() {
			loss := s.desire("a", "1", []string{"192.0.2.1"}, nil)
			w.Set([]*write{loss}, time.Now())
			synctest.Wait()
			gain := s.desire("b", "1", nil, []string{"192.0.2.1"})
			w.Set([]*write{loss, gain}, time.Now())
			synctest.Wait()
			if made := s.seen().made; len(made) != 1 {
				t.Errorf("made %q while a may have the address", made)
			}
			w.Set([]*write{gain}, time.Now()) // the cache has shown a without it
			synctest.Wait()
			if made := s.seen().made; len(made) != 2 {
				t.Errorf("made %q", made)
			}
		})
	})
}

// What a new term decides about an object while a write of the term before ends is not lost.
func TestWriter_WakesTheLoopAfterAWriteOfAnotherTerm(t *testing.T) {
	s, w := &slowServer{}, testWriter()
	old := s.desire("a", "1", nil, []string{"192.0.2.1"})
	old.term = 7
	w.Set([]*write{old}, time.Now())
	begun, _ := w.take(time.Now())
	w.Forget()
	w.Set([]*write{s.desire("a", "1", nil, []string{"192.0.2.2"})}, time.Now())
	w.make(begun)
	if len(s.seen().made) > 0 || len(w.wakes) == 0 {
		t.Errorf("made %q, and the loop is woken: %v", s.seen().made, len(w.wakes) > 0)
	}
}

// A Secret that was made and deleted before the cache showed it is made again.
func TestWriter_MakesWhatDoesNotExistAgain(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		s, w := &slowServer{}, testWriter()
		secret := &write{key: objectKey{"Secret", "ns", "key"}, urgency: otherAddress, send: func(ctx context.Context) error { return s.write(ctx, "key") }}
		w.run(t, func() {
			for i, after := range []time.Duration{0, time.Second, maxWriteRetry} {
				time.Sleep(after)
				w.Set([]*write{secret}, time.Now())
				if synctest.Wait(); len(s.seen().made) != 1+i/2 {
					t.Errorf("it is made %d times after set %d", len(s.seen().made), i)
				}
			}
			if len(w.wakes) == 0 {
				t.Error("the loop is not woken to decide again")
			}
		})
	})
}

// While the API server does not answer, thousands of writes must not all be tried again and again.
func TestWriter_PausesWithoutAnswers(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		s, w := &slowServer{answers: map[string]error{}}, testWriter()
		var all []*write
		for i := range 1000 {
			name := fmt.Sprint(i)
			s.answers[name] = context.DeadlineExceeded
			all = append(all, s.desire(name, "1", nil, []string{name}))
		}
		w.run(t, func() {
			for began := time.Now(); time.Since(began) < time.Minute; time.Sleep(20 * time.Millisecond) {
				w.Set(all, time.Now())
			}
			if got := len(s.seen().made); got > 30*maxAddressWrites {
				t.Errorf("%d writes in a minute without answers", got)
			}
			s.answer(nil)
			w.Set(all, time.Now())
			time.Sleep(maxWriteRetry + time.Second)
			if got := len(s.seen().at); got != len(all) {
				t.Errorf("%d of %d are written when it answers again", got, len(all))
			}
		})
	})
}

// A pass during a write must not give its address to another, whether or not the write has reached the API server.
func TestLoop_AddressUnderWayIsGivenToNobodyElse(t *testing.T) {
	s := newScene(Config{})
	if _, err := s.Reconcile(t.Context(), loop.Wake{}); err != nil {
		t.Fatal(err)
	}
	first, _ := s.writer.take(time.Now())
	address := first.service.desired.Ingress[0].IP
	older := &corev1.Service{}
	older.Namespace, older.Name, older.UID, older.ResourceVersion = "default", "0-older", "0-older", "1"
	older.Spec = corev1.ServiceSpec{Type: corev1.ServiceTypeLoadBalancer, LoadBalancerIP: address, Ports: []corev1.ServicePort{{Port: 80}}}
	s.cache.Put(older)
	for range 2 {
		if _, err := s.Reconcile(t.Context(), loop.Wake{}); err != nil {
			t.Fatal(err)
		}
		for _, queue := range s.writer.pending {
			for _, w := range queue {
				if slices.Contains(w.given(), address) {
					t.Fatalf("%s is given to %s while it is being given to %s", address, w.key.name, first.key.name)
				}
			}
		}
		if next, _ := s.writer.take(time.Now()); next != nil && next.key == first.key {
			t.Fatal("the Service is written twice at a time")
		}
		s.writer.make(first) // once: the second time it is not under way any more
	}
}

// The pass in between must see what is written: no write of an address begins while a pass looks.
func TestWriter_HoldsAddressesWhileAPassLooks(t *testing.T) {
	s, w := &slowServer{}, testWriter()
	w.Set([]*write{s.desire("a", "1", nil, []string{"192.0.2.1"})}, time.Now())
	w.Hold()
	if one, _ := w.take(time.Now()); one != nil {
		t.Error("a write of an address began during a pass")
	}
	w.Release()
	if one, _ := w.take(time.Now()); one == nil {
		t.Error("none begins after it")
	}
}

// lease is a lock that asks a question whenever the Lease is given back.
type lease struct {
	resourcelock.Interface
	release func()
}

func (l *lease) Update(_ context.Context, record resourcelock.LeaderElectionRecord) error {
	if record.HolderIdentity == "" {
		l.release()
	}
	return nil
}

func TestLeader_WritesEndBeforeTheLeaseIsGivenBack(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		s, leader := &slowServer{takes: time.Minute}, &Leader{log: slog.New(slog.DiscardHandler), changes: make(chan struct{}, 1)}
		leader.startedLeading(t.Context())
		w := newWriter(leader.log, newMetrics(nil, never), leader.Work)
		w.run(t, func() {
			one := s.desire("a", "1", nil, []string{"192.0.2.1"})
			one.term = 1
			w.Set([]*write{one}, time.Now())
			synctest.Wait()
			released := false
			lock := &releaseLast{&lease{release: func() {
				released = true
				if s.seen().busy > 0 {
					t.Error("a write is under way when the Lease is given back")
				}
			}}, leader}
			_ = lock.Update(t.Context(), resourcelock.LeaderElectionRecord{HolderIdentity: "me"})
			if s.seen().busy != 1 {
				t.Fatal("renewing the Lease stops the writes")
			}
			_ = lock.Update(t.Context(), resourcelock.LeaderElectionRecord{})
			if !released {
				t.Error("the Lease is not given back")
			}
			w.Set([]*write{s.desire("b", "1", nil, []string{"192.0.2.2"})}, time.Now())
			leader.startedLeading(t.Context()) // another term: what was decided in the last one does not count
			synctest.Wait()
			if slices.Contains(s.seen().made, "b") {
				t.Error("it wrote after the Lease was given back")
			}
		})
	})
}

// BenchmarkWriter_NewServiceDuringRewrites is the time from a pass that sees a new Service until its address is written, while
// the conditions of 10,000 Services wait to be rewritten and each write takes the API server 4 ms.
func BenchmarkWriter_NewServiceDuringRewrites(b *testing.B) {
	s, w := &slowServer{takes: 4 * time.Millisecond}, testWriter()
	ctx, cancel := context.WithCancel(b.Context())
	defer cancel()
	go func() { _ = w.Start(ctx) }()
	rewrites := texts(s, 10000)
	w.Set(rewrites, time.Now())
	for i := 0; b.Loop(); i++ {
		name := fmt.Sprint("new-", i)
		w.Set(append(rewrites[:10000:10000], s.desire(name, "1", nil, []string{name})), time.Now())
		for done := false; !done; time.Sleep(50 * time.Microsecond) {
			s.mu.Lock()
			done = !s.seen().at[name].IsZero()
			s.mu.Unlock()
		}
	}
}
