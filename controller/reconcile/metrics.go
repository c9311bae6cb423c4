package reconcile

import (
	"math/big"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/daymark-lb/daymark/internal/core/ipam"
	"github.com/daymark-lb/daymark/internal/core/lb"
)

// metrics of the loop.
type metrics struct {
	poolAddresses   *prometheus.GaugeVec
	servicesWaiting prometheus.Gauge
	speakersGone    prometheus.Gauge
	writes          *prometheus.CounterVec
	passes          prometheus.Histogram
	eventsDropped   *prometheus.CounterVec
}

func newMetrics(r prometheus.Registerer) *metrics {
	m := &metrics{
		poolAddresses: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "daymark_pool_addresses",
			Help: "Addresses of a pool by state: assigned to Services, or available to Services that ask now.",
		}, []string{"pool", "family", "state"}),
		servicesWaiting: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "daymark_controller_services_waiting", Help: "Services that do not have the addresses they should have.",
		}),
		speakersGone: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "daymark_controller_speakers_gone",
			Help: "Speakers that are gone though their node is ready: what their Speaker objects report is old.",
		}),
		writes: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "daymark_controller_writes_total", Help: "Writes to the API server by kind of object and result: success, conflict or error.",
		}, []string{"kind", "result"}),
		passes: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "daymark_controller_reconcile_duration_seconds", Help: "Duration of a pass of the loop. Writes are made beside it.",
			Buckets: prometheus.ExponentialBuckets(0.001, 4, 8),
		}),
		eventsDropped: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "daymark_controller_events_dropped_total",
			Help: "Events that were not written, by the reason: too many wait, too many of one Service, or not accepted by the API server.",
		}, []string{"reason"}),
	}
	if r != nil {
		r.MustRegister(m.poolAddresses, m.servicesWaiting, m.speakersGone, m.writes, m.passes, m.eventsDropped)
	}
	return m
}

// RegisterMetrics registers the metrics of a loop without the loop, for the reference pages.
func RegisterMetrics(r prometheus.Registerer) { newMetrics(r) }

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

// forget removes what only the leader knows.
func (m *metrics) forget() {
	m.poolAddresses.Reset()
	m.servicesWaiting.Set(0)
	m.speakersGone.Set(0)
}

// show sets the gauges. Pools that are gone have none.
func (m *metrics) show(plan *ipam.Plan) {
	m.poolAddresses.Reset()
	for _, use := range plan.Pools {
		for _, family := range []lb.Family{lb.IPv4, lb.IPv6} {
			if count := use.Count(family); count != nil {
				available, _ := new(big.Float).SetInt(count.Available).Float64()
				m.poolAddresses.WithLabelValues(use.Pool.Name, family.String(), "assigned").Set(float64(count.Assigned))
				m.poolAddresses.WithLabelValues(use.Pool.Name, family.String(), "available").Set(available)
			}
		}
	}
	waiting := 0
	for i := range plan.Assignments {
		if a := &plan.Assignments[i]; a.RequestError != nil || len(a.Missing) > 0 {
			waiting++
		}
	}
	m.servicesWaiting.Set(float64(waiting))
}
