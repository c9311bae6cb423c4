package reconcile

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"sync/atomic"
	"time"

	corev1 "k8s.io/api/core/v1"
	eventsv1 "k8s.io/api/events/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/daymark-lb/daymark/internal/core/lb"
	"github.com/daymark-lb/daymark/internal/core/status"
	"github.com/daymark-lb/daymark/internal/loop"
)

const (
	// reportingController is the source of the Events.
	reportingController = "daymark.io/controller"
	// maxPendingEvents is how many Events may wait to be written. Conditions say the same, so the rest are dropped.
	maxPendingEvents = 8192
	// maxNote is the longest note of an Event that the API server accepts, in bytes.
	maxNote = 1024
	// addressGrace is how long no address must have been written before Events are: longer than the loop's interval between
	// two passes in a storm.
	addressGrace = loop.MaxInterval + 100*time.Millisecond
	// maxEventDelay is how long an Event waits for that.
	maxEventDelay = 20 * time.Second
)

// eventWriter writes Events one at a time, and not while addresses are written: when thousands of Services come at once, people
// wait for the addresses. It remembers none, unlike client-go's recorder: the loop only reports changes, so there is nothing
// to aggregate.
type eventWriter struct {
	writer  client.Writer
	log     *slog.Logger
	pending chan pendingEvent
	// lastAddress is when an address was last written, in nanoseconds of Unix time.
	lastAddress atomic.Int64
	// instance that reports: this process.
	instance string
	// count of the Events so far, so that each has a name of its own.
	count int64
}

// pendingEvent is an Event before it is written: thousands may wait, and the object is many times as large.
type pendingEvent struct {
	service lb.Key
	uid     types.UID
	at      time.Time
	status.Event
}

func newEventWriter(writer client.Writer, log *slog.Logger) *eventWriter {
	host, err := os.Hostname()
	if err != nil || host == "" {
		host = "controller"
	}
	return &eventWriter{
		writer: writer, log: log, pending: make(chan pendingEvent, maxPendingEvents), instance: status.Truncate(host, 128),
	}
}

// Start writes Events until ctx ends.
func (w *eventWriter) Start(ctx context.Context) error {
	for {
		select {
		case <-ctx.Done():
			return nil
		case e := <-w.pending:
			w.waitForAddresses(ctx, e.at)
			if err := w.writer.Create(ctx, w.event(&e)); err != nil && ctx.Err() == nil {
				w.log.Warn("an Event could not be written", "service", e.service, "error", err)
			}
		}
	}
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
	}
}

func (w *eventWriter) event(e *pendingEvent) *eventsv1.Event {
	w.count++
	namespace, name := e.service.Namespace, e.service.Name
	return &eventsv1.Event{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: fmt.Sprintf("%.200s.%x", name, e.at.UnixNano()+w.count)},
		EventTime:  metav1.NewMicroTime(e.at),
		Regarding:  corev1.ObjectReference{APIVersion: "v1", Kind: "Service", Namespace: namespace, Name: name, UID: e.uid},
		Type:       e.Type, Reason: e.Reason, Action: "Assign", Note: status.Truncate(e.Message, maxNote),
		ReportingController: reportingController, ReportingInstance: w.instance,
	}
}
