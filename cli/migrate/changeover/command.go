package changeover

import (
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/daymark-lb/daymark/cli/env"
	"github.com/daymark-lb/daymark/cli/output"
	"github.com/daymark-lb/daymark/cli/source"
)

type options struct {
	*env.Env
	output.Flags
	namespace string
	yes       bool
	timeout   time.Duration
	// overlap of both providers by BGP.
	overlap time.Duration
	// client that writes; nil: that of the cluster.
	client patcher
}

// Commands returns those that change over a living cluster.
func Commands(e *env.Env) []*cobra.Command {
	return []*cobra.Command{newPlan(&options{Env: e}), newNext(&options{Env: e}), newBack(&options{Env: e, overlap: overlap})}
}

func newPlan(o *options) *cobra.Command {
	c := &cobra.Command{
		Use: "plan", Short: "Print the steps from MetalLB to Daymark, Service by Service, and how far each is",
		Long: `Prints what is to be done so that Daymark serves the Services to which MetalLB gave addresses, each with the addresses that it has.
It says what stands against a step before anything is written: it computes what Daymark would do with the Service. Nothing is written.
Exit status 1 when a step is blocked or was not done whole.`,
		Example: `  kubectl daymark migrate plan
  kubectl daymark migrate plan -o yaml  # with the commands that do the same by hand`,
		Args: env.Args(cobra.NoArgs), RunE: func(c *cobra.Command, _ []string) error { return o.plan(c.Context()) },
	}
	o.Add(c)
	o.addNamespace(c)
	return c
}

func newNext(o *options) *cobra.Command {
	c := &cobra.Command{
		Use: "next [NAMESPACE/NAME]", Short: "Do the next step of the plan, or that of a Service, and verify it",
		Long: `Does one step of "kubectl daymark migrate plan" and waits until it is whole: the addresses are the same, a pool of Daymark has adopted
them, a speaker of Daymark holds them, and MetalLB announces them no more. It asks before it writes. While a step is not whole there is no
other: one that was written in part is finished.`,
		Example: `  kubectl daymark migrate next
  kubectl daymark migrate next shop/web --yes`,
		Args: env.Args(cobra.MaximumNArgs(1)), RunE: func(c *cobra.Command, args []string) error { return o.next(c.Context(), args) },
		ValidArgsFunction: o.complete(func(s Step) bool { return s.State == Ready && len(s.Services) > 0 }),
	}
	o.addWriting(c)
	return c
}

func newBack(o *options) *cobra.Command {
	c := &cobra.Command{
		Use: "back NAMESPACE/NAME", Short: "Hand a Service back to MetalLB, and verify it",
		Long: `Takes back what "kubectl daymark migrate next" wrote to a Service, and to those that share its addresses, and waits until its addresses
are the same, Daymark announces them no more, and MetalLB's reports name it for each protocol of its advertisements. What is
announced by BGP alone both announce for 5 s, so that routers keep a route. Whether they have MetalLB's is not seen: it says where to look.
It asks before it writes. When it was interrupted, do it again.`,
		Example: "  kubectl daymark migrate back shop/web",
		Args:    env.Args(cobra.ExactArgs(1)), RunE: func(c *cobra.Command, args []string) error { return o.back(c.Context(), args[0]) },
		ValidArgsFunction: o.complete(func(s Step) bool { return s.State == Done || s.State == Failing }),
	}
	o.addWriting(c)
	return c
}

func (o *options) addNamespace(c *cobra.Command) {
	c.Flags().StringVar(&o.namespace, "metallb-namespace", "metallb-system", "Namespace that MetalLB runs in")
}

func (o *options) addWriting(c *cobra.Command) {
	o.addNamespace(c)
	c.Flags().BoolVarP(&o.yes, "yes", "y", false, "Write without asking")
	c.Flags().DurationVar(&o.timeout, "timeout", 30*time.Second, "How long to wait until the step is whole")
}

// queries for all that a plan depends on.
func (o *options) queries() []source.Query { return append(o.World(""), queries(o.namespace)...) }

// make a plan of objects that were read.
func (o *options) make(objects *source.Objects) *Plan {
	seen := *objects
	seen.Gaps = slices.DeleteFunc(slices.Clone(objects.Gaps), func(gap source.Gap) bool {
		return gap.Why != source.Forbidden && strings.HasSuffix(gap.Resource, "."+group)
	})
	return New(objects, o.View(&seen))
}

func (o *options) complete(wanted func(Step) bool) env.Completion {
	return o.Complete(1, o.queries, func(objects *source.Objects) (names []string) {
		for _, step := range o.make(objects).Steps {
			if wanted(step) {
				names = append(names, step.Services...)
			}
		}
		return names
	})
}

// service that is meant by NAMESPACE/NAME, or by NAME in the namespace of -n.
func (o *options) service(argument string) (string, error) {
	if strings.Contains(argument, "/") {
		return argument, nil
	}
	own, _, err := o.Namespace()
	return own + "/" + argument, err
}

// table of a plan.
func table(p *Plan) (t *output.Table) {
	t = output.NewTable("Step", "Addresses", "State", "Held by", "Message")
	for i := range p.Steps {
		s := &p.Steps[i]
		label := s.Name
		if s.Name != Advertisements && s.Name != Uninstall {
			label = strings.Join(s.Services, ",")
		}
		output.AddRow(t, label, output.OrNone(strings.Join(s.Addresses, ",")), string(s.State), output.OrNone(strings.Join(s.HeldBy, ",")),
			s.Message)
	}
	return t
}

// hint says what to do with a plan.
func (o *options) hint(p *Plan) {
	next := p.Next()
	switch {
	case p.nothing():
		o.Warn("nothing of MetalLB was found: neither an object of it in namespace %s nor a Service to which it gave an address", o.namespace)
	case p.Finished():
		o.Warn("all Services have changed over, and MetalLB is gone")
	case next == nil:
		o.Warn("no step can be done: see what blocks them")
	case next.State == Failing && len(next.Commands) > 0:
		o.Warn("%[1]s was done in part. kubectl daymark migrate next %[1]s writes what is missing; or go back: kubectl daymark migrate back %[1]s", next.Name)
	case next.State == Failing:
		o.Warn("%s is not whole. Mend what the message says, or go back: kubectl daymark migrate back %s", next.Name, next.Name)
	case next.Name == Uninstall:
		o.Warn("all Services have changed over. What is left is yours: %s", next.Message)
	default:
		o.Warn("the next step: kubectl daymark migrate next")
	}
}

var errUnknown = errors.New("is no Service to which MetalLB gave an address; kubectl daymark migrate plan lists those")
