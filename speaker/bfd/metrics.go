package bfd

import (
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"

	"github.com/daymark-lb/daymark/internal/core/bfdsession"
)

// dropReason is why a received packet was not given to a session; a label of a metric.
type dropReason string

const (
	dropTTL       dropReason = "ttl"
	dropMalformed dropReason = "malformed"
	dropUnknown   dropReason = "unknown_session"
	dropError     dropReason = "error"
)

// metrics of packets. The counters are looked up once, so that a packet costs one addition.
type metrics struct {
	sent, sendFailures, received prometheus.Counter
	dropped                      map[dropReason]prometheus.Counter
}

func newMetrics(registerer prometheus.Registerer) *metrics {
	factory := promauto.With(registerer)
	counter := func(name, help string) prometheus.Counter {
		return factory.NewCounter(prometheus.CounterOpts{Name: "daymark_bfd_" + name, Help: help})
	}
	dropped := factory.NewCounterVec(prometheus.CounterOpts{
		Name: "daymark_bfd_packets_dropped_total",
		Help: "BFD packets received and dropped, by reason: ttl, malformed, unknown_session, error.",
	}, []string{"reason"})
	m := &metrics{
		sent:         counter("packets_sent_total", "BFD packets sent."),
		sendFailures: counter("send_failures_total", "BFD packets that the kernel refused to send."),
		received:     counter("packets_received_total", "BFD packets received, including those dropped."),
		dropped:      map[dropReason]prometheus.Counter{},
	}
	for _, reason := range []dropReason{dropTTL, dropMalformed, dropUnknown, dropError} {
		m.dropped[reason] = dropped.WithLabelValues(string(reason))
	}
	return m
}

func (m *metrics) countDropped(why dropReason) { m.dropped[why].Inc() }

var (
	sessionUp = prometheus.NewDesc("daymark_bfd_session_up",
		"Whether the BFD session is up.", []string{"session"}, nil)
	sessionDowns = prometheus.NewDesc("daymark_bfd_session_downs_total",
		"How often the BFD session, once up, failed.", []string{"session"}, nil)
	sessionStates = prometheus.NewDesc("daymark_bfd_sessions",
		"BFD sessions, by state: Down, Init, Up.", []string{"state"}, nil)
)

// collector makes the metrics from the present state of the sessions.
type collector struct{ monitor *Monitor }

// Describe implements prometheus.Collector.
func (c collector) Describe(descs chan<- *prometheus.Desc) {
	for _, desc := range []*prometheus.Desc{sessionUp, sessionDowns, sessionStates} {
		descs <- desc
	}
}

// Collect implements prometheus.Collector.
func (c collector) Collect(metrics chan<- prometheus.Metric) {
	states := map[bfdsession.State]int{bfdsession.Down: 0, bfdsession.Init: 0, bfdsession.Up: 0}
	names := map[string]struct{}{}
	for _, s := range c.monitor.Status() {
		states[s.State]++
		if _, twice := names[s.Name]; twice {
			continue // The second of two sessions with one name is invalid, and would be the same time series.
		}
		names[s.Name] = struct{}{}
		up := 0.0
		if s.State == bfdsession.Up {
			up = 1
		}
		metrics <- prometheus.MustNewConstMetric(sessionUp, prometheus.GaugeValue, up, s.Name)
		metrics <- prometheus.MustNewConstMetric(sessionDowns, prometheus.CounterValue, float64(s.Downs), s.Name)
	}
	for state, count := range states {
		metrics <- prometheus.MustNewConstMetric(sessionStates, prometheus.GaugeValue, float64(count), state.String())
	}
}
