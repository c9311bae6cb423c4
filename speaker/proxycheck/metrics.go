package proxycheck

import (
	"github.com/prometheus/client_golang/prometheus"

	"github.com/daymark-lb/daymark/internal/core/proxyhealth"
)

var working = prometheus.NewDesc("daymark_service_proxy_working",
	"Whether the service proxy of the node says that it works (0: it does not, or nothing answers). Absent when nobody asks.", nil, nil)

// collector makes the metric when it is scraped.
type collector struct{ checker *Checker }

// Describe implements prometheus.Collector.
func (c collector) Describe(descs chan<- *prometheus.Desc) { descs <- working }

// Collect implements prometheus.Collector.
func (c collector) Collect(metrics chan<- prometheus.Metric) {
	result, known := c.checker.Result()
	if !known || result.Check == proxyhealth.Off {
		return
	}
	value := 0.0
	if result.Check == proxyhealth.Working {
		value = 1
	}
	metrics <- prometheus.MustNewConstMetric(working, prometheus.GaugeValue, value)
}
