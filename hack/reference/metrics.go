package main

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/prometheus/client_golang/prometheus"

	controller "github.com/daymark-lb/daymark/controller/reconcile"
	"github.com/daymark-lb/daymark/internal/daemon"
	"github.com/daymark-lb/daymark/internal/version"
	"github.com/daymark-lb/daymark/speaker/bfd"
	"github.com/daymark-lb/daymark/speaker/bgp"
	"github.com/daymark-lb/daymark/speaker/connections"
	"github.com/daymark-lb/daymark/speaker/gossip"
	"github.com/daymark-lb/daymark/speaker/health"
	"github.com/daymark-lb/daymark/speaker/layer2"
	"github.com/daymark-lb/daymark/speaker/proxycheck"
	speaker "github.com/daymark-lb/daymark/speaker/reconcile"
)

// controllerMetrics and speakerMetrics register what the programs register.
func controllerMetrics(r prometheus.Registerer) {
	controller.RegisterMetrics(r)
	r.MustRegister(daemon.NewBuildInfo(version.Get()), daemon.NewAPIUnreachable())
}

func speakerMetrics(r prometheus.Registerer) {
	log := slog.New(slog.DiscardHandler)
	speaker.RegisterMetrics(r)
	gossip.New(gossip.Config{Log: log, Registerer: r})
	layer2.New(layer2.Config{Log: log, Registerer: r})
	bgp.New(bgp.Config{Log: log, Registerer: r})
	bfd.New(bfd.Config{Log: log, Registerer: r})
	health.New(health.Config{Log: log, Registerer: r})
	proxycheck.New(proxycheck.Target{}, log, r)
	connections.New(connections.Config{Log: log, Registerer: r})
	r.MustRegister(daemon.NewBuildInfo(version.Get()), daemon.NewAPIUnreachable())
}

func metricsPage(context.Context) (string, error) {
	var b strings.Builder
	b.WriteString("# Metrics\n\nBoth programs serve their metrics in the format of Prometheus at `/metrics` of `--metrics-bind-address`. " +
		"Besides these there are those of controller-runtime, client-go and the Go runtime.\n")
	for _, program := range []struct {
		name     string
		register func(prometheus.Registerer)
	}{{"controller", controllerMetrics}, {"speaker", speakerMetrics}} {
		var seen recorder
		program.register(&seen)
		if len(seen.wrong) > 0 {
			return "", fmt.Errorf("metrics that cannot be read: %v", seen.wrong)
		}
		slices.SortFunc(seen.rows, func(a, b []string) int { return cmp.Compare(a[0], b[0]) })
		fmt.Fprintf(&b, "\n## The %s\n\n%s", program.name, table([]string{"metric", "type", "labels", "meaning"}, seen.rows))
	}
	return b.String(), nil
}

// recorder is a Registerer that notes how the metrics describe themselves.
type recorder struct {
	rows  [][]string
	wrong []string
}

// described is what Desc.String gives; there is no other way to read a Desc.
var described = regexp.MustCompile(`^Desc\{fqName: ("(?:[^"\\]|\\.)*"), help: ("(?:[^"\\]|\\.)*"), (?:unit: "[^"]*", )?constLabels: \{[^}]*\}, variableLabels: \{([^}]*)\}\}$`)

// Register implements prometheus.Registerer.
func (r *recorder) Register(c prometheus.Collector) error {
	descs := make(chan *prometheus.Desc)
	go func() {
		c.Describe(descs)
		close(descs)
	}()
	for desc := range descs {
		parts := described.FindStringSubmatch(desc.String())
		if parts == nil {
			r.wrong = append(r.wrong, desc.String())
			continue
		}
		name, _ := strconv.Unquote(parts[1])
		help, _ := strconv.Unquote(parts[2])
		r.rows = append(r.rows, []string{code(name), kindOf(name, c), code(strings.ReplaceAll(parts[3], ",", "` `")), sentence(help)})
	}
	return nil
}

// kindOf a metric: by the type of its collector where that is one of Prometheus' own, and by the conventional end of the name
// where a collector of ours makes several kinds.
func kindOf(name string, c prometheus.Collector) string {
	switch c.(type) {
	case prometheus.Histogram, *prometheus.HistogramVec:
		return "histogram"
	}
	if strings.HasSuffix(name, "_total") {
		return "counter"
	}
	return "gauge"
}

// MustRegister implements prometheus.Registerer.
func (r *recorder) MustRegister(all ...prometheus.Collector) {
	for _, c := range all {
		_ = r.Register(c) // never fails
	}
}

// Unregister implements prometheus.Registerer.
func (r *recorder) Unregister(prometheus.Collector) bool { return false }
