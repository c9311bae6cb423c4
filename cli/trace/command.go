// Package trace is the command that shows what the speakers receive, send and decide about one address, live. Its one job is to reach them
// by the API server with the rights of its user, and to show what they say as it comes: in words, as JSON, and as packets for Wireshark.
// It refuses to judge: each decision is that of the speaker that made it.
package trace

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"sync"

	"github.com/spf13/cobra"
	corev1 "k8s.io/api/core/v1"

	"github.com/daymark-lb/daymark/cli/env"
	"github.com/daymark-lb/daymark/cli/output"
	"github.com/daymark-lb/daymark/cli/source"
	"github.com/daymark-lb/daymark/internal/traceapi"
)

type options struct {
	*env.Env
	format string
	file   string
	nodes  []string
	// reach is how speakers are reached; nil: by the API server.
	reach *reach
	// remarks is for those who write some at the same time.
	remarks sync.Mutex
}

// New returns the command.
func New(e *env.Env) *cobra.Command { return (&options{Env: e}).command() }

func (o *options) command() *cobra.Command {
	c := &cobra.Command{
		Use: "trace ADDRESS", Args: env.Args(cobra.ExactArgs(1)),
		Short: "Show what the speakers receive, send and decide about an address, live",
		Example: `  kubectl daymark trace 192.0.2.200                                # until Ctrl-C
  kubectl daymark trace 192.0.2.200 --node n1,n2 -w trace.pcapng
  kubectl daymark trace 192.0.2.200 -w - | wireshark -k -i -`,
		RunE: func(c *cobra.Command, args []string) error { return o.run(c.Context(), args[0]) },
	}
	c.ValidArgsFunction = o.Complete(1, func() []source.Query {
		namespace, _, _ := o.Namespace()
		return source.Queries(namespace, source.Services)
	}, addresses)
	c.Flags().StringVarP(&o.format, "output", "o", "text", "Output format: text, or json with an event on each line")
	c.Flags().StringVarP(&o.file, "write", "w", "", "Write the packets as pcapng to a file, - for stdout, with the decisions as comments")
	c.Flags().StringSliceVar(&o.nodes, "node", nil, "Trace on these nodes only, separated by commas")
	return c
}

// addresses that Services have.
func addresses(objects *source.Objects) (found []string) {
	for _, s := range source.Of[*corev1.Service](objects) {
		for _, entry := range s.Status.LoadBalancer.Ingress {
			found = append(found, entry.IP)
		}
	}
	return found
}

func (o *options) run(ctx context.Context, argument string) error {
	addr, err := netip.ParseAddr(argument)
	if err != nil {
		return env.Usage(fmt.Errorf("%q is not an address", argument))
	}
	if o.format != "text" && o.format != "json" {
		return env.Usage(fmt.Errorf("--output must be text or json, not %q", o.format))
	}
	if o.From != "" {
		return env.Usage(errors.New("trace asks the speakers of a cluster, and cannot be used with --from"))
	}
	speakers, err := o.speakers(ctx)
	if err != nil {
		return err
	}
	if o.reach == nil {
		if o.reach, err = o.throughAPI(ctx); err != nil {
			return err
		}
	}
	show, finish, err := o.sink(speakers)
	if err != nil {
		return err
	}
	return errors.Join(o.follow(ctx, addr.Unmap().WithZone(""), speakers, show), finish())
}

// speakers are the Pods to ask, in order of node.
func (o *options) speakers(ctx context.Context) (pods []*corev1.Pod, err error) {
	from, err := o.Source()
	if err != nil {
		return nil, err
	}
	if err := o.FindSystem(ctx); err != nil {
		return nil, err
	}
	objects, err := from.Read(ctx, source.Query{
		Kind: source.Pods, Namespace: o.System, Labels: "app.kubernetes.io/name=daymark,app.kubernetes.io/component=speaker",
	})
	if err != nil {
		return nil, err
	}
	if gap := objects.Gap(source.Pods); gap != nil {
		return nil, fmt.Errorf("%v, and so you cannot trace: the Role daymark-trace lets you", gap)
	}
	var off []string
	for _, pod := range source.Of[*corev1.Pod](objects) {
		node := pod.Spec.NodeName
		switch {
		case node == "" || len(o.nodes) > 0 && !slices.Contains(o.nodes, node):
		case port(pod) == 0:
			off = append(off, node)
		default:
			pods = append(pods, pod)
		}
	}
	slices.SortFunc(pods, func(a, b *corev1.Pod) int { return strings.Compare(a.Spec.NodeName, b.Spec.NodeName) })
	switch {
	case len(pods) == 0 && len(off) > 0:
		return nil, errors.New("traces are off: set speaker.trace to true in the chart's values, or start the speakers with --trace-bind-address")
	case len(pods) == 0:
		return nil, fmt.Errorf("no speakers to ask in namespace %s: is Daymark installed there? --daymark-namespace names another one", o.System)
	case len(off) > 0:
		o.Warn("traces are off, so what these nodes see is not shown: %s", strings.Join(off, ", "))
	}
	return pods, nil
}

// port that a Pod answers traces on; 0: it does not.
func port(pod *corev1.Pod) int32 {
	for i := range pod.Spec.Containers {
		for _, p := range pod.Spec.Containers[i].Ports {
			if p.Name == traceapi.Port {
				return p.ContainerPort
			}
		}
	}
	return 0
}

// sink is where events go, and what to call after the last.
func (o *options) sink(speakers []*corev1.Pod) (show func(*traceapi.Event) error, finish func() error, err error) {
	texts := o.Out
	if o.file == "-" {
		texts = o.ErrOut
	}
	show = (&lines{output.Screen{Writer: texts}, widest(speakers)}).show
	if o.format == "json" {
		show = asJSON(texts)
	}
	inLines := show
	show = func(e *traceapi.Event) error { return errors.Join(inLines(e), o.Written()) }
	if o.file == "" {
		return show, func() error { return nil }, nil
	}
	file, err := create(o.file, o.Out)
	if err != nil {
		return nil, nil, err
	}
	packets, err := newCapture(file)
	if err != nil {
		return nil, nil, errors.Join(err, file.Close())
	}
	inWords := show
	show = func(e *traceapi.Event) error { return errors.Join(inWords(e), packets.write(e)) }
	return show, file.Close, nil
}
