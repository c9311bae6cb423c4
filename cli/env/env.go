// Package env is what every command is given: kubectl's flags, where to read from, the streams and the clock. Its one job is that a
// command has nothing global, so that a test gives it objects, streams and a time of its own. It refuses to know any command.
package env

import (
	"cmp"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/pflag"
	"k8s.io/cli-runtime/pkg/genericclioptions"
	"k8s.io/cli-runtime/pkg/genericiooptions"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/daymark-lb/daymark/cli/source"
	"github.com/daymark-lb/daymark/internal/version"
)

// Env is the environment of a command. Data goes to Out; progress, remarks and warnings go to ErrOut.
type Env struct {
	genericiooptions.IOStreams
	// Config has kubectl's flags.
	Config *genericclioptions.ConfigFlags
	// From is a file to read in the place of a cluster; empty: none.
	From string
	// System is the namespace that Daymark runs in; see FindSystem.
	System string
	// Version of this program.
	Version string
	// Now is the clock.
	Now func() time.Time
	// Objects, when not nil, are read in the place of a cluster or a file.
	Objects source.Source

	// file is what From has, once it was read.
	file source.Source
	// systemFlag is --daymark-namespace.
	systemFlag *pflag.Flag
	// systemFound: System was looked for already.
	systemFound bool
}

// New returns an environment with the flags' defaults.
func New(streams genericiooptions.IOStreams) *Env {
	return &Env{IOStreams: streams, Config: genericclioptions.NewConfigFlags(true).WithWarningPrinter(streams), Version: version.Get().Version, Now: time.Now}
}

// AddFlags adds the flags that every command has.
func (e *Env) AddFlags(flags *pflag.FlagSet) {
	e.Config.AddFlags(flags)
	flags.Lookup("cache-dir").DefValue = "$HOME/.kube/cache" // help and reference do not depend on who asks
	flags.StringVar(&e.From, "from", "", "Read a bundle, or objects in YAML or JSON, instead of a cluster; - is the standard input")
	flags.StringVar(&e.System, "daymark-namespace", "daymark-system", "Namespace that Daymark runs in, if it is not the one that its controller is seen in")
	e.systemFlag = flags.Lookup("daymark-namespace")
}

// Live reports whether a cluster is read, which answers more questions than a file.
func (e *Env) Live() bool { return e.Objects == nil && e.From == "" }

// Source says where to read objects.
func (e *Env) Source() (source.Source, error) {
	if e.Objects != nil {
		return e.Objects, nil
	}
	if e.From != "" {
		return e.open()
	}
	config, err := e.Config.ToRESTConfig()
	if err != nil {
		return nil, fmt.Errorf("find the API server: %w", err)
	}
	return source.NewCluster(config, e.Now)
}

// open the file, which is read once.
func (e *Env) open() (source.Source, error) {
	if e.file == nil {
		file, err := e.read()
		if err != nil {
			return nil, err
		}
		e.file = file
	}
	return e.file, nil
}

// read what --from names; - is the standard input.
func (e *Env) read() (source.Source, error) {
	if e.From == "-" {
		return source.Read("the standard input", e.In, e.Now())
	}
	return source.Open(e.From, e.Now())
}

// Client is for commands that need more than Source reads, and that write. It watches nothing: each request has a limited time.
func (e *Env) Client() (client.WithWatch, error) {
	if e.From != "" {
		return nil, Usage(errors.New("this command needs a cluster, and cannot be used with --from"))
	}
	config, err := e.Config.ToRESTConfig()
	if err != nil {
		return nil, fmt.Errorf("find the API server: %w", err)
	}
	if config.QPS == 0 {
		config.QPS, config.Burst = 50, 300
	}
	config.Timeout = cmp.Or(config.Timeout, source.Patience)
	mapper, err := e.Config.ToRESTMapper()
	if err != nil {
		return nil, fmt.Errorf("find the API server: %w", err)
	}
	return client.NewWithWatch(config, client.Options{Scheme: source.Scheme, Mapper: mapper})
}

// Namespace is that of --namespace, or else of the context; explicit says which.
func (e *Env) Namespace() (name string, explicit bool, err error) {
	name, explicit, err = e.Config.ToRawKubeConfigLoader().Namespace()
	if err != nil && (e.From != "" || e.Objects != nil) {
		return "default", false, nil // a file is read without a kubeconfig
	}
	if err != nil {
		return "", false, fmt.Errorf("find the namespace: %w", err)
	}
	return name, explicit, nil
}

// Warn writes remarks to the user that are no data. What stands in them of a cluster or a file cannot do anything to the terminal.
func (e *Env) Warn(format string, args ...any) {
	fmt.Fprintf(e.ErrOut, format+"\n", Lines(args)...)
}

// WarnOfGaps says what the user does not see.
func (e *Env) WarnOfGaps(gaps []source.Gap) {
	var forbidden []string
	for _, gap := range gaps {
		if gap.Why == source.Forbidden && gap.Instead == "" && gap.Namespace == "" {
			forbidden = append(forbidden, gap.Resource)
		} else {
			e.Warn("not seen: %v", gap)
		}
	}
	if len(forbidden) > 0 {
		e.Warn("not seen: you may not list %s", strings.Join(forbidden, ", "))
	}
}
