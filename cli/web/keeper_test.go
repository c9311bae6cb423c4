package web

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/daymark-lb/daymark/cli/source"
	"github.com/daymark-lb/daymark/internal/bubble"
)

// small is the broken cluster, and the same after a fail-over from n1 to n3.
func small(t *testing.T) (before, after *source.Objects) {
	t.Helper()
	before = objects(t, "broken")
	after = failOver(before, "n1", "n3")
	after.Time = now.Add(time.Second)
	return before, after
}

const took = "n3 took 192.0.2.202 over from n1"

func TestKeeper_TellsOfAFailOver(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		before, after := small(t)
		k := newKeeper(environment(), before)
		all := make(chan *source.Objects)
		go k.follow(t.Context(), all)
		_, replaced := k.look()
		all <- after
		synctest.Wait()
		select {
		case <-replaced:
		default:
			t.Fatal("nobody is told that there is a newer snapshot")
		}
		for path, wanted := range map[string]string{
			"/": "Nov 26 12:00:01 " + took, "/timeline": took, "/services/default/dns": "Held by n3 on eth0", "/nodes/n3": "Holds 2 addresses by layer 2",
		} {
			if page := plain(get(t, newHandler(k), path).Body.String()); !strings.Contains(page, wanted) {
				t.Errorf("%s does not have %q:\n%s", path, wanted, page)
			}
		}
	})
}

// renewed is a cluster whose Lease was renewed.
func renewed(all *source.Objects) *source.Objects {
	after := *all
	after.Items = slices.Clone(all.Items)
	for i, item := range after.Items {
		if lease, ok := item.(*coordinationv1.Lease); ok {
			lease = lease.DeepCopy()
			at := metav1.NewMicroTime(now.Add(time.Second))
			lease.Spec.RenewTime = &at
			after.Items[i] = lease
		}
	}
	return &after
}

func TestKeeper_ComputesNothingForARenewedLease(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		before, after := small(t)
		k := newKeeper(environment(), before)
		all := make(chan *source.Objects)
		go k.follow(t.Context(), all)
		first, _ := k.look()
		all <- renewed(before)
		synctest.Wait()
		if second, _ := k.look(); second.computed != first.computed {
			t.Error("all is computed again")
		}
		all <- renewed(after)
		synctest.Wait()
		if third, _ := k.look(); third.computed == first.computed {
			t.Error("what changed besides is not seen")
		}
	})
}

// TestKeeper_SeesThatALeaderIsGone: nothing changes then but the time, though Leases, as those of nodes, are written all the time.
func TestKeeper_SeesThatALeaderIsGone(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		e := environment()
		began := time.Now()
		e.Now = func() time.Time { return now.Add(time.Since(began)) }
		before := objects(t, "broken")
		k, all := newKeeper(e, before), make(chan *source.Objects)
		go k.follow(t.Context(), all)
		if page := plain(get(t, newHandler(k), "/").Body.String()); !strings.Contains(page, "one leads") {
			t.Fatalf("nobody leads at first:\n%s", page)
		}
		for range 30 {
			time.Sleep(2 * time.Second)
			all <- renewed(before)
		}
		synctest.Wait()
		if page := plain(get(t, newHandler(k), "/").Body.String()); !strings.Contains(page, "no leader seen") {
			t.Errorf("after a minute:\n%s", page)
		}
	})
}

// silent is a Source whose API server may be away.
type silent struct {
	source.Source
	mu   sync.Mutex
	away bool
}

func (s *silent) set(away bool) { s.mu.Lock(); defer s.mu.Unlock(); s.away = away }

func (s *silent) Read(context.Context, ...source.Query) (*source.Objects, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.away {
		return nil, errors.New("connection refused")
	}
	return &source.Objects{}, nil
}

func TestKeeper_SaysThatTheAPIServerDoesNotAnswer(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		k, from := newKeeper(environment(), objects(t, "broken")), &silent{}
		go source.Probe(t.Context(), from, source.Query{}, k.tell)
		const said = "The API server has not answered since Nov 26 12:00:00"
		for _, away := range []bool{false, true, false} {
			from.set(away)
			time.Sleep(2 * source.ProbeInterval)
			synctest.Wait()
			if page := plain(get(t, newHandler(k), "/").Body.String()); strings.Contains(page, said) != away {
				t.Errorf("away is %t:\n%.300s", away, page)
			}
		}
	})
}

// written is what was sent to a browser; it can be read while more is sent.
type written struct {
	*httptest.ResponseRecorder
	mu   sync.Mutex
	text bytes.Buffer
}

func (w *written) Write(data []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.text.Write(data)
}

// take what was sent since the last time.
func (w *written) take() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	defer w.text.Reset()
	return w.text.String()
}

func TestLive_SendsPartsThatHaveChanged(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		before, after := small(t)
		k := newKeeper(environment(), before)
		w := &written{ResponseRecorder: httptest.NewRecorder()}
		ctx, leave := context.WithCancel(t.Context())
		r := httptest.NewRequestWithContext(ctx, "GET", "http://localhost/live?at="+url.QueryEscape("/"), nil)
		done := make(chan bool)
		go func() { newHandler(k).ServeHTTP(w, r); close(done) }()
		synctest.Wait()
		if sent := w.take(); strings.Count(sent, "event: part\n") != 9 || w.Header().Get("Content-Type") != "text/event-stream" {
			t.Errorf("sent at first, as %s, is\n%s", w.Header().Get("Content-Type"), sent)
		}
		c := k.compute(after)
		k.replace(func(s *snapshot) { s.computed = c })
		synctest.Wait()
		sent := w.take()
		for part, wanted := range map[string]bool{"timeline": true, "news": true, "picture": true, "nodes": true, "services": true, "banner": false, "pools": false, "problems": false} {
			if strings.Contains(sent, fmt.Sprintf(`{"part":%q`, part)) != wanted {
				t.Errorf("that the part %s is sent should be %t:\n%.2000s", part, wanted, sent)
			}
		}
		if !strings.Contains(sent, took) {
			t.Errorf("the fail-over is not in\n%s", sent)
		}
		time.Sleep(alive)
		synctest.Wait()
		if sent := w.take(); sent != ": alive\n\n" {
			t.Errorf("when nothing has changed %q is sent", sent)
		}
		leave()
		<-done
	})
}
