package reconcile

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"time"

	corev1 "k8s.io/api/core/v1"
	eventsv1 "k8s.io/api/events/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/daymark-lb/daymark/internal/lb"
)

const (
	// reporter is who Events are from.
	reporter = "daymark.io/controller"
	// maxWaiting is how many Events may wait to be written. What is in them is in conditions too, so those that are more
	// are left out.
	maxWaiting = 8192
)

// herald writes Events, one after the other, while the addresses are written many at a time: when thousands of Services
// come at once, people wait for the addresses and not for the Events. It keeps none: the loop tells only what is new, so
// there is nothing to count together, and the usual recorder would remember each for minutes.
type herald struct {
	writer  client.Writer
	log     *slog.Logger
	waiting chan *eventsv1.Event
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
	return &herald{writer: writer, log: log, waiting: make(chan *eventsv1.Event, maxWaiting), instance: shorten(host, 128)}
}

// Start writes Events until ctx ends.
func (h *herald) Start(ctx context.Context) error {
	for {
		select {
		case <-ctx.Done():
			return nil
		case event := <-h.waiting:
			if err := h.writer.Create(ctx, event); err != nil && ctx.Err() == nil {
				h.log.Warn("an Event could not be written", "about", event.Regarding.Namespace+"/"+event.Regarding.Name, "error", err)
			}
		}
	}
}

// tell has an Event written about a Service. It is not for several goroutines at a time.
func (h *herald) tell(s *lb.Service, now time.Time, kind, reason, note string) {
	h.told++
	event := &eventsv1.Event{
		ObjectMeta: metav1.ObjectMeta{Namespace: s.Key.Namespace, Name: fmt.Sprintf("%.200s.%x", s.Key.Name, now.UnixNano()+h.told)},
		EventTime:  metav1.NewMicroTime(now),
		Regarding:  corev1.ObjectReference{APIVersion: "v1", Kind: "Service", Namespace: s.Key.Namespace, Name: s.Key.Name, UID: s.UID},
		Type:       kind, Reason: reason, Action: "Assign", Note: shorten(note, maxNote),
		ReportingController: reporter, ReportingInstance: h.instance,
	}
	select {
	case h.waiting <- event:
	default:
	}
}
