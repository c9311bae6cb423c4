package reconcile

import "github.com/prometheus/client_golang/prometheus"

// newDurations returns the metric of how long a pass takes.
func newDurations() prometheus.Histogram {
	return prometheus.NewHistogram(prometheus.HistogramOpts{
		Name: "daymark_speaker_reconcile_duration_seconds", Help: "Time one pass of the loop took.",
		Buckets: prometheus.ExponentialBuckets(0.0005, 4, 8),
	})
}

// RegisterMetrics registers the metrics of a loop without the loop, for the reference pages.
func RegisterMetrics(r prometheus.Registerer) { r.MustRegister(newDurations()) }
