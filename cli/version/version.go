// Package version is the command that says which versions the plugin, the programs in the cluster and the definitions of the kinds have,
// and whether they fit together.
package version

import (
	"strings"

	"github.com/spf13/cobra"

	"github.com/daymark-lb/daymark/cli/env"
	"github.com/daymark-lb/daymark/cli/output"
	"github.com/daymark-lb/daymark/cli/source"
	"github.com/daymark-lb/daymark/cli/view"
)

// New returns the command.
func New(e *env.Env) *cobra.Command {
	var flags output.Flags
	var client bool
	c := &cobra.Command{
		Use: "version", Short: "Show the versions of the plugin, the programs and the kinds, and whether they fit", Args: env.Args(cobra.NoArgs),
		Example: `  kubectl daymark version
  kubectl daymark version --client # of the plugin alone, without a cluster`,
	}
	flags.Add(c)
	c.Flags().BoolVar(&client, "client", false, "Show the version of the plugin alone")
	c.RunE = func(c *cobra.Command, _ []string) error {
		if client {
			return flags.Print(e.Out, result(view.Versions{Plugin: e.Version}))
		}
		if err := e.FindSystem(c.Context()); err != nil {
			return err
		}
		queries := append(e.Programs(), source.Query{Kind: source.Speakers}, source.Query{Kind: source.Definitions})
		return e.Each(c.Context(), false, queries, func(objects *source.Objects) error {
			e.WarnOfGaps(objects.Gaps)
			versions := e.View(objects).Versions(e.Version)
			if err := flags.Print(e.Out, result(versions)); err != nil {
				return err
			}
			if len(versions.Skew) > 0 {
				return env.ErrWrong
			}
			return nil
		})
	}
	return c
}

func result(v view.Versions) output.Result {
	return output.Result{Kind: "Versions", Value: v, Text: func(s *output.Screen) {
		s.Printf("plugin      %s\n", v.Plugin)
		if v.Controller != "" {
			s.Printf("controller  %s\n", v.Controller)
		}
		for _, speaker := range v.Speakers {
			nodes := strings.Join(speaker.Nodes[:min(len(speaker.Nodes), 5)], ", ")
			if len(speaker.Nodes) > 5 {
				nodes += ", ..."
			}
			s.Printf("speakers    %s on %s (%s)\n", output.OrNone(speaker.Version), output.Count(len(speaker.Nodes), "node"), nodes)
		}
		for _, d := range v.Definitions {
			s.Printf("kind        %s %s\n", d.Name, strings.Join(d.Served, ", "))
		}
		for _, text := range v.Skew {
			s.Printf("%s\n", s.Style.Warn(text))
		}
	}}
}
