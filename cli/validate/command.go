package validate

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/daymark-lb/daymark/cli/env"
	"github.com/daymark-lb/daymark/cli/output"
)

type options struct {
	*env.Env
	files        []string
	format       string
	live, strict bool
}

var formats = []string{"text", "json", "sarif"}

// New returns the command.
func New(e *env.Env) *cobra.Command {
	o := &options{Env: e}
	c := &cobra.Command{
		Use: "validate [FILE|DIRECTORY...]", Short: "Check objects in files, before they are applied",
		Long: `Says what the API server, the controller and the speakers would of the objects in files, with file and line. It needs no cluster.
Looked at are Daymark's kinds, and Services, Nodes and Namespaces beside them; all else in the files is left alone.
With --live the objects of the cluster count as well: then it says what would be wrong with those, too, once the files were applied.
Exit status 1 when there is an error.`,
		Example: `  kubectl daymark validate pools.yaml
  kubectl daymark validate deploy/ --strict      # warnings count as well
  kustomize build . | kubectl daymark validate -
  kubectl daymark validate -f deploy/ -o sarif > daymark.sarif`,
		RunE: func(c *cobra.Command, args []string) error { return o.run(c.Context(), append(o.files, args...)) },
	}
	c.Flags().StringSliceVarP(&o.files, "filename", "f", nil, "Files or directories; - is the standard input")
	c.Flags().StringVarP(&o.format, "output", "o", "text", "Output format: "+strings.Join(formats, ", "))
	c.Flags().BoolVar(&o.live, "live", false, "Check them among the objects of the cluster")
	c.Flags().BoolVar(&o.strict, "strict", false, "Count warnings as errors")
	_ = c.RegisterFlagCompletionFunc("output", cobra.FixedCompletions(formats, cobra.ShellCompDirectiveNoFileComp))
	return c
}

func (o *options) run(ctx context.Context, names []string) error {
	if !slices.Contains(formats, o.format) {
		return env.Usage(fmt.Errorf("-o %s is none of %s", o.format, strings.Join(formats, ", ")))
	}
	if len(names) == 0 {
		return env.Usage(errors.New("which files? Name some, or a directory, or - for the standard input"))
	}
	documents, found, _, err := ReadFiles(names, true, o.In)
	if err != nil {
		return err
	}
	others, err := o.others(ctx)
	if err != nil {
		return err
	}
	checked, err := Check(ctx, documents, others)
	if err != nil {
		return err
	}
	found = sorted(append(found, checked...))
	first := names[0]
	if len(documents) > 0 {
		first = documents[0].file
	}
	if err := o.print(found, first); err != nil {
		return err
	}
	ours := 0
	for i := range documents {
		if documents[i].gvk().Group == group {
			ours++
		}
	}
	o.Warn("%s of Daymark's kinds, %s", output.Count(ours, "object"), counts(found))
	if slices.ContainsFunc(found, func(f Finding) bool { return o.strict || f.Severity == Error }) {
		return env.ErrWrong
	}
	return nil
}

func counts(found []Finding) string {
	number := map[Severity]int{}
	for i := range found {
		number[found[i].Severity]++
	}
	return output.Count(number[Error], "error") + ", " + output.Count(number[Warning], "warning")
}

// print findings; first is the file that was looked at first.
func (o *options) print(found []Finding, first string) error {
	switch o.format {
	case "sarif":
		return writeSARIF(o.Out, found, first)
	case "json":
		encoder := json.NewEncoder(o.Out)
		encoder.SetIndent("", "  ")
		return encoder.Encode(struct {
			Findings []Finding `json:"findings"`
		}{append([]Finding{}, found...)})
	}
	for i := range found {
		fmt.Fprintln(o.Out, found[i].String())
	}
	return nil
}

// others are the objects of the cluster, if they are to count.
func (o *options) others(ctx context.Context) (*Others, error) {
	others := &Others{Live: o.live || o.From != "", System: o.System, Now: o.Now()}
	if !others.Live {
		return others, nil
	}
	if err := o.FindSystem(ctx); err != nil {
		return nil, err
	}
	others.System = o.System
	from, err := o.Source()
	if err != nil {
		return nil, err
	}
	own, _, err := o.Namespace()
	if err != nil {
		return nil, err
	}
	objects, err := from.Read(ctx, o.World(own)...)
	if err != nil {
		return nil, err
	}
	o.WarnOfGaps(objects.Gaps)
	others.Objects, others.Now, others.Partly = objects.Items, objects.Time, len(objects.Gaps) > 0
	return others, nil
}
