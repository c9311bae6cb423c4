package health

import "github.com/prometheus/client_golang/prometheus"

// States of a health-check port; a label of a metric.
const (
	stateServed = "served"
	stateLeft   = "left"
	stateFailed = "failed"
)

var portsDesc = prometheus.NewDesc("daymark_health_ports",
	"Health-check ports of Services, by state: served by this speaker, left to the process that has the port or may still open it, failed to open.",
	[]string{"state"}, nil)

// collector counts the ports when they are scraped. There is no series of each: their number is that of the Services.
type collector struct{ server *Server }

// Describe implements prometheus.Collector.
func (c collector) Describe(descs chan<- *prometheus.Desc) { descs <- portsDesc }

// Collect implements prometheus.Collector.
func (c collector) Collect(metrics chan<- prometheus.Metric) {
	counts := map[string]int{stateServed: 0, stateLeft: 0, stateFailed: 0}
	c.server.portsMu.Lock()
	for _, p := range c.server.ports {
		counts[p.state()]++
	}
	c.server.portsMu.Unlock()
	for state, count := range counts {
		metrics <- prometheus.MustNewConstMetric(portsDesc, prometheus.GaugeValue, float64(count), state)
	}
}

func (p *port) state() string {
	switch {
	case p.open():
		return stateServed
	case p.err != nil && !p.lent:
		return stateFailed
	}
	return stateLeft
}
