package reconcile

import (
	"math/big"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/daymark-lb/daymark/internal/core/ipam"
	"github.com/daymark-lb/daymark/internal/core/lb"
)

// metrics of the loop.
type metrics struct {
	assigned, available *prometheus.GaugeVec
	waiting             prometheus.Gauge
	writes              *prometheus.CounterVec
	passes              prometheus.Histogram
}

func newMetrics(r prometheus.Registerer) *metrics {
	pool := []string{"pool", "family"}
	m := &metrics{
		assigned: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "daymark_pool_assigned", Help: "Addresses of a pool that Services have.",
		}, pool),
		available: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "daymark_pool_available", Help: "Addresses of a pool that Services could get now.",
		}, pool),
		waiting: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "daymark_controller_services_waiting", Help: "Services that do not have the addresses they should have.",
		}),
		writes: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "daymark_controller_writes_total", Help: "Writes to the API server, by kind of object and by whether they were made.",
		}, []string{"kind", "result"}),
		passes: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "daymark_controller_reconcile_duration_seconds", Help: "How long a pass of the loop takes, writes included.",
			Buckets: prometheus.ExponentialBuckets(0.001, 4, 8),
		}),
	}
	if r != nil {
		r.MustRegister(m.assigned, m.available, m.waiting, m.writes, m.passes)
	}
	return m
}

func (m *metrics) timePass(began time.Time) { m.passes.Observe(time.Since(began).Seconds()) }

func (m *metrics) wrote(kind string, err error) {
	result := "made"
	switch {
	case isConflict(err):
		result = "conflict"
	case err != nil:
		result = "failed"
	}
	m.writes.WithLabelValues(kind, result).Inc()
}

// show sets the gauges. Pools that are gone are forgotten.
func (m *metrics) show(plan *ipam.Plan) {
	m.assigned.Reset()
	m.available.Reset()
	for _, use := range plan.Pools {
		for _, family := range []lb.Family{lb.IPv4, lb.IPv6} {
			if count := use.Count(family); count != nil {
				available, _ := new(big.Float).SetInt(count.Available).Float64()
				m.assigned.WithLabelValues(use.Pool.Name, family.String()).Set(float64(count.Assigned))
				m.available.WithLabelValues(use.Pool.Name, family.String()).Set(available)
			}
		}
	}
	waiting := 0
	for i := range plan.Assignments {
		if a := &plan.Assignments[i]; a.RequestError != nil || len(a.Missing) > 0 {
			waiting++
		}
	}
	m.waiting.Set(float64(waiting))
}
