package connections

import (
	"github.com/google/nftables"
	"github.com/google/nftables/expr"
	"github.com/prometheus/client_golang/prometheus"
)

var (
	passedDesc = prometheus.NewDesc("daymark_connections_packets_passed_total",
		"Packets of connections unknown to this node that it passed on to the node that may know them.", nil, nil)
	limitedDesc = prometheus.NewDesc("daymark_connections_packets_limited_total",
		"Packets that were to be passed on and were dropped, because there were too many in a second.", nil, nil)
	passagesDesc = prometheus.NewDesc("daymark_connections_passages",
		"Addresses for which this node passes on the packets of connections that it does not know.", nil, nil)
	leftDesc = prometheus.NewDesc("daymark_connections_left",
		"Open TCP connections of this node to addresses that moved away from it.", nil, nil)
)

// collector makes the metrics when they are scraped. There is no series of each address: their number is that of the Services.
type collector struct{ relay *Relay }

// Describe implements prometheus.Collector.
func (c collector) Describe(descs chan<- *prometheus.Desc) {
	for _, desc := range []*prometheus.Desc{passedDesc, limitedDesc, passagesDesc, leftDesc} {
		descs <- desc
	}
}

// Collect implements prometheus.Collector.
func (c collector) Collect(metrics chan<- prometheus.Metric) {
	c.relay.mu.Lock()
	defer c.relay.mu.Unlock()
	var passed, limited uint64
	passages, left := 0, 0
	for _, t := range c.relay.tables {
		p, l := t.counters()
		passed, limited = passed+p+t.passed, limited+l+t.limited
		for _, e := range t.last {
			if e.next.IsValid() {
				passages++
			}
		}
	}
	for _, n := range c.relay.left {
		left += n
	}
	metrics <- prometheus.MustNewConstMetric(passedDesc, prometheus.CounterValue, float64(passed))
	metrics <- prometheus.MustNewConstMetric(limitedDesc, prometheus.CounterValue, float64(limited))
	metrics <- prometheus.MustNewConstMetric(passagesDesc, prometheus.GaugeValue, float64(passages))
	metrics <- prometheus.MustNewConstMetric(leftDesc, prometheus.GaugeValue, float64(left))
}

// counters returns what the table in the kernel has counted; zeros if there is none.
func (t *table) counters() (passed, limited uint64) {
	if !t.written {
		return 0, 0
	}
	c, err := nftables.New()
	if err != nil {
		return 0, 0
	}
	objects, err := c.GetNamedObjects(t.kernel())
	if err != nil {
		return 0, 0
	}
	for _, o := range objects {
		named, ok := o.(*nftables.NamedObj)
		if !ok {
			continue
		}
		count, ok := named.Obj.(*expr.Counter)
		switch {
		case !ok:
		case named.Name == counterPassed:
			passed = count.Packets
		case named.Name == counterLimit:
			limited = count.Packets
		}
	}
	return passed, limited
}

// keepCounters adds what the table has counted, before it goes.
func (t *table) keepCounters() {
	passed, limited := t.counters()
	t.passed, t.limited = t.passed+passed, t.limited+limited
}
