// Package daemon is what controller and speaker have in common: it reads the command line, says in one line what is wrong with
// it, finds the API server, sets up the log, and ends the process with the right exit status. It refuses to know what a daemon
// does after that.
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
	"sigs.k8s.io/controller-runtime/pkg/metrics"

	"github.com/daymark-lb/daymark/api/v1beta1"
	"github.com/daymark-lb/daymark/internal/core/announce"
	"github.com/daymark-lb/daymark/internal/core/lb"
	"github.com/daymark-lb/daymark/internal/version"
)

// Exit statuses of a daemon, besides 0.
const (
	exitFailure = 1
	exitUsage   = 2
)

// Formats of the log.
const (
	formatText = "text"
	formatJSON = "json"
)

// gcPercent is how much the heap may grow before the garbage collector runs, if GOGC does not say otherwise. It is lower than
// Go's default of 100: at 5,000 Services a daemon then has a fifth less memory resident, for a twentieth more processor time.
const gcPercent = 30

// Program is one daemon.
type Program struct {
	Name string
	// Short is the first line of its help text.
	Short string
	// Metrics and Health are the defaults of the addresses to listen on.
	Metrics, Health string
	// Flags adds the daemon's own flags.
	Flags func(*pflag.FlagSet)
	// Validate returns what is wrong with the daemon's own flags. It is called before Run.
	Validate func() error
	// Run is the daemon. It returns nil when ctx ends.
	Run func(ctx context.Context, f *Flags, log *slog.Logger) error
	// Tasks are what the program can do instead.
	Tasks []Task
}

// Task is what a program does once, when its name is the first argument, and then ends. The help of the program does not show it.
type Task struct {
	Name, Short string
	Run         func(ctx context.Context, f *Flags, log *slog.Logger) error
}

// Flags that every daemon has.
type Flags struct {
	Kubeconfig string
	// Namespace that Daymark runs in.
	Namespace string
	listeners
	// Health is the address to answer probes on; "0" for none.
	Health string
	// Classes of Services to serve.
	Classes lb.Classes
	// Options of announcing. The controller needs them, too, to explain what the speakers do.
	Options announce.Options

	levelText string
	level     slog.Level
	// logFormat is text or json.
	logFormat string
}

// Main runs a program with the command line of the process and ends the process: with status 0 after SIGINT or SIGTERM, with 2
// when the command line is wrong, with 1 when anything else failed. Failures are one line on stderr. That nobody reads stdout or stderr
// any more is no failure.
func Main(p Program) {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(gcPercent)
	}
	// Who reads the log may end first, as when a machine is shut down and all are told to end at once. A line that nobody reads is then
	// lost; the signal would end the process in the middle of a hand-over.
	signal.Ignore(syscall.SIGPIPE)
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	status := execute(ctx, p, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	os.Exit(status)
}

// execute runs a program with a command line and returns the exit status.
func execute(ctx context.Context, p Program, args []string, stdout, stderr io.Writer) int {
	f := &Flags{listeners: listeners{Metrics: p.Metrics}, Health: p.Health}
	c := &cobra.Command{
		Use: p.Name, Short: p.Short, Version: version.Get().String(),
		SilenceErrors: true, SilenceUsage: true,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) > 0 {
				return usageError{fmt.Errorf("unknown argument %q", args[0])}
			}
			return nil
		},
		RunE: func(c *cobra.Command, _ []string) error {
			if err := cmp.Or(f.validate(), p.Validate()); err != nil {
				return usageError{err}
			}
			if err := registerMetrics(metrics.Registry, version.Get()); err != nil {
				return err
			}
			return p.Run(c.Context(), f, f.newLog(stderr))
		},
	}
	c.CompletionOptions.DisableDefaultCmd = true
	c.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return usageError{err} })
	c.SetArgs(args)
	c.SetOut(stdout)
	f.add(c.Flags())
	p.Flags(c.Flags())
	for _, t := range p.Tasks {
		c.AddCommand(t.command(f, stderr))
	}

	err := c.ExecuteContext(ctx)
	if err == nil {
		return 0
	}
	fmt.Fprintf(stderr, "%s: %v%s\n", p.Name, err, remedy(err))
	if errors.As(err, &usageError{}) {
		return exitUsage
	}
	return exitFailure
}

// remedy says what to do about an error, where there is more to say than it does.
func remedy(err error) string {
	if errors.Is(err, syscall.EADDRINUSE) {
		return ": another program has that port, which `ss -lntup` on the node names: stop it, or change the port by ports of the chart's values or the flag"
	}
	if errors.Is(err, syscall.EADDRNOTAVAIL) {
		return ": no interface of the node has that address, which `ip address` on the node shows: add it, or change the flag"
	}
	return ""
}

func (t Task) command(f *Flags, stderr io.Writer) *cobra.Command {
	c := &cobra.Command{
		Use: t.Name, Short: t.Short, Args: cobra.NoArgs, Hidden: true,
		RunE: func(c *cobra.Command, _ []string) error { return t.Run(c.Context(), f, f.newLog(stderr)) },
	}
	f.addKubeconfig(c.Flags())
	f.addNamespace(c.Flags())
	return c
}

// newLog returns the program's log and makes the libraries log to the same place.
func (f *Flags) newLog(out io.Writer) *slog.Logger {
	handler := func(level slog.Level) slog.Handler {
		options := &slog.HandlerOptions{Level: level}
		if f.logFormat == formatJSON {
			return slog.NewJSONHandler(out, options)
		}
		return slog.NewTextHandler(out, options)
	}
	// What libraries log is less important than what we log: an Info of theirs appears where our Debug does.
	libraries := logr.FromSlogHandler(handler(f.level + 4))
	ctrl.SetLogger(libraries)
	klog.SetLogger(libraries)
	return slog.New(handler(f.level))
}

// usageError is a command line that is wrong.
type usageError struct{ error }

func (f *Flags) addKubeconfig(set *pflag.FlagSet) {
	set.StringVar(&f.Kubeconfig, "kubeconfig", "", "file that says how to reach the API server (default: $KUBECONFIG, then in-cluster)")
}

func (f *Flags) addNamespace(set *pflag.FlagSet) {
	set.StringVar(&f.Namespace, "namespace", "daymark-system", "namespace that Daymark runs in")
}

func (f *Flags) add(set *pflag.FlagSet) {
	set.SortFlags = false
	f.addKubeconfig(set)
	f.addNamespace(set)
	f.listeners.add(set)
	set.StringVar(&f.Health, "health-bind-address", f.Health, "address:port for health probes, 0 for none")
	set.StringVar(&f.Classes.Name, "load-balancer-class", v1beta1.LoadBalancerClass, "spec.loadBalancerClass of Services to serve")
	set.BoolVar(&f.Classes.Classless, "serve-classless", true, "serve Services without a class too")
	set.BoolVar(&f.Options.IgnoreExcludeLabel, "ignore-exclude-label", false, "nodes with the label node.kubernetes.io/exclude-from-external-load-balancers announce too")
	set.BoolVar(&f.Options.WithdrawOnCordon, "withdraw-on-cordon", false, "nodes that are cordoned do not announce")
	set.StringVar(&f.levelText, "log-level", "info", "debug, info, warn or error")
	set.StringVar(&f.logFormat, "log-format", formatText, "text or json, one object a line")
}

func (f *Flags) validate() error {
	if err := f.level.UnmarshalText([]byte(f.levelText)); err != nil {
		return fmt.Errorf("--log-level must be debug, info, warn or error, not %q", f.levelText)
	}
	if f.logFormat != formatText && f.logFormat != formatJSON {
		return fmt.Errorf("--log-format must be text or json, not %q", f.logFormat)
	}
	if f.Namespace == "" {
		return errors.New("--namespace must not be empty")
	}
	if f.Kubeconfig != "" {
		if _, err := os.Stat(f.Kubeconfig); err != nil {
			return fmt.Errorf("--kubeconfig: %w", err)
		}
	}
	return cmp.Or(f.Classes.Validate(), f.listeners.validate(), validateBind("--health-bind-address", f.Health))
}

// validateBind returns what is wrong with an address to listen on, which a flag gives.
func validateBind(flag, text string) error {
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

// RESTConfig says how to reach the API server: by --kubeconfig, by $KUBECONFIG, or as a Pod does.
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
	// As the controllers of Kubernetes itself. The API server would compress each event of a watch by itself and for each
	// watcher anew, which costs more processor time on both sides than it saves bytes.
	config.DisableCompression = true
	contact.observe(config)
	return config, nil
}
