// Package daemon is what controller and speaker do alike before they differ: read a command line, say in one line what is
// wrong with it, find the API server, log, end on a signal with the right exit status. It refuses to know what a daemon
// does then.
package daemon

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"os/signal"
	"runtime/debug"
	"strconv"
	"syscall"

	"github.com/go-logr/logr"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/klog/v2"
	ctrl "sigs.k8s.io/controller-runtime"

	"github.com/daymark-lb/daymark/api/v1beta1"
	"github.com/daymark-lb/daymark/internal/core/announce"
	"github.com/daymark-lb/daymark/internal/core/lb"
)

// Exit statuses of a daemon.
const (
	exitFailure = 1
	exitUsage   = 2
)

// gcPercent makes the garbage collector work more than usual: what little is thrown away at rest makes it cheap, and at
// 5,000 Services a daemon has a fifth less memory resident, for a twentieth more processor time. GOGC overrides it.
const gcPercent = 30

// Program is one daemon.
type Program struct {
	Name  string
	Short string
	// Flags adds the daemon's own flags.
	Flags func(*pflag.FlagSet)
	// Check says what is wrong with them, before anything is done.
	Check func() error
	// Run is the daemon. It returns nil when ctx ends.
	Run func(ctx context.Context, f *Flags, log *slog.Logger) error
}

// Flags that every daemon has.
type Flags struct {
	Kubeconfig string
	Namespace  string
	// Metrics and Health are addresses to listen on; "0" for none.
	Metrics string
	Health  string
	Classes lb.Classes
	// Options of announcing: what the speakers do by them, the controller explains.
	Options announce.Options

	levelText string
	level     slog.Level
}

// Main runs a program with the command line and ends the process: status 0 when it was stopped by a signal, 2 when the
// command line is wrong, 1 when anything else failed, each with one line on stderr.
func Main(p Program, metrics, health string) {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(gcPercent)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	status := Execute(ctx, p, metrics, health, os.Args[1:], os.Stderr)
	stop()
	os.Exit(status)
}

// Execute is Main without the process: it returns the exit status.
func Execute(ctx context.Context, p Program, metrics, health string, args []string, stderr io.Writer) int {
	f := &Flags{Metrics: metrics, Health: health}
	c := &cobra.Command{
		Use: p.Name, Short: p.Short,
		SilenceErrors: true, SilenceUsage: true,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) > 0 {
				return usageError{fmt.Errorf("unknown argument %q", args[0])}
			}
			return nil
		},
		RunE: func(c *cobra.Command, _ []string) error {
			if err := cmp.Or(f.check(), p.Check()); err != nil {
				return usageError{err}
			}
			log := slog.New(slog.NewTextHandler(stderr, &slog.HandlerOptions{Level: f.level}))
			// Libraries speak of their own affairs: at one level less than we do.
			bridge := logr.FromSlogHandler(slog.NewTextHandler(stderr, &slog.HandlerOptions{Level: f.level + 4}))
			ctrl.SetLogger(bridge)
			klog.SetLogger(bridge)
			return p.Run(c.Context(), f, log)
		},
	}
	c.CompletionOptions.DisableDefaultCmd = true
	c.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return usageError{err} })
	c.SetArgs(args)
	f.add(c.Flags())
	p.Flags(c.Flags())

	err := c.ExecuteContext(ctx)
	if err == nil {
		return 0
	}
	fmt.Fprintf(stderr, "%s: %v\n", p.Name, err)
	if errors.As(err, &usageError{}) {
		return exitUsage
	}
	return exitFailure
}

// usageError is a command line that is wrong.
type usageError struct{ error }

func (f *Flags) add(set *pflag.FlagSet) {
	set.SortFlags = false
	set.StringVar(&f.Kubeconfig, "kubeconfig", "", "file that says how to reach the API server (default: $KUBECONFIG, then in-cluster)")
	set.StringVar(&f.Namespace, "namespace", "daymark-system", "namespace that Daymark runs in")
	set.StringVar(&f.Metrics, "metrics-bind-address", f.Metrics, "address:port for metrics, 0 for none")
	set.StringVar(&f.Health, "health-bind-address", f.Health, "address:port for health probes, 0 for none")
	set.StringVar(&f.Classes.Name, "load-balancer-class", v1beta1.LoadBalancerClass, "spec.loadBalancerClass of Services to serve")
	set.BoolVar(&f.Classes.Classless, "serve-classless", true, "serve Services without a class too")
	set.BoolVar(&f.Options.IgnoreExcludeLabel, "ignore-exclude-label", false, "nodes with the label node.kubernetes.io/exclude-from-external-load-balancers announce too")
	set.BoolVar(&f.Options.WithdrawOnCordon, "withdraw-on-cordon", false, "nodes that are cordoned do not announce")
	set.StringVar(&f.levelText, "log-level", "info", "debug, info, warn or error")
}

func (f *Flags) check() error {
	if err := f.level.UnmarshalText([]byte(f.levelText)); err != nil {
		return fmt.Errorf("--log-level must be debug, info, warn or error, not %q", f.levelText)
	}
	if f.Namespace == "" {
		return errors.New("--namespace must not be empty")
	}
	if f.Kubeconfig != "" {
		if _, err := os.Stat(f.Kubeconfig); err != nil {
			return fmt.Errorf("--kubeconfig: %w", err)
		}
	}
	return cmp.Or(f.Classes.Validate(), checkBind("--metrics-bind-address", f.Metrics), checkBind("--health-bind-address", f.Health))
}

// checkBind says what is wrong with an address to listen on.
func checkBind(flag, text string) error {
	if text == "0" {
		return nil
	}
	if _, port, err := net.SplitHostPort(text); err == nil {
		if _, err := strconv.ParseUint(port, 10, 16); err == nil {
			return nil
		}
	}
	return fmt.Errorf("%s must be address:port or 0, not %q", flag, text)
}

// RESTConfig finds the API server: --kubeconfig, $KUBECONFIG, in-cluster.
func (f *Flags) RESTConfig() (*rest.Config, error) {
	file := cmp.Or(f.Kubeconfig, os.Getenv(clientcmd.RecommendedConfigPathEnvVar))
	var config *rest.Config
	var err error
	if file == "" {
		config, err = rest.InClusterConfig()
	} else {
		config, err = clientcmd.BuildConfigFromFlags("", file)
	}
	if err != nil {
		return nil, fmt.Errorf("find the API server: %w", err)
	}
	return config, nil
}
