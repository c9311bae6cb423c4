package gossip

import (
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"
)

// metrics are the counters that are incremented where things happen.
type metrics struct{ rejected, malformed prometheus.Counter }

func newMetrics(registerer prometheus.Registerer) *metrics {
	factory := promauto.With(registerer)
	return &metrics{
		rejected: factory.NewCounter(prometheus.CounterOpts{
			Name: "daymark_gossip_rejected_messages_total",
			Help: "Messages dropped because they cannot be decrypted or belong to another program.",
		}),
		malformed: factory.NewCounter(prometheus.CounterOpts{
			Name: "daymark_gossip_malformed_messages_total",
			Help: "Messages of other speakers dropped because they cannot be decoded: of another version, or damaged.",
		}),
	}
}

// registerGauges registers the metrics that are computed when they are collected.
func (m *Membership) registerGauges(registerer prometheus.Registerer) {
	factory := promauto.With(registerer)
	factory.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "daymark_gossip_members_alive", Help: "Speakers that are alive, this one included.",
	}, func() float64 { return float64(m.peers.alive()) })
	factory.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "daymark_gossip_members_expected", Help: "Speakers that there should be on nodes that are up, this one included.",
	}, func() float64 { return float64(m.countExpectedUp()) })
	factory.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "daymark_gossip_claims", Help: "Addresses to which a claim is known.",
	}, func() float64 { return float64(m.claims.size()) })
	factory.NewCounterFunc(prometheus.CounterOpts{
		Name: "daymark_gossip_heartbeats_missed_total", Help: "Heartbeats of observed speakers that did not come in time.",
	}, func() float64 { return float64(m.peers.counters().MissedHeartbeats) })
	factory.NewCounterFunc(prometheus.CounterOpts{
		Name: "daymark_gossip_false_alarms_total", Help: "Speakers that were taken for silent and came back.",
	}, func() float64 { return float64(m.peers.counters().FalseAlarms) })
}

// countExpectedUp is how many speakers there should be on nodes that are up, this one included.
func (m *Membership) countExpectedUp() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	count := 1
	for _, peer := range m.expected {
		if !peer.Down {
			count++
		}
	}
	return count
}
