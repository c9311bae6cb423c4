package reconcile

import (
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
)

// metrics of the loop.
type metrics struct {
	// figures of the newest pass; nil before the first of a term.
	figures atomic.Pointer[figures]
	// looked is when a pass last had all that it needs to know; nil before the first of a term.
	looked        atomic.Pointer[time.Time]
	writes        *prometheus.CounterVec
	passes        prometheus.Histogram
	writesPending *prometheus.GaugeVec
	eventsDropped *prometheus.CounterVec
}

// newMetrics registers the metrics; a nil registerer registers nothing. Leads says whether this process does.
func newMetrics(r prometheus.Registerer, leads func() bool) *metrics {
	m := &metrics{
		writes: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "daymark_controller_writes_total", Help: "Writes to the API server by kind of object and result: success, conflict or error.",
		}, []string{"kind", "result"}),
		writesPending: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "daymark_controller_writes_pending",
			Help: "Writes that wait for their turn, by urgency: address for those that change an address, text for the others.",
		}, []string{"urgency"}),
		passes: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "daymark_controller_reconcile_duration_seconds", Help: "Duration of a pass of the loop. Writes are made beside it.",
			Buckets: prometheus.ExponentialBuckets(0.001, 4, 8),
		}),
		eventsDropped: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "daymark_controller_events_dropped_total",
			Help: "Events that were not written, by the reason: too many wait, too many of one Service, or not accepted by the API server.",
		}, []string{"reason"}),
	}
	for _, urgency := range []string{"address", "text"} {
		m.writesPending.WithLabelValues(urgency)
	}
	for _, reason := range []string{droppedTooManyWait, droppedTooMany, droppedRefused} {
		m.eventsDropped.WithLabelValues(reason) // so that the first one dropped is a rise, which a series that begins with it is not
	}
	if r != nil {
		r.MustRegister(m.writes, m.writesPending, m.passes, m.eventsDropped, figuresCollector{m, leads})
	}
	return m
}

// RegisterMetrics registers the metrics of a loop without the loop, for the reference pages.
func RegisterMetrics(r prometheus.Registerer) { newMetrics(r, func() bool { return false }) }

func (m *metrics) observePass(began time.Time) { m.passes.Observe(time.Since(began).Seconds()) }

func (m *metrics) countWrite(kind string, err error) {
	result := "success"
	switch {
	case apierrors.IsConflict(err):
		result = "conflict"
	case err != nil:
		result = "error"
	}
	m.writes.WithLabelValues(kind, result).Inc()
}
