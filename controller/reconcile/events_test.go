package reconcile

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"

	"github.com/daymark-lb/daymark/internal/bubble"
	"github.com/daymark-lb/daymark/internal/core/lb"
	"github.com/daymark-lb/daymark/internal/core/status"
)

func TestEventWriter_WaitsForAddressesButNotForever(t *testing.T) {
	for _, test := range []struct {
		name string
		// busy is how long addresses are written.
		busy time.Duration
		// least and most are the bounds of the time that an Event waits.
		least, most time.Duration
	}{
		{"at once when nothing is being written", 0, 0, addressGrace},
		{"until the addresses are written", 3 * time.Second, 3 * time.Second, 4 * time.Second},
		{"and no longer than maxEventDelay", time.Minute, maxEventDelay, maxEventDelay + time.Second},
	} {
		t.Run(test.name, func(t *testing.T) {
			bubble.Test(t, func(t *testing.T) {
				w, began := newEventWriter(nil, slog.New(slog.DiscardHandler), nil), time.Now()
				writing := time.NewTicker(addressGrace / 5)
				done := make(chan struct{})
				go func() {
					for time.Since(began) < test.busy {
						w.addressWritten()
						select {
						case <-writing.C:
						case <-done:
							return
						}
					}
				}()
				synctest.Wait()
				w.waitForAddresses(t.Context(), began)
				close(done)
				if took := time.Since(began); took < test.least || took > test.most {
					t.Errorf("it waited %s", took)
				}
			})
		})
	}
}

func TestEventWriter_Aggregates(t *testing.T) {
	same := func(int) status.Event {
		return status.Event{Type: "Warning", Reason: "CompetingWriter", Message: "the same"}
	}
	for _, test := range []struct {
		name string
		// events of one Service, so many, one in each interval.
		event func(i int) status.Event
		count int
		every time.Duration
		// creates, patches and dropped are what becomes of them within two hours.
		creates, mostPatches, dropped int
		// series is the last count that is told of.
		series string
	}{
		{"one", same, 1, 0, 1, 0, 0, ""},
		{"a second that says the same is counted at once", same, 2, time.Second, 1, 1, 0, `"count":2`},
		{"a storm is one Event, written now and then", same, 3000, 100 * time.Millisecond, 1, 7, 0, `"count":3000`},
		{"one that says the same much later is new", same, 2, time.Hour, 2, 0, 0, ""},
		{"those that say different things are bounded", func(i int) status.Event {
			return status.Event{Type: "Warning", Reason: "AddressTaken", Message: fmt.Sprint(i)}
		}, 1000, time.Second, eventBurst + 3, 0, 1000 - eventBurst - 3, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			bubble.Test(t, func(t *testing.T) {
				r, m := &recorder{}, newMetrics(nil, never)
				w := newEventWriter(r, slog.New(slog.DiscardHandler), m.eventsDropped)
				ctx, cancel := context.WithCancel(t.Context())
				go func() { _ = w.Start(ctx) }()
				for i := range test.count {
					w.enqueue(&lb.Service{Request: &lb.Request{UID: "a"}}, time.Now(), test.event(i))
					time.Sleep(test.every)
				}
				time.Sleep(2 * seriesInterval)
				cancel()
				synctest.Wait()
				if got := r.count("create Event"); got != test.creates {
					t.Errorf("%d Events, want %d", got, test.creates)
				}
				if len(r.patches) > test.mostPatches || test.series != "" && !strings.Contains(r.patches[len(r.patches)-1], test.series) {
					t.Errorf("patches %q", r.patches)
				}
				if got := counted(m.eventsDropped.WithLabelValues("too many of one Service")); got != test.dropped {
					t.Errorf("%d are counted as dropped, want %d", got, test.dropped)
				}
			})
		})
	}
}

func TestEventWriter_CountsWhatFindsNoPlace(t *testing.T) {
	m := newMetrics(nil, never)
	w := newEventWriter(nil, slog.New(slog.DiscardHandler), m.eventsDropped)
	for range maxPendingEvents + 7 {
		w.enqueue(&lb.Service{Request: &lb.Request{}}, time.Now(), status.Event{})
	}
	if got := counted(m.eventsDropped.WithLabelValues("too many wait")); got != 7 {
		t.Errorf("%d are counted as dropped, want 7", got)
	}
}

func counted(c prometheus.Counter) int {
	var m dto.Metric
	_ = c.Write(&m)
	return int(m.GetCounter().GetValue())
}
