package main

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// Alerts and dashboards ask for metrics that there are, by labels that these have.
func TestMonitoring_AsksForMetricsThatThereAre(t *testing.T) {
	known := knownLabels(t)
	asked := regexp.MustCompile(`daymark_[a-z0-9_]+`)
	by := regexp.MustCompile(`by \(([a-z_, ]+)\) \([^)]*?(daymark_[a-z0-9_]+)`)
	files, err := filepath.Glob(root + "/config/chart/dashboards/*.json")
	if err != nil || len(files) < 2 {
		t.Fatalf("%v %v", files, err)
	}
	for _, file := range append(files, root+"/config/chart/rules.yaml") {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		names := asked.FindAllString(string(text), -1)
		if len(names) < 9 {
			t.Errorf("%s asks for %d metrics", file, len(names))
		}
		for _, name := range names {
			if known[family(name)] == nil {
				t.Errorf("%s asks for %s, which there is not", file, name)
			}
		}
		for _, match := range by.FindAllStringSubmatch(string(text), -1) {
			for _, label := range strings.Split(match[1], ", ") {
				if !slices.Contains(known[family(match[2])], label) {
					t.Errorf("%s: %s has no label %s", file, match[2], label)
				}
			}
		}
	}
}

// knownLabels are the labels of all metrics, with those that Prometheus and the chart's PodMonitor add.
func knownLabels(t *testing.T) map[string][]string {
	t.Helper()
	text, err := os.ReadFile(root + "/docs/reference/metrics.md")
	if err != nil {
		t.Fatal(err)
	}
	known := map[string][]string{}
	row := regexp.MustCompile("(?m)^\\| `(daymark_[a-z0-9_]+)` \\| [a-z]+ \\| ([^|]*) \\|")
	for _, match := range row.FindAllStringSubmatch(string(text), -1) {
		known[match[1]] = append(strings.Fields(strings.ReplaceAll(match[2], "`", "")), "node", "instance", "le")
	}
	return known
}

// family is the metric that a series of a histogram belongs to.
func family(series string) string {
	if strings.Contains(series, "_duration_seconds") {
		return series[:strings.Index(series, "_duration_seconds")] + "_duration_seconds"
	}
	return series
}
