// Package simulate is the commands that say beforehand what a change will do to Services: simulate and diff. Their one job is to make the
// objects of a cluster as they will be; what follows from them internal/core/forecast says. They refuse to change anything.
package simulate

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	corev1 "k8s.io/api/core/v1"

	"github.com/daymark-lb/daymark/cli/env"
	"github.com/daymark-lb/daymark/cli/output"
	"github.com/daymark-lb/daymark/cli/source"
	"github.com/daymark-lb/daymark/cli/view"
	"github.com/daymark-lb/daymark/internal/core/forecast"
)

type options struct {
	*env.Env
	output.Flags
	// lines: for people there is a line for each Service, and nothing else.
	lines bool
}

// New returns the command simulate.
func New(e *env.Env) *cobra.Command {
	c := &cobra.Command{
		Use: "simulate", Short: "Say what a change would do to Services, before it is made",
		Long: `Says which addresses would be lost, renumbered, withdrawn, unreachable or move to other nodes. It is computed by the packages that the
controller and the speakers decide with; nothing is changed. Exit status 1 when clients would notice it for longer than a fail-over takes.`,
		Args: env.Args(cobra.NoArgs),
		RunE: func(*cobra.Command, []string) error {
			return env.Usage(errors.New("simulate what? kubectl daymark simulate --help lists what there is"))
		},
	}
	c.AddCommand(newDrain(e), newApply(e))
	return c
}

// read all that decisions depend on.
func (o *options) read(c *cobra.Command) (*source.Objects, *view.Cluster, error) {
	from, err := o.Source()
	if err != nil {
		return nil, nil, err
	}
	if err := o.FindSystem(c.Context()); err != nil {
		return nil, nil, err
	}
	own, _, err := o.Namespace()
	if err != nil {
		return nil, nil, err
	}
	objects, err := from.Read(c.Context(), o.World(own)...)
	if err != nil {
		return nil, nil, err
	}
	if err := objects.Usable(); err != nil {
		return nil, nil, err
	}
	if len(objects.Gaps) > 0 {
		o.WarnOfGaps(objects.Gaps)
		return nil, nil, errors.New("what would happen depends on objects that you may not see; nothing is said rather than something wrong")
	}
	return objects, o.View(objects), nil
}

// start is what the cluster comes to as it is.
func start(objects *source.Objects, v *view.Cluster) *forecast.Outcome {
	return forecast.Start(objects.Items, v.Now, forecast.Settings{
		Classes: v.Settings.Classes, Options: v.Settings.Options, PoolGrace: v.Settings.PoolGrace, EvenOut: v.Settings.EvenOut,
	})
}

func newDrain(e *env.Env) *cobra.Command {
	o := &options{Env: e}
	c := &cobra.Command{
		Use: "drain NODE...", Args: env.Args(cobra.MinimumNArgs(1)),
		Short: "Say what happens when nodes are drained and stopped",
		Example: `  kubectl daymark simulate drain n2
  kubectl daymark simulate drain n2 n3            # at the same time
  kubectl daymark simulate drain n2 && kubectl drain n2 --ignore-daemonsets`,
		ValidArgsFunction: e.CompleteKind(0, source.Nodes),
		RunE:              func(c *cobra.Command, args []string) error { return o.drain(c, args) },
	}
	o.Add(c)
	return c
}

func (o *options) drain(c *cobra.Command, nodes []string) error {
	objects, v, err := o.read(c)
	if err != nil {
		return err
	}
	for _, name := range nodes {
		if !slices.ContainsFunc(source.Of[*corev1.Node](objects), func(n *corev1.Node) bool { return n.Name == name }) {
			return fmt.Errorf("there is no node %s", env.Line(name))
		}
	}
	before := start(objects, v)
	after := before
	for _, step := range forecast.Drain(objects.Items, nodes) {
		after = after.Next(step)
	}
	who := strings.Join(nodes, ", ")
	r := newResult(v, before, after,
		"all endpoints on "+who+" end, those of DaemonSets too, and then its speaker leaves",
		"where the Pods from "+who+" run next is not known: Services are left with the endpoints that they have elsewhere",
		"all else stays as it is: other nodes, sessions with routers, endpoints")
	return o.print(r)
}
