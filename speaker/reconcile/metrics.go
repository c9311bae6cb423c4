package reconcile

import "github.com/prometheus/client_golang/prometheus"

// metrics of the loop.
type metrics struct{ passes prometheus.Histogram }

// newMetrics registers the metrics; a nil registerer registers nothing.
func newMetrics(r prometheus.Registerer) *metrics {
	m := &metrics{
		passes: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "daymark_speaker_reconcile_duration_seconds", Help: "Time one pass of the loop took.",
			Buckets: prometheus.ExponentialBuckets(0.0005, 4, 8),
		}),
	}
	if r != nil {
		r.MustRegister(m.passes)
	}
	return m
}

// RegisterMetrics registers the metrics of a loop without the loop, for the reference pages.
func RegisterMetrics(r prometheus.Registerer) { newMetrics(r) }
