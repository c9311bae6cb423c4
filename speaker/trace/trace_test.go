package trace

import (
	"bufio"
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strconv"
	"testing"
	"time"

	"github.com/daymark-lb/daymark/internal/traceapi"
)

var (
	wanted = netip.MustParseAddr("192.0.2.200")
	other  = netip.MustParseAddr("192.0.2.201")
)

// listen begins to trace an address, and returns what gives the next event.
func listen(t *testing.T, tracer *Tracer, addr netip.Addr) (next func() traceapi.Event) {
	t.Helper()
	server := httptest.NewServer(tracer)
	t.Cleanup(server.Close)
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	t.Cleanup(cancel)
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, server.URL+traceapi.Path+"?"+traceapi.AddressParameter+"="+addr.String(), http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	answer, err := http.DefaultClient.Do(request)
	if err != nil || answer.StatusCode != http.StatusOK {
		t.Fatal(answer, err)
	}
	t.Cleanup(func() { _ = answer.Body.Close() })
	scanner := bufio.NewScanner(answer.Body)
	return func() (e traceapi.Event) {
		for scanner.Scan() {
			if len(scanner.Bytes()) == 0 {
				continue
			}
			if err := json.Unmarshal(scanner.Bytes(), &e); err != nil {
				t.Fatal(err)
			}
			return e
		}
		t.Fatal("the stream has ended")
		return e
	}
}

func TestTracer_PassesOnWhatIsAboutTheAddress(t *testing.T) {
	tracer := New("n1")
	tracer.Record(wanted, func() traceapi.Event { return traceapi.Event{Summary: "before anybody listens"} })
	next := listen(t, tracer, wanted)
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
	next := listen(t, tracer, wanted)
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
	later := listen(t, tracer, wanted)
	if e := later(); e.Decision != "this node holds it" {
		t.Errorf("who listens later is told %+v", e)
	}
}

func TestTracer_BoundsStreams(t *testing.T) {
	tracer := New("n1")
	for range maxStreams {
		listen(t, tracer, wanted)
	}
	for address, want := range map[string]int{wanted.String(): http.StatusTooManyRequests, "web": http.StatusBadRequest, "fe80::1%eth0": http.StatusBadRequest} {
		answer := httptest.NewRecorder()
		tracer.ServeHTTP(answer, httptest.NewRequest(http.MethodGet, traceapi.Path+"?address="+address, nil))
		if answer.Code != want {
			t.Errorf("%s: status %d, want %d", address, answer.Code, want)
		}
	}
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
