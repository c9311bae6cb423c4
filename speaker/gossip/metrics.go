package gossip

import (
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"
)

// metrics of the package that are counted where things happen.
type metrics struct{ strangers, malformed prometheus.Counter }

func newMetrics(registerer prometheus.Registerer) *metrics {
	factory := promauto.With(registerer)
	return &metrics{
		strangers: factory.NewCounter(prometheus.CounterOpts{
			Name: "daymark_gossip_rejected_messages_total",
			Help: "Messages dropped because they cannot be decrypted or are not of this program's gossip.",
		}),
		malformed: factory.NewCounter(prometheus.CounterOpts{
			Name: "daymark_gossip_malformed_messages_total",
			Help: "Messages of other speakers dropped because they cannot be read: they run another version, or are damaged.",
		}),
	}
}

// measure publishes what is asked for when metrics are collected.
func (m *Membership) measure(registerer prometheus.Registerer) {
	factory := promauto.With(registerer)
	factory.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "daymark_gossip_members_alive", Help: "Speakers that are alive, this one included.",
	}, func() float64 { _, _, alive := m.roster.counts(); return float64(alive) })
	factory.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "daymark_gossip_claims", Help: "Addresses on which a claim is known.",
	}, func() float64 { return float64(m.table.size()) })
	factory.NewCounterFunc(prometheus.CounterOpts{
		Name: "daymark_gossip_heartbeats_missed_total", Help: "Heartbeats of watched speakers that did not come in time.",
	}, func() float64 { missed, _, _ := m.roster.counts(); return float64(missed) })
	factory.NewCounterFunc(prometheus.CounterOpts{
		Name: "daymark_gossip_false_alarms_total", Help: "Speakers that were taken for silent and came back.",
	}, func() float64 { _, alarms, _ := m.roster.counts(); return float64(alarms) })
}
