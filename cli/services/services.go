// Package services is the command that lists Services of type LoadBalancer.
package services

import (
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"k8s.io/apimachinery/pkg/util/duration"

	"github.com/daymark-lb/daymark/cli/env"
	"github.com/daymark-lb/daymark/cli/output"
	"github.com/daymark-lb/daymark/cli/source"
	"github.com/daymark-lb/daymark/cli/view"
)

type options struct {
	*env.Env
	output.Flags
	namespaces env.Namespaces
	watch      bool
}

// New returns the command.
func New(e *env.Env) *cobra.Command {
	o := &options{Env: e}
	c := &cobra.Command{
		Use: "services", Aliases: []string{"service", "svc"}, Args: env.Args(cobra.NoArgs),
		Short: "List Services of type LoadBalancer with their addresses and who announces them",
		Example: `  kubectl daymark services                 # of all namespaces, or of yours if you may not list all
  kubectl daymark services -n shop -o wide # with the reasons in words
  kubectl daymark services --watch`,
		RunE: func(c *cobra.Command, _ []string) error { return o.run(c) },
	}
	o.Add(c)
	o.namespaces.Add(c.Flags(), "Those")
	c.Flags().BoolVarP(&o.watch, "watch", "w", false, "Show them again whenever they change")
	return c
}

func (o *options) run(c *cobra.Command) error {
	only, own, err := o.namespaces.Only(o.Env)
	if err != nil {
		return err
	}
	if err := o.FindSystem(c.Context()); err != nil {
		return err
	}
	services := source.Query{Kind: source.Services, Namespace: only, Instead: own}
	return o.Each(c.Context(), o.watch, append(o.Programs(), services, source.Query{Kind: source.Speakers}), o.show)
}

func (o *options) show(objects *source.Objects) error {
	if gap := objects.Gap(source.Services); gap != nil && gap.Instead == "" && gap.Why != source.NotInFile {
		return fmt.Errorf("%v", gap)
	}
	list := o.View(objects).Services()
	result := output.Result{Kind: "ServiceList", Value: list, Table: table(&list, objects.Time)}
	for i := range list.Items {
		result.Names = append(result.Names, list.Items[i].ID())
	}
	o.WarnOfGaps(objects.Gaps)
	return o.Print(o.Out, result)
}

func table(list *view.ServiceList, now time.Time) (t *output.Table) {
	t = output.NewTable("Namespace", "Name", "Addresses", "Pool", "Held by", "Announced", "+For", "+Message")
	for i := range list.Items {
		line := &list.Items[i]
		age := ""
		if line.Since != nil {
			age = duration.HumanDuration(now.Sub(line.Since.Time))
		}
		output.AddRow(t, line.Namespace, line.Name, output.OrNone(strings.Join(line.Addresses, ",")),
			output.OrNone(strings.Join(line.Pools, ",")), line.HeldBy(), line.Short(), output.OrNone(age), line.Message)
	}
	return t
}
