package bgp

import (
	"slices"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/daymark-lb/daymark/api/v1beta1"
	"github.com/daymark-lb/daymark/internal/core/announce"
	"github.com/daymark-lb/daymark/internal/core/lb"
)

// collector makes the metrics from the present state of the sessions.
type collector struct{ speaker *Speaker }

// newDesc describes a metric of a session. The address of the router is no label: without a number it is not known at first, and
// a series must not end when it is.
func newDesc(name, help string, more ...string) *prometheus.Desc {
	return prometheus.NewDesc("daymark_bgp_"+name, help, append([]string{"session", "peer"}, more...), nil)
}

var (
	sessionUp         = newDesc("session_up", "Whether the BGP session is established; no value while adminState keeps it down.")
	prefixesAnnounced = newDesc("prefixes_announced", "Prefixes that the router has been sent, by family.", "family")
	prefixesDesired   = newDesc("prefixes_desired",
		"Prefixes that the router should be sent, by family, whether the session is established or not.", "family")
	familyNegotiated = newDesc("family_negotiated",
		"Whether the router exchanges a family on the session, by family.", "family")
	holdTime = newDesc("hold_time_seconds",
		"Hold time negotiated with the router; 0 while the session is not established.")
	keepaliveTime = newDesc("keepalive_time_seconds",
		"Time between KEEPALIVE messages; 0 while the session is not established.")
	sessionWarnings = newDesc("session_warnings",
		"Number of warnings: what is not as configured although the session is established.")
	sessionFlaps     = newDesc("session_flaps_total", "How often the BGP session, once established, went down.")
	prefixesReceived = newDesc("prefixes_received_total",
		"Prefixes that the router has announced to this node, which keeps none of them.")
	pathChanges = newDesc("path_changes_total",
		"Paths sent to the router since the session was configured, by kind: announce or withdraw.", "kind")
)

// Describe implements prometheus.Collector.
func (c collector) Describe(descs chan<- *prometheus.Desc) {
	for _, desc := range []*prometheus.Desc{
		sessionUp, prefixesAnnounced, prefixesDesired, familyNegotiated, holdTime, keepaliveTime, sessionWarnings, sessionFlaps,
		prefixesReceived, pathChanges,
	} {
		descs <- desc
	}
}

// Collect implements prometheus.Collector.
func (c collector) Collect(metrics chan<- prometheus.Metric) {
	for _, session := range c.speaker.list() {
		session.recorder.collect(metrics)
	}
}

// collect sends the metrics of one session.
func (r *statusRecorder) collect(metrics chan<- prometheus.Metric) {
	status := r.status()
	r.mu.Lock()
	flapped, announcements, withdrawals, wanted := r.flaps, r.announcements, r.withdrawals, r.wanted
	r.mu.Unlock()
	send := func(desc *prometheus.Desc, kind prometheus.ValueType, value float64, more ...string) {
		labels := append([]string{status.Name, status.Peer}, more...)
		metrics <- prometheus.MustNewConstMetric(desc, kind, value, labels...)
	}
	if !status.Down {
		send(sessionUp, prometheus.GaugeValue, boolValue(status.State == v1beta1.BGPEstablished))
	}
	send(prefixesAnnounced, prometheus.GaugeValue, float64(status.IPv4), lb.IPv4.String())
	send(prefixesAnnounced, prometheus.GaugeValue, float64(status.IPv6), lb.IPv6.String())
	for _, family := range []lb.Family{lb.IPv4, lb.IPv6} {
		send(prefixesDesired, prometheus.GaugeValue, float64(countPaths(wanted, family)), family.String())
		send(familyNegotiated, prometheus.GaugeValue, boolValue(slices.Contains(status.Families, family)), family.String())
	}
	send(holdTime, prometheus.GaugeValue, status.HoldTime.Seconds())
	send(keepaliveTime, prometheus.GaugeValue, status.KeepaliveTime.Seconds())
	send(sessionWarnings, prometheus.GaugeValue, float64(len(status.Warnings)))
	send(sessionFlaps, prometheus.CounterValue, float64(flapped))
	send(prefixesReceived, prometheus.CounterValue, float64(status.PrefixesReceived))
	send(pathChanges, prometheus.CounterValue, float64(announcements), "announce")
	send(pathChanges, prometheus.CounterValue, float64(withdrawals), "withdraw")
}

// countPaths is how many paths of a family a session is to have; the session may be nil.
func countPaths(session *announce.Session, family lb.Family) (count int) {
	if session == nil {
		return 0
	}
	for i := range session.Paths {
		if lb.FamilyOf(session.Paths[i].Prefix.Addr()) == family {
			count++
		}
	}
	return count
}

// boolValue is 1 for true and 0 for false, as metrics have it.
func boolValue(is bool) float64 {
	if is {
		return 1
	}
	return 0
}
