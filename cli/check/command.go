package check

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/daymark-lb/daymark/cli/env"
	"github.com/daymark-lb/daymark/cli/output"
	"github.com/daymark-lb/daymark/cli/source"
)

type options struct {
	*env.Env
	output.Flags
	pre bool
	// files with values of the chart that the install will have.
	files []string
}

// New returns the command.
func New(e *env.Env) *cobra.Command {
	o := &options{Env: e}
	c := &cobra.Command{
		Use: "check", Args: env.Args(cobra.NoArgs),
		Short: "Check a cluster before Daymark is installed, or an installation; status 1 if something is in the way",
		Example: `  kubectl daymark check --pre                      # before an install
  kubectl daymark check --pre --values values.yaml # before one by the chart with these values
  kubectl daymark check                            # after it, and after an upgrade
  kubectl daymark check -o json`,
		RunE: func(c *cobra.Command, _ []string) error { return o.run(c.Context()) },
	}
	o.Add(c)
	c.Flags().BoolVar(&o.pre, "pre", false, "Check a cluster in which Daymark is not installed yet")
	c.Flags().StringArrayVar(&o.files, "values", nil, "With --pre: a file with the values that the chart will have; may be repeated, as with Helm")
	return c
}

func (o *options) run(ctx context.Context) error {
	if len(o.files) > 0 && !o.pre {
		return env.Usage(errors.New("--values says what will be installed: use it with --pre"))
	}
	report, err := o.look(ctx)
	if err != nil {
		return err
	}
	if err := o.show(report); err != nil {
		return err
	}
	return report.Unseen
}

// Look reads what the checks of an installation need, and makes them.
func Look(ctx context.Context, e *env.Env) (*Report, error) { return (&options{Env: e}).look(ctx) }

func (o *options) look(ctx context.Context) (*Report, error) {
	from, err := o.Source()
	if err != nil {
		return nil, err
	}
	if err := o.FindSystem(ctx); err != nil {
		return nil, err
	}
	objects, err := from.Read(ctx, o.queries()...)
	if err != nil {
		return nil, err
	}
	in := &Input{Objects: objects, Cluster: o.View(objects), System: o.System, Pre: o.pre, Plugin: o.Version}
	if err := o.plan(in); err != nil {
		return nil, err
	}
	if o.Live() {
		if err := o.ask(ctx, in); err != nil {
			return nil, err
		}
	}
	report := Run(in)
	report.Unseen = objects.Seen()
	if !o.pre && len(objects.Checks) > 0 {
		if err := report.complete(objects.Checks); err != nil {
			o.Warn("not seen: what was checked when the bundle was written: %v", err)
		}
	}
	return &report, nil
}

// plan has the checks look for what is to be installed, where values say so, and not for what is.
func (o *options) plan(in *Input) (err error) {
	if len(o.files) == 0 {
		return nil
	}
	if in.values, err = readValues(o.files); err != nil {
		return err
	}
	in.Cluster.Settings.Classes.Classless = in.values.ServeClassless
	in.Cluster.Settings.Options.IgnoreExcludeLabel = in.values.IgnoreExcludeLabel
	return nil
}

func (o *options) queries() (queries []source.Query) {
	queries = source.Queries("", source.Nodes, source.Namespaces, calicoPeers, ciliumPeers, ciliumPeersBefore, ciliumPolicies)
	queries = append(queries, source.Queries("", providerKinds...)...)
	queries = append(queries, source.Query{Kind: source.ConfigMaps, Namespace: proxyNamespace, Name: proxyName})
	if o.pre {
		return queries
	}
	queries = append(queries, source.Query{Kind: source.Leases, Namespace: o.System}, source.Query{Kind: source.Definitions, Optional: true})
	return append(queries, source.Queries("", append([]source.Kind{source.Speakers}, source.Configuration...)...)...)
}

// ask the API server for what no object says.
func (o *options) ask(ctx context.Context, in *Input) error {
	server, err := o.Config.ToDiscoveryClient()
	if err != nil {
		return fmt.Errorf("find the API server: %w", err)
	}
	if found, err := server.ServerVersion(); err != nil {
		o.Warn("not seen: the version of the API server: %v", err)
	} else {
		in.Server = found.GitVersion
	}
	api, err := o.Client()
	if err != nil {
		return err
	}
	whose, rights := "your rights", wantedRights(in.values)
	if !o.pre {
		whose = "the rights of Daymark's programs"
		if rights, err = daemonRights(); err != nil {
			return err
		}
		installedAs(rights, in.Cluster)
	}
	if err := review(ctx, api, rights, o.System); err != nil {
		o.Warn("not seen: %s: %v", whose, err)
		return nil
	}
	if o.pre {
		in.Rights = rights
	} else {
		in.DaemonRights = rights
	}
	return nil
}

func (o *options) show(r *Report) error {
	result := output.Result{Kind: "CheckReport", Value: r, Text: func(s *output.Screen) { text(s, r) }}
	for i := range r.Findings {
		if name := r.Findings[i].Check; !slices.Contains(result.Names, name) {
			result.Names = append(result.Names, name)
		}
	}
	for _, skipped := range r.Skipped {
		o.Warn("not checked: %s: %s", skipped.Check, skipped.Why)
	}
	if err := o.Print(o.Out, result); err != nil {
		return err
	}
	if !r.Well() {
		return env.ErrWrong
	}
	return nil
}

func text(s *output.Screen, r *Report) {
	for i := range r.Findings {
		f := &r.Findings[i]
		about := f.Message
		if f.Object != "" {
			about = f.Object + ": " + f.Message
		}
		s.Printf("%s %s: %s\n", f.Severity.styled(s.Style), f.Check, about)
		if i+1 == len(r.Findings) || r.Findings[i+1].Check != f.Check {
			s.Printf("        %s\n        %s\n", f.Mend, s.Style.Dim(f.Page))
		}
	}
	if len(r.Passed) > 0 {
		s.Printf("%s %s\n", s.Style.Good("passed "), strings.Join(r.Passed, ", "))
	}
}

func (s Severity) styled(style output.Style) output.Styled {
	padded := fmt.Sprintf("%-7s", s)
	switch s {
	case Error:
		return style.Bad(padded)
	case Warning:
		return style.Warn(padded)
	case Note:
	}
	return style.Dim(padded)
}
