package reconcile

import (
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"
)

// metrics of the loop.
type metrics struct {
	passes             prometheus.Histogram
	lastLook, lastPass prometheus.Gauge
	failing            prometheus.Gauge
	cutSegments        prometheus.Gauge
	standIns           prometheus.Gauge
	silentNodes        prometheus.Gauge
}

// newMetrics registers the metrics; a nil registerer registers nothing.
func newMetrics(r prometheus.Registerer) *metrics {
	factory := promauto.With(r)
	gauge := func(name, help string) prometheus.Gauge {
		return factory.NewGauge(prometheus.GaugeOpts{Name: "daymark_" + name, Help: help})
	}
	return &metrics{
		passes: factory.NewHistogram(prometheus.HistogramOpts{
			Name: "daymark_speaker_reconcile_duration_seconds", Help: "Time one pass of the loop took.",
			Buckets: prometheus.ExponentialBuckets(0.0005, 4, 8),
		}),
		lastLook: gauge("speaker_last_look_timestamp_seconds",
			"When a pass last had all that it needs to know, of the cluster and of the node, in Unix time. A quiet cluster needs no pass."),
		lastPass: gauge("speaker_last_pass_timestamp_seconds",
			"When a pass last ended with everything announced that the node should announce, in Unix time. A quiet cluster needs no pass."),
		failing: gauge("speaker_failing",
			"Whether a part of what the node should announce cannot be announced: the condition Ready of the Speaker says which."),
		cutSegments: gauge("layer2_cut_segments", "Segments on which this node does not reach nodes that it reaches by the gossip."),
		standIns:    gauge("layer2_stand_ins", "Addresses that this node answers for in a part of a cut segment, in the place of their holder."),
		silentNodes: gauge("layer2_silent_nodes", "Nodes that keep their addresses though they are silent in the gossip, because they answer on the segment."),
	}
}

// RegisterMetrics registers the metrics of a loop without the loop, for the reference pages.
func RegisterMetrics(r prometheus.Registerer) { newMetrics(r) }

// show sets the gauges after a pass, in which something failed or nothing.
func (m *metrics) show(d *desired, s *segments, failed error) {
	cut := 0
	for i := range s.said {
		if len(s.said[i].Cut) > 0 {
			cut++
		}
	}
	m.cutSegments.Set(float64(cut))
	m.standIns.Set(float64(len(s.standIns)))
	m.silentNodes.Set(float64(len(d.silent)))
	if failed != nil {
		m.failing.Set(1)
		return
	}
	m.failing.Set(0)
	m.lastPass.SetToCurrentTime()
}
