package main

import (
	"slices"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil/promlint"
	dto "github.com/prometheus/client_model/go"
	"k8s.io/utils/ptr"
)

// boundedLabels are the labels that metrics may have, and why each has a bounded number of values. One of a Service, an address or a
// node would have as many as the cluster is large, on every node.
var boundedLabels = map[string]string{
	"pool":      "IPAddressPools are made by hand",
	"peer":      "so are BGPPeers",
	"session":   "of a node with each router",
	"family":    "two",
	"holders":   "0, 1, 2+ or unknown",
	"state":     "those in the help text",
	"result":    "those in the help text",
	"reason":    "those in the help text, or in docs/reference/conditions-and-reasons.md",
	"condition": "two",
	"status":    "three",
	"kind":      "the kinds that the controller writes, or two of a path",
	"urgency":   "those in the help text",
	"version":   "one in a process", "revision": "one in a process", "goversion": "one in a process",
}

// What prometheus/client_golang's linter knows of names and help texts, over what both programs register, with or without a value.
func TestMetrics_AreNamedAsPrometheusHasIt(t *testing.T) {
	for _, register := range []func(prometheus.Registerer){controllerMetrics, speakerMetrics} {
		var seen recorder
		register(&seen)
		if len(seen.rows) < 5 || len(seen.wrong) > 0 {
			t.Fatalf("%d metrics, and not read: %v", len(seen.rows), seen.wrong)
		}
		for _, row := range seen.rows {
			name := strings.Trim(row[0], "`")
			if !strings.HasPrefix(name, "daymark_") {
				t.Errorf("%s does not begin with daymark_", name)
			}
			if seconds := strings.Contains(name, "duration") || strings.Contains(name, "timestamp"); seconds && !strings.HasSuffix(name, "_seconds") {
				t.Errorf("%s is not in seconds", name)
			}
			problems, err := promlint.NewWithMetricFamilies([]*dto.MetricFamily{familyOf(name, row[1], row[3])}).Lint()
			if err != nil || len(problems) > 0 {
				t.Errorf("%s: %v %v", name, problems, err)
			}
		}
	}
}

// familyOf makes what the linter reads.
func familyOf(name, kind, help string) *dto.MetricFamily {
	family := &dto.MetricFamily{Name: &name, Help: &help}
	switch kind {
	case "counter":
		family.Type, family.Metric = dto.MetricType_COUNTER.Enum(), []*dto.Metric{{Counter: &dto.Counter{Value: ptr.To(1.0)}}}
	case "histogram":
		family.Type, family.Metric = dto.MetricType_HISTOGRAM.Enum(), []*dto.Metric{{Histogram: &dto.Histogram{}}}
	default:
		family.Type, family.Metric = dto.MetricType_GAUGE.Enum(), []*dto.Metric{{Gauge: &dto.Gauge{Value: ptr.To(1.0)}}}
	}
	return family
}

func TestMetrics_HaveBoundedLabels(t *testing.T) {
	for _, register := range []func(prometheus.Registerer){controllerMetrics, speakerMetrics} {
		var seen recorder
		register(&seen)
		for _, row := range seen.rows {
			labels := strings.Fields(strings.ReplaceAll(row[2], "`", " "))
			for _, label := range labels {
				if boundedLabels[label] == "" {
					t.Errorf("label %s of %s may have any number of values", label, row[0])
				}
			}
			if slices.Contains(labels, "session") && slices.Contains(labels, "address") {
				t.Errorf("%s has the address of a session twice", row[0])
			}
		}
	}
}
