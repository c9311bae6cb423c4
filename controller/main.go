// Command controller gives the Services of a cluster their addresses and reports the state of Daymark's objects. This
// package only wires the parts together, in the order in which they start; it decides nothing.
package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/spf13/pflag"
	"k8s.io/apimachinery/pkg/runtime"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	"sigs.k8s.io/controller-runtime/pkg/metrics"
	metricsserver "sigs.k8s.io/controller-runtime/pkg/metrics/server"

	"github.com/daymark-lb/daymark/api/v1beta1"
	"github.com/daymark-lb/daymark/controller/crds"
	"github.com/daymark-lb/daymark/controller/reconcile"
	"github.com/daymark-lb/daymark/internal/daemon"
	"github.com/daymark-lb/daymark/internal/informer"
)

func main() {
	var elect bool
	var config reconcile.Config
	daemon.Main(daemon.Program{
		Name:    "controller",
		Short:   "Gives LoadBalancer Services their addresses",
		Metrics: ":7470", Health: ":7471",
		Flags: func(set *pflag.FlagSet) {
			set.DurationVar(&config.PoolGrace, "pool-grace", 10*time.Minute, "how long Services keep the addresses of an IPAddressPool that does not exist any more")
			set.BoolVar(&config.CleanupFinalizer, "cleanup-finalizer", false, "give Services with addresses the finalizer "+v1beta1.FinalizerCleanup+
				", which keeps a Service that is deleted until no node announces its addresses; turn it off before you uninstall")
			set.BoolVar(&elect, "leader-elect", true, "wait until no other controller works on the cluster")
		},
		Validate: func() error {
			if config.PoolGrace < 0 {
				return fmt.Errorf("--pool-grace must not be negative, and is %s", config.PoolGrace)
			}
			return nil
		},
		Run: func(ctx context.Context, f *daemon.Flags, log *slog.Logger) error {
			config.Namespace, config.Classes, config.Options, config.Log, config.Registerer = f.Namespace, f.Classes, f.Options, log, metrics.Registry
			return run(ctx, f, elect, config)
		},
		Tasks: []daemon.Task{
			{Name: "apply-crds", Short: "Applies the definitions of Daymark's kinds, as this version has them", Run: applyDefinitions},
			{Name: "drop-finalizers", Short: "Ends the controllers and removes Daymark's finalizer from Services, before an uninstallation", Run: dropFinalizers},
		},
	})
}

// run starts the loop and blocks until ctx ends.
func run(ctx context.Context, f *daemon.Flags, elect bool, config reconcile.Config) error {
	m, err := newManager(f)
	if err != nil {
		return err
	}
	if elect {
		if config.Leader, err = reconcile.NewLeader(m.GetConfig(), f.Namespace, config.Log); err != nil {
			return err
		}
		if err := m.Add(config.Leader); err != nil {
			return fmt.Errorf("add to the manager: %w", err)
		}
	}
	loop, err := reconcile.Add(m, config)
	if err != nil {
		return err
	}
	if f.Health != "0" {
		if err := m.Add(daemon.Probes{Alive: loop.Alive, Ready: loop.Ready}.Serve(f.Health, config.Log)); err != nil {
			return fmt.Errorf("add to the manager: %w", err)
		}
	}
	if err := f.Serve(m, config.Log); err != nil {
		return err
	}
	config.Log.Info("controller starts", "namespace", f.Namespace, "leader election", elect)
	return m.Start(ctx)
}

func applyDefinitions(ctx context.Context, f *daemon.Flags, log *slog.Logger) error {
	config, err := f.RESTConfig()
	if err != nil {
		return err
	}
	return crds.Apply(ctx, config, log)
}

func dropFinalizers(ctx context.Context, f *daemon.Flags, log *slog.Logger) error {
	config, err := f.RESTConfig()
	if err != nil {
		return err
	}
	return reconcile.DropFinalizers(ctx, config, f.Namespace, log)
}

func newManager(f *daemon.Flags) (manager.Manager, error) {
	config, err := f.RESTConfig()
	if err != nil {
		return nil, err
	}
	config.UserAgent = "daymark-controller"
	// Writes are bounded by the number under way at a time, and the API server's priority and fairness does the rest.
	config.QPS = -1
	scheme := runtime.NewScheme()
	if err := errors.Join(clientgoscheme.AddToScheme(scheme), v1beta1.AddToScheme(scheme)); err != nil {
		return nil, fmt.Errorf("register the API types: %w", err)
	}
	m, err := ctrl.NewManager(config, ctrl.Options{
		Scheme:                 scheme,
		Cache:                  reconcile.CacheOptions(scheme, f.Namespace, f.Classes),
		MapperProvider:         informer.Mapper,
		Metrics:                metricsserver.Options{BindAddress: "0"}, // daemon.Flags serves them, when the address is there
		HealthProbeBindAddress: "0",                                     // daemon.Probes serves them, with the reason
	})
	if err != nil {
		return nil, fmt.Errorf("make the manager: %w", err)
	}
	return m, nil
}
