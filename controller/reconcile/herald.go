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
	"github.com/daymark-lb/daymark/internal/loop"
)

const (
	// reporter is who Events are from.
	reporter = "daymark.io/controller"
	// maxWaiting is how many Events may wait to be written. What is in them is in conditions too, so those that are more
	// are left out.
	maxWaiting = 8192
	// quiet is how long no address must have been written before Events are: longer than a loop in a storm rests between two
	// passes. patience is how long an Event waits for that.
	quiet    = loop.MaxInterval + 100*time.Millisecond
	patience = 20 * time.Second
)

// herald writes Events, one after the other, while the addresses are written many at a time: when thousands of Services
// come at once, people wait for the addresses and not for the Events. It keeps none: the loop tells only what is new, so
// there is nothing to count together, and the usual recorder would remember each for minutes.
type herald struct {
	writer  client.Writer
	log     *slog.Logger
	waiting chan news
	// busy is when an address was last being written.
	busy atomic.Int64
	// instance that reports: this process.
	instance string
	// told is how many Events there were, so that each has a name of its own.
	told int64
}

func newHerald(writer client.Writer, log *slog.Logger) *herald {
	host, err := os.Hostname()
	if err != nil || host == "" {
		host = "controller"
	}
	return &herald{writer: writer, log: log, waiting: make(chan news, maxWaiting), instance: shorten(host, 128)}
}

// Start writes Events until ctx ends.
func (h *herald) Start(ctx context.Context) error {
	for {
		select {
		case <-ctx.Done():
			return nil
		case n := <-h.waiting:
			h.yield(ctx, n.at)
			if err := h.writer.Create(ctx, h.event(&n)); err != nil && ctx.Err() == nil {
				h.log.Warn("an Event could not be written", "about", n.about, "error", err)
			}
		}
	}
}

// addressWritten notes that addresses are being written at the moment.
func (h *herald) addressWritten() { h.busy.Store(time.Now().UnixNano()) }

// yield waits while addresses are being written: the API server has one processor for both. An Event that waited for long
// goes all the same.
func (h *herald) yield(ctx context.Context, since time.Time) {
	for time.Since(since) < patience && time.Since(time.Unix(0, h.busy.Load())) < quiet {
		select {
		case <-ctx.Done():
			return
		case <-time.After(quiet):
		}
	}
}

// news is an Event before it is written: thousands may wait, and the object is many times as large.
type news struct {
	about              lb.Key
	uid                types.UID
	at                 time.Time
	kind, reason, note string
}

// tell has an Event written about a Service.
func (h *herald) tell(s *lb.Service, now time.Time, kind, reason, note string) {
	select {
	case h.waiting <- news{s.Key, s.UID, now, kind, reason, note}:
	default:
	}
}

func (h *herald) event(n *news) *eventsv1.Event {
	h.told++
	return &eventsv1.Event{
		ObjectMeta: metav1.ObjectMeta{Namespace: n.about.Namespace, Name: fmt.Sprintf("%.200s.%x", n.about.Name, n.at.UnixNano()+h.told)},
		EventTime:  metav1.NewMicroTime(n.at),
		Regarding:  corev1.ObjectReference{APIVersion: "v1", Kind: "Service", Namespace: n.about.Namespace, Name: n.about.Name, UID: n.uid},
		Type:       n.kind, Reason: n.reason, Action: "Assign", Note: shorten(n.note, maxNote),
		ReportingController: reporter, ReportingInstance: h.instance,
	}
}
