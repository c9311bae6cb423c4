package health

import (
	"strconv"

	"github.com/prometheus/client_golang/prometheus"
)

var served = prometheus.NewDesc("daymark_health_port_served",
	"Whether this speaker serves the Service's health-check port (0: somebody else does, or nobody).",
	[]string{"namespace", "service", "port"}, nil)

// collector makes the metrics of the ports when they are scraped.
type collector struct{ server *Server }

// Describe implements prometheus.Collector.
func (c collector) Describe(descs chan<- *prometheus.Desc) { descs <- served }

// Collect implements prometheus.Collector.
func (c collector) Collect(metrics chan<- prometheus.Metric) {
	for _, p := range c.server.Status() {
		value := 0.0
		if p.Served {
			value = 1
		}
		metrics <- prometheus.MustNewConstMetric(served, prometheus.GaugeValue, value,
			p.Service.Namespace, p.Service.Name, strconv.Itoa(int(p.Port)))
	}
}
