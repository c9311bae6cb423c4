// Command controller gives the Services of a cluster their addresses and reports the state of Daymark's objects. This
// package only wires the parts together, in the order in which they start; it decides nothing.
package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"

	"github.com/spf13/pflag"
	"k8s.io/apimachinery/pkg/runtime"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/healthz"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	"sigs.k8s.io/controller-runtime/pkg/metrics"
	metricsserver "sigs.k8s.io/controller-runtime/pkg/metrics/server"

	"github.com/daymark-lb/daymark/api/v1beta1"
	"github.com/daymark-lb/daymark/controller/reconcile"
	"github.com/daymark-lb/daymark/internal/daemon"
	"github.com/daymark-lb/daymark/internal/informer"
)

func main() {
	var elect bool
	daemon.Main(daemon.Program{
		Name:    "controller",
		Short:   "Gives LoadBalancer Services their addresses",
		Metrics: ":7470", Health: ":7471",
		Flags: func(set *pflag.FlagSet) {
			set.BoolVar(&elect, "leader-elect", true, "wait until no other controller works on the cluster")
		},
		Validate: func() error { return nil },
		Run: func(ctx context.Context, f *daemon.Flags, log *slog.Logger) error {
			return run(ctx, f, elect, log)
		},
	})
}

// run starts the loop and blocks until ctx ends.
func run(ctx context.Context, f *daemon.Flags, elect bool, log *slog.Logger) error {
	m, err := newManager(f)
	if err != nil {
		return err
	}
	var leader *reconcile.Leader
	if elect {
		if leader, err = reconcile.NewLeader(m.GetConfig(), f.Namespace, log); err != nil {
			return err
		}
		if err := m.Add(leader); err != nil {
			return fmt.Errorf("add to the manager: %w", err)
		}
	}
	if _, err := reconcile.Add(m, reconcile.Config{
		Namespace: f.Namespace, Classes: f.Classes, Options: f.Options, Leader: leader, Log: log, Registerer: metrics.Registry,
	}); err != nil {
		return err
	}
	if err := errors.Join(m.AddHealthzCheck("alive", healthz.Ping), m.AddReadyzCheck("started", healthz.Ping)); err != nil {
		return fmt.Errorf("serve health probes: %w", err)
	}
	log.Info("controller starts", "namespace", f.Namespace, "leader election", elect)
	return m.Start(ctx)
}

func newManager(f *daemon.Flags) (manager.Manager, error) {
	config, err := f.RESTConfig()
	if err != nil {
		return nil, err
	}
	// Writes are bounded by the number under way at a time, and the API server's priority and fairness does the rest.
	config.QPS = -1
	// As the controllers of Kubernetes itself: near the API server, processor time is dearer than bytes.
	config.DisableCompression = true
	scheme := runtime.NewScheme()
	if err := errors.Join(clientgoscheme.AddToScheme(scheme), v1beta1.AddToScheme(scheme)); err != nil {
		return nil, fmt.Errorf("register the API types: %w", err)
	}
	m, err := ctrl.NewManager(config, ctrl.Options{
		Scheme:                 scheme,
		Cache:                  informer.Options(scheme, f.Namespace),
		MapperProvider:         informer.Mapper,
		Metrics:                metricsserver.Options{BindAddress: f.Metrics},
		HealthProbeBindAddress: f.Health,
	})
	if err != nil {
		return nil, fmt.Errorf("make the manager: %w", err)
	}
	return m, nil
}
