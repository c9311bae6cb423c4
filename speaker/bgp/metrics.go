package bgp

import (
	"slices"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/daymark-lb/daymark/api/v1beta1"
	"github.com/daymark-lb/daymark/internal/core/lb"
)

// collector makes metrics of the sessions as they are when asked.
type collector struct{ speaker *Speaker }

func describe(name, help string, more ...string) *prometheus.Desc {
	return prometheus.NewDesc("daymark_bgp_"+name, help, append([]string{"session", "peer", "address"}, more...), nil)
}

var (
	sessionUp  = describe("session_up", "Whether the BGP session is established.")
	prefixes   = describe("prefixes_announced", "Prefixes that the router has been sent, by family.", "family")
	negotiated = describe("family_negotiated", "Whether the router exchanges a family on the session, by family.", "family")
	holdTime   = describe("hold_time_seconds", "Hold time agreed with the router; 0 while the session is not established.")
	beatTime   = describe("keepalive_time_seconds", "Time between keepalives; 0 while the session is not established.")
	warnings   = describe("session_warnings", "How many things are not as asked for although the session is established.")
	flaps      = describe("session_flaps_total", "How often the BGP session, once established, went down.")
	refused    = describe("prefixes_received_total", "Prefixes that the router announced to this node, which learns none.")
	changed    = describe("path_changes_total",
		"Paths sent to the router since the session was configured, by kind: announce or withdraw.", "kind")
)

// Describe implements prometheus.Collector.
func (c collector) Describe(descs chan<- *prometheus.Desc) {
	for _, desc := range []*prometheus.Desc{
		sessionUp, prefixes, negotiated, holdTime, beatTime, warnings, flaps, refused, changed,
	} {
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
	send := func(desc *prometheus.Desc, kind prometheus.ValueType, value float64, more ...string) {
		labels := append([]string{status.Name, status.Peer, status.Address}, more...)
		metrics <- prometheus.MustNewConstMetric(desc, kind, value, labels...)
	}
	send(sessionUp, prometheus.GaugeValue, truth(status.State == v1beta1.BGPEstablished))
	send(prefixes, prometheus.GaugeValue, float64(status.IPv4), lb.IPv4.String())
	send(prefixes, prometheus.GaugeValue, float64(status.IPv6), lb.IPv6.String())
	for _, family := range []lb.Family{lb.IPv4, lb.IPv6} {
		send(negotiated, prometheus.GaugeValue, truth(slices.Contains(status.Families, family)), family.String())
	}
	send(holdTime, prometheus.GaugeValue, status.Hold.Seconds())
	send(beatTime, prometheus.GaugeValue, status.Keepalive.Seconds())
	send(warnings, prometheus.GaugeValue, float64(len(status.Warnings)))
	send(flaps, prometheus.CounterValue, float64(flapped))
	send(refused, prometheus.CounterValue, float64(status.Refused))
	send(changed, prometheus.CounterValue, float64(additions), "announce")
	send(changed, prometheus.CounterValue, float64(withdrawals), "withdraw")
}

func truth(is bool) float64 {
	if is {
		return 1
	}
	return 0
}
