package daemon

import (
	"errors"
	"fmt"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/daymark-lb/daymark/internal/version"
)

// NewBuildInfo returns the metric that says which build of a program runs. Its value is always 1.
func NewBuildInfo(info version.Info) prometheus.Collector {
	gauge := prometheus.NewGaugeVec(prometheus.GaugeOpts{
		Name: "daymark_build_info", Help: "The build that runs, in labels. The value is always 1.",
	}, []string{"version", "revision", "goversion"})
	gauge.WithLabelValues(info.Version, info.Revision, info.Go).Set(1)
	return gauge
}

// registerMetrics registers what both programs have; a second time in one process is no error.
func registerMetrics(registerer prometheus.Registerer, info version.Info) error {
	for _, collector := range []prometheus.Collector{NewBuildInfo(info), NewAPIUnreachable()} {
		if err := registerer.Register(collector); err != nil && !errors.As(err, &prometheus.AlreadyRegisteredError{}) {
			return fmt.Errorf("register metrics: %w", err)
		}
	}
	return nil
}
