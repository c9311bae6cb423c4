package trace

import (
	"bytes"
	"context"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/daymark-lb/daymark/internal/traceapi"
	"github.com/daymark-lb/daymark/internal/traceapi/tracetest"
)

var (
	wanted = netip.MustParseAddr("192.0.2.200")
	other  = netip.MustParseAddr("192.0.2.201")
)

func TestTracer_PassesOnWhatIsAboutTheAddress(t *testing.T) {
	tracer := New("n1")
	tracer.Record(wanted, func() traceapi.Event { return traceapi.Event{Summary: "before anybody listens"} })
	next := tracetest.Listen(t, tracer, wanted)
	if got := tracer.Wanted(); len(got) != 1 || got[0] != wanted || !tracer.Wants(wanted) || tracer.Wants(other) {
		t.Errorf("wanted are %v", got)
	}
	tracer.Record(other, func() traceapi.Event { return traceapi.Event{Summary: "of another address"} })
	tracer.Record(wanted, func() traceapi.Event {
		return traceapi.Event{Protocol: traceapi.ARP, Summary: "who has", Frame: []byte{1, 2}}
	})
	if e := next(); e.Node != "n1" || e.Address != wanted || e.Summary != "who has" || len(e.Frame) != 2 || time.Since(e.Time) > time.Minute {
		t.Errorf("%+v", e)
	}
}

func TestTracer_TellsDecisionsWhenTheyChange(t *testing.T) {
	tracer := New("n1")
	next := tracetest.Listen(t, tracer, wanted)
	tell := func(layer2 string, bgp ...string) {
		tracer.Tell(map[netip.Addr]Standing{wanted: {Layer2: layer2, BGP: bgp, BFD: []string{"tor"}}, other: {BFD: []string{"tor"}}})
	}
	tell("n2 holds it", "not announced")
	tell("n2 holds it", "not announced")
	tell("this node holds it", "not announced", "announced")
	for _, want := range []string{"n2 holds it", "not announced", "this node holds it", "announced"} {
		if e := next(); e.Decision != want {
			t.Errorf("%+v, want %q", e, want)
		}
	}
	if got := tracer.ByBFD("tor"); len(got) != 1 || got[0] != wanted {
		t.Errorf("the BFD session is that of %v", got)
	}
	later := tracetest.Listen(t, tracer, wanted)
	if e := later(); e.Decision != "this node holds it" {
		t.Errorf("who listens later is told %+v", e)
	}
}

func TestTracer_BoundsStreams(t *testing.T) {
	tracer := New("n1")
	for range maxStreams {
		tracetest.Listen(t, tracer, wanted)
	}
	for address, want := range map[string]int{wanted.String(): http.StatusTooManyRequests, "web": http.StatusBadRequest, "fe80::1%eth0": http.StatusBadRequest} {
		answer := httptest.NewRecorder()
		tracer.ServeHTTP(answer, httptest.NewRequest(http.MethodGet, traceapi.Path+"?address="+address, nil))
		if answer.Code != want {
			t.Errorf("%s: status %d, want %d", address, answer.Code, want)
		}
	}
}

type writerFunc func([]byte) (int, error)

func (f writerFunc) Write(data []byte) (int, error) { return f(data) }

// TestTracer_TakenPortStopsNothing: it is said once, and traces are served when the port is free.
func TestTracer_TakenPortStopsNothing(t *testing.T) {
	taken, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var said bytes.Buffer
	log := slog.New(slog.NewTextHandler(&said, nil))
	bind, tracer := taken.Addr().String(), New("n1")
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if err := tracer.Serve(bind, func(h http.Handler) http.Handler { return h }, log).Start(ctx); err != nil || !strings.Contains(said.String(), bind) {
		t.Errorf("it ends with %v, and said %q", err, said.String())
	}
	said.Reset()
	free := writerFunc(func(line []byte) (int, error) {
		time.AfterFunc(20*time.Millisecond, func() { _ = taken.Close() }) // after some attempts more
		return said.Write(line)
	})
	ctx, cancel = context.WithTimeout(t.Context(), 20*time.Second)
	done := make(chan struct{})
	go func() {
		defer close(done)
		keepServing(ctx, bind, tracer, time.Millisecond, slog.New(slog.NewTextHandler(free, nil)))
	}()
	for status := 0; status != http.StatusBadRequest && ctx.Err() == nil; {
		status = statusOf(ctx, "http://"+bind)
	}
	if ctx.Err() != nil {
		t.Error("nothing is served though the port is free")
	}
	cancel()
	<-done
	if n := strings.Count(said.String(), "trying again"); n != 1 {
		t.Errorf("it is said %d times: %s", n, said.String())
	}
}

// statusOf what is served at a URL; 0: nothing is yet.
func statusOf(ctx context.Context, url string) int {
	asked, cancel := context.WithTimeout(ctx, 10*time.Millisecond) // who has the port at first does not answer
	defer cancel()
	request, err := http.NewRequestWithContext(asked, http.MethodGet, url, http.NoBody)
	if err != nil {
		return 0
	}
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		return 0
	}
	_ = answer.Body.Close()
	return answer.StatusCode
}

func TestTracer_NobodyListensAnyMore(t *testing.T) {
	tracer := New("n1")
	s := tracer.open(wanted)
	<-tracer.Changes()
	tracer.close(s)
	if tracer.On() || tracer.Wants(wanted) || len(tracer.Wanted()) > 0 {
		t.Error("it is still on")
	}
	<-tracer.Changes()
}

func TestStream_DropsTheOldestAndWhatComesTooFast(t *testing.T) {
	tracer := New("n1")
	s := tracer.open(wanted)
	s.budget.SetLimit(0) // however slow the machine is
	for i := range eventBurst + 1000 {
		tracer.Record(wanted, func() traceapi.Event { return traceapi.Event{Summary: strconv.Itoa(i)} })
	}
	events := s.take()
	if len(events) != bufferSize || events[0].Dropped != eventBurst+1000-bufferSize {
		t.Fatalf("%d events, and %d were dropped", len(events), events[0].Dropped)
	}
	first, err := strconv.Atoi(events[0].Summary)
	if last, _ := strconv.Atoi(events[bufferSize-1].Summary); err != nil || first == 0 || last != first+bufferSize-1 {
		t.Errorf("the events are %d to %d", first, last)
	}
	if again := s.take(); len(again) > 0 {
		t.Errorf("%d events come twice", len(again))
	}
}

func TestTracer_CostsNoMemoryWhileNobodyListens(t *testing.T) {
	for name, tracer := range map[string]*Tracer{"a Tracer": New("n1"), "no Tracer": nil} {
		if allocs := testing.AllocsPerRun(100, func() {
			tracer.Record(wanted, func() traceapi.Event { return traceapi.Event{Summary: "who has"} })
			if tracer.On() || tracer.Wants(wanted) || tracer.Wanted() != nil {
				t.Error("somebody listens")
			}
		}); allocs != 0 {
			t.Errorf("%s: %v allocations", name, allocs)
		}
	}
}
