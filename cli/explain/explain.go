// Package explain is the command that says of one Service, address, node, pool or BGP peer all that is known: what it does or has, and
// why, or why not. Its one job is the words; package view computes what they say.
package explain

import (
	"context"
	"fmt"
	"strings"

	"github.com/spf13/cobra"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/daymark-lb/daymark/api/v1beta1"
	"github.com/daymark-lb/daymark/cli/env"
	"github.com/daymark-lb/daymark/cli/output"
	"github.com/daymark-lb/daymark/cli/source"
	"github.com/daymark-lb/daymark/cli/view"
)

// New returns the command with one command below for each kind. Without one of them its argument is a Service.
func New(e *env.Env) *cobra.Command {
	c, service := newService(e)
	c.Use, c.Short = "explain SERVICE", "Say all that is known of a Service, an address, a node, a pool or a peer, and why"
	c.Long = c.Short + ".\n\nWithout the name of a kind the argument is a Service. KIND/NAME, as -o name prints it, is understood as well, and NAMESPACE/NAME of a Service."
	c.Example = `  kubectl daymark explain web                 # the way of a Service from its request to the wire
  kubectl daymark explain address 192.0.2.200 # whose it is and who announces it, or why nobody has it
  kubectl daymark explain node n2             # what it holds and tells routers, and what it does not
  kubectl daymark explain pool lan
  kubectl daymark explain peer tor`
	others := map[*cobra.Command]*asker{}
	for _, build := range []func(*env.Env) (*cobra.Command, *asker){newService, newAddress, newNode, newPool, newPeer} {
		below, other := build(e)
		c.AddCommand(below)
		others[below] = other
	}
	explain := c.RunE
	c.RunE = func(c *cobra.Command, args []string) error {
		kind, name, _ := strings.Cut(args[0], "/")
		if below := ofKind(c, kind); below != nil && name != "" {
			asked := others[below]
			asked.Flags, asked.watch = service.Flags, service.watch
			return below.RunE(c, []string{name})
		}
		return explain(c, args)
	}
	return c
}

// ofKind is the command below c for a kind, as -o name writes it; nil: there is none.
func ofKind(c *cobra.Command, kind string) *cobra.Command {
	kind = strings.TrimSuffix(strings.ToLower(kind), "."+v1beta1.GroupVersion.Group)
	for _, below := range c.Commands() {
		if below.Name() == kind || below.HasAlias(kind) {
			return below
		}
	}
	return nil
}

// asker is a command that explains one object.
type asker struct {
	*env.Env
	output.Flags
	watch bool
	// namespaced: the name may be NAMESPACE/NAME.
	namespaced bool
	// queries for what is needed, besides the world; nil: nothing.
	queries func(namespace, name string) []source.Query
	// explain it; the error says so when there is no such object.
	explain func(c *view.Cluster, namespace, name string) (*output.Result, explanation, error)
}

// explanation of an object.
type explanation interface {
	// Wrong reports whether it is not as it should be.
	Wrong() bool
}

func (a *asker) command(use, short string) *cobra.Command {
	c := &cobra.Command{Use: use, Short: short, Args: env.Args(cobra.ExactArgs(1))}
	a.Add(c)
	c.Flags().BoolVarP(&a.watch, "watch", "w", false, "Say it again whenever it changes")
	c.RunE = func(c *cobra.Command, args []string) error {
		namespace, explicit, err := a.Namespace()
		if err != nil {
			return err
		}
		name := args[0]
		if before, after, has := strings.Cut(name, "/"); has && a.namespaced {
			if explicit && before != namespace {
				return env.Usage(fmt.Errorf("the namespace of %s is not that of --namespace, %s", name, namespace))
			}
			namespace, name = before, after
		}
		return a.run(c.Context(), namespace, name)
	}
	return c
}

func (a *asker) run(ctx context.Context, namespace, name string) error {
	if err := a.FindSystem(ctx); err != nil {
		return err
	}
	queries := a.World(namespace)
	if a.queries != nil {
		queries = append(queries, a.queries(namespace, name)...)
	}
	return a.Each(ctx, a.watch, queries, func(objects *source.Objects) error {
		if err := objects.Usable(); err != nil {
			return err
		}
		result, explained, err := a.explain(a.View(objects), namespace, name)
		if err != nil {
			return err
		}
		a.WarnOfGaps(objects.Gaps)
		if err := a.Print(a.Out, *result); err != nil {
			return err
		}
		if explained.Wrong() {
			return env.ErrWrong
		}
		return nil
	})
}

// events asks for the Events about an object.
func events(kind, namespace, name string) []source.Query {
	return []source.Query{{
		Kind: source.Events, Namespace: namespace, Optional: true, Fields: fmt.Sprintf("regarding.kind=%s,regarding.name=%s", kind, name),
	}}
}

// eventsOf objects of some kinds that are in no namespace: their Events are in default.
func eventsOf(kinds ...source.Kind) func(namespace, name string) []source.Query {
	return func(_, name string) (queries []source.Query) {
		for _, kind := range kinds {
			queries = append(queries, events(kind.Kind, metav1.NamespaceDefault, name)...)
		}
		return queries
	}
}
