package reconcile

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"slices"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/time/rate"
	corev1 "k8s.io/api/core/v1"
	eventsv1 "k8s.io/api/events/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/lru"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/daymark-lb/daymark/internal/core/lb"
	"github.com/daymark-lb/daymark/internal/core/status"
	"github.com/daymark-lb/daymark/internal/loop"
)

const (
	// reportingController is the source of the Events.
	reportingController = "daymark.io/controller"
	// maxPendingEvents is how many Events may wait to be written. Conditions say the same, so the rest are dropped, and counted.
	maxPendingEvents = 8192
	// maxNote is the longest note of an Event that the API server accepts, in bytes.
	maxNote = 1024
	// addressGrace is how long no address must have been written before Events are: longer than the loop's interval between
	// two passes in a storm.
	addressGrace = loop.MaxInterval + 100*time.Millisecond
	// maxEventDelay is how long an Event waits for that. Fewer than maxPendingEvents come in that time at 100 addresses a second.
	maxEventDelay = 30 * time.Second
)

// Why an Event is dropped; a label of a metric.
const (
	droppedTooManyWait = "too many wait"
	droppedTooMany     = "too many of one Service"
	droppedRefused     = "not accepted"
)

// Bounds of the Events about one Service, as client-go's recorder has them: a burst, and one more in each interval.
const (
	eventBurst    = 25
	eventInterval = 5 * time.Minute
)

const (
	// seriesTimeout is how long after the last Event of a series the next of the same kind begins a new one.
	seriesTimeout = 6 * time.Minute
	// seriesInterval is the shortest time between two writes of a series.
	seriesInterval = time.Minute
	// maxEventObjects bounds how many Services and series are remembered: those of the newest Events.
	maxEventObjects = 1024
)

// eventWriter writes Events one at a time, and not while addresses are written: when thousands of Services come at once, people
// wait for the addresses. An Event that says again what one said shortly before is counted in the series of that one. What
// is not written is counted in a metric.
type eventWriter struct {
	writer  client.Writer
	log     *slog.Logger
	pending chan pendingEvent
	dropped *prometheus.CounterVec
	// lastAddress is when an address was last written, in nanoseconds of Unix time.
	lastAddress atomic.Int64
	// instance that reports: this process.
	instance string
	// count of the Events so far, so that each has a name of its own.
	count int64

	// series by what they say (eventKey), and the limiters of the Services by UID. Only Start uses them.
	series, limiters *lru.Cache
}

// pendingEvent is an Event before it is written: thousands may wait, and the object is many times as large.
type pendingEvent struct {
	service lb.Key
	uid     types.UID
	at      time.Time
	status.Event
}

// eventKey is what Events of one series have in common.
type eventKey struct {
	uid types.UID
	status.Event
}

// eventSeries is an Event that was written, and how often it was seen.
type eventSeries struct {
	service lb.Key
	name    string
	count   int32
	// last is when it was seen last; written is when the API server was told last.
	last, written time.Time
	// dirty: it was seen since.
	dirty bool
}

func newEventWriter(writer client.Writer, log *slog.Logger, dropped *prometheus.CounterVec) *eventWriter {
	host, err := os.Hostname()
	if err != nil || host == "" {
		host = "controller"
	}
	return &eventWriter{
		writer: writer, log: log, pending: make(chan pendingEvent, maxPendingEvents), instance: lb.Truncate(host, 128), dropped: dropped,
		series: lru.New(maxEventObjects), limiters: lru.New(maxEventObjects),
	}
}

// Start writes Events until ctx ends.
func (w *eventWriter) Start(ctx context.Context) error {
	tick := time.NewTicker(seriesInterval / 4)
	defer tick.Stop()
	var dirty []eventKey // the series to be written, each once
	for {
		select {
		case <-ctx.Done():
			return nil
		case now := <-tick.C:
			dirty = slices.DeleteFunc(dirty, func(key eventKey) bool { return w.flush(ctx, key, now) })
		case e := <-w.pending:
			w.waitForAddresses(ctx, e.at)
			if key := (eventKey{e.uid, e.Event}); w.write(ctx, key, &e) && len(dirty) < maxEventObjects {
				dirty = append(dirty, key)
			}
		}
	}
}

// write writes an Event, or counts it in the series of one that said the same. It reports whether the series is to be written.
func (w *eventWriter) write(ctx context.Context, key eventKey, e *pendingEvent) (dirty bool) {
	if known, ok := w.series.Get(key); ok {
		if s, ok := known.(*eventSeries); ok && e.at.Sub(s.last) < seriesTimeout {
			first := !s.dirty
			s.count++
			s.last, s.dirty = e.at, true
			return first && !w.flush(ctx, key, e.at)
		}
	}
	if !w.allowed(e) {
		w.dropped.WithLabelValues(droppedTooMany).Inc()
		return false
	}
	event := w.event(e)
	if err := w.writer.Create(ctx, event); err != nil {
		w.failed(ctx, e.service, err)
		return false
	}
	w.series.Add(key, &eventSeries{service: e.service, name: event.Name, count: 1, last: e.at, written: e.at})
	return false
}

// flush writes a series if it is due, and reports whether nothing is left to be written of it.
func (w *eventWriter) flush(ctx context.Context, key eventKey, now time.Time) bool {
	known, _ := w.series.Get(key)
	s, ok := known.(*eventSeries)
	if !ok || !s.dirty {
		return true
	}
	if s.count > 2 && now.Sub(s.written) < seriesInterval {
		return false
	}
	s.dirty, s.written = false, now
	event := &eventsv1.Event{ObjectMeta: metav1.ObjectMeta{Namespace: s.service.Namespace, Name: s.name}}
	patch := fmt.Sprintf(`{"series":{"count":%d,"lastObservedTime":%q}}`, s.count, s.last.UTC().Format(metav1.RFC3339Micro))
	if err := w.writer.Patch(ctx, event, client.RawPatch(types.MergePatchType, []byte(patch))); err != nil {
		w.series.Remove(key) // the API server keeps an Event for an hour: the next one is new
		w.failed(ctx, s.service, err)
	}
	return true
}

// allowed reports whether there may be one more Event about a Service.
func (w *eventWriter) allowed(e *pendingEvent) bool {
	known, _ := w.limiters.Get(e.uid)
	limiter, ok := known.(*rate.Limiter)
	if !ok {
		limiter = rate.NewLimiter(rate.Every(eventInterval), eventBurst)
		w.limiters.Add(e.uid, limiter)
	}
	return limiter.AllowN(e.at, 1)
}

func (w *eventWriter) failed(ctx context.Context, service lb.Key, err error) {
	if ctx.Err() != nil {
		return
	}
	w.dropped.WithLabelValues(droppedRefused).Inc()
	w.log.Warn("an Event could not be written", "service", service, "error", err)
}

// addressWritten records that an address is written now.
func (w *eventWriter) addressWritten() { w.lastAddress.Store(time.Now().UnixNano()) }

// waitForAddresses waits as long as addresses are written, since the API server is slower when both are. An Event of a time
// waits for maxEventDelay at most.
func (w *eventWriter) waitForAddresses(ctx context.Context, at time.Time) {
	for time.Since(at) < maxEventDelay && time.Since(time.Unix(0, w.lastAddress.Load())) < addressGrace {
		select {
		case <-ctx.Done():
			return
		case <-time.After(addressGrace):
		}
	}
}

// enqueue has an Event about a Service written.
func (w *eventWriter) enqueue(s *lb.Service, now time.Time, event status.Event) {
	select {
	case w.pending <- pendingEvent{s.Key, s.UID, now, event}:
	default:
		w.dropped.WithLabelValues(droppedTooManyWait).Inc()
	}
}

func (w *eventWriter) event(e *pendingEvent) *eventsv1.Event {
	w.count++
	namespace, name := e.service.Namespace, e.service.Name
	return &eventsv1.Event{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: fmt.Sprintf("%.200s.%x", name, e.at.UnixNano()+w.count)},
		EventTime:  metav1.NewMicroTime(e.at),
		Regarding:  corev1.ObjectReference{APIVersion: "v1", Kind: "Service", Namespace: namespace, Name: name, UID: e.uid},
		Type:       e.Type, Reason: e.Reason, Action: "Assign", Note: lb.Truncate(e.Message, maxNote),
		ReportingController: reportingController, ReportingInstance: w.instance,
	}
}
