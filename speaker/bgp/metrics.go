package bgp

import (
	"github.com/prometheus/client_golang/prometheus"

	"github.com/daymark-lb/daymark/api/v1beta1"
	"github.com/daymark-lb/daymark/internal/lb"
)

// collector makes metrics of the sessions as they are when asked.
type collector struct{ speaker *Speaker }

func describe(name, help string, more ...string) *prometheus.Desc {
	return prometheus.NewDesc("daymark_bgp_"+name, help, append([]string{"session", "peer", "address"}, more...), nil)
}

var (
	sessionUp = describe("session_up", "Whether the BGP session is established.")
	prefixes  = describe("prefixes_announced", "Prefixes that the router has been sent, by family.", "family")
	flaps     = describe("session_flaps_total", "How often the BGP session, once established, went down.")
	changed   = describe("path_changes_total",
		"Paths handed to BGP since the session was configured, by kind: announce or withdraw.", "kind")
)

// Describe implements prometheus.Collector.
func (c collector) Describe(descs chan<- *prometheus.Desc) {
	for _, desc := range []*prometheus.Desc{sessionUp, prefixes, flaps, changed} {
		descs <- desc
	}
}

// Collect implements prometheus.Collector.
func (c collector) Collect(metrics chan<- prometheus.Metric) {
	for _, session := range c.speaker.list() {
		session.view.collect(metrics)
	}
}

func (v *view) collect(metrics chan<- prometheus.Metric) {
	status := v.status()
	v.mu.Lock()
	flapped, additions, withdrawals := v.flaps, v.additions, v.withdrawals
	v.mu.Unlock()
	send := func(desc *prometheus.Desc, kind prometheus.ValueType, value int, more ...string) {
		labels := append([]string{status.Name, status.Peer, status.Address}, more...)
		metrics <- prometheus.MustNewConstMetric(desc, kind, float64(value), labels...)
	}
	up := 0
	if status.State == v1beta1.BGPEstablished {
		up = 1
	}
	send(sessionUp, prometheus.GaugeValue, up)
	send(prefixes, prometheus.GaugeValue, status.IPv4, lb.IPv4.String())
	send(prefixes, prometheus.GaugeValue, status.IPv6, lb.IPv6.String())
	send(flaps, prometheus.CounterValue, flapped)
	send(changed, prometheus.CounterValue, additions, "announce")
	send(changed, prometheus.CounterValue, withdrawals, "withdraw")
}
