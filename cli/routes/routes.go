// Package routes is the command that lists what routers are told: prefixes with their attributes and next hops, session by session, and
// whether each router was really sent that.
package routes

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/daymark-lb/daymark/cli/env"
	"github.com/daymark-lb/daymark/cli/output"
	"github.com/daymark-lb/daymark/cli/source"
	"github.com/daymark-lb/daymark/cli/view"
	"github.com/daymark-lb/daymark/internal/core/lb"
)

type options struct {
	*env.Env
	output.Flags
	namespaces          env.Namespaces
	peer, service, node string
	watch               bool
}

// New returns the command.
func New(e *env.Env) *cobra.Command {
	o := &options{Env: e}
	c := &cobra.Command{
		Use: "routes", Aliases: []string{"route"}, Args: env.Args(cobra.NoArgs),
		Short: "List what each router is told by BGP, and whether it was sent that",
		Long: "List what each router is told by BGP: the prefixes, their path attributes and next hops that the objects ask for, session by " +
			"session.\nEach speaker reports a digest of what it sent on a session; it is compared with that of these routes.\n\n" +
			"The exit status is 1 when a session is not established, or its router was not sent just that, by an older BGPPeer neither.",
		Example: `  kubectl daymark routes                        # of all sessions
  kubectl daymark routes --peer tor --node n1
  kubectl daymark routes -n shop                # to the Services of one namespace
  kubectl daymark routes --service web -o wide  # with the Services of each prefix`,
		RunE: func(c *cobra.Command, _ []string) error { return o.run(c) },
	}
	o.Add(c)
	o.namespaces.Add(c.Flags(), "To the Services")
	c.Flags().StringVar(&o.peer, "peer", "", "Of the sessions with this BGPPeer")
	c.Flags().StringVar(&o.service, "service", "", "Those with an address of this Service: NAME or NAMESPACE/NAME")
	c.Flags().StringVar(&o.node, "node", "", "Of the sessions of this node")
	c.Flags().BoolVarP(&o.watch, "watch", "w", false, "List them again whenever they change")
	o.completeFlags(c)
	return c
}

func (o *options) completeFlags(c *cobra.Command) {
	_ = c.RegisterFlagCompletionFunc("peer", o.CompleteKind(0, source.Peers))
	_ = c.RegisterFlagCompletionFunc("node", o.CompleteKind(0, source.Speakers))
	_ = c.RegisterFlagCompletionFunc("service", o.Complete(0, func() []source.Query {
		namespace, _, _ := o.Namespace()
		return []source.Query{{Kind: source.Services, Namespace: namespace}}
	}, source.LoadBalancers))
}

func (o *options) run(c *cobra.Command) error {
	only, namespace, err := o.namespaces.Only(o.Env)
	if err != nil {
		return err
	}
	if err := o.FindSystem(c.Context()); err != nil {
		return err
	}
	filter := view.RouteFilter{Node: o.node, Peer: o.peer, Namespace: only}
	if o.service != "" {
		filter.Service = lb.Key{Namespace: namespace, Name: o.service}
		if other, name, found := strings.Cut(o.service, "/"); found {
			filter.Service = lb.Key{Namespace: other, Name: name}
		}
	}
	return o.Each(c.Context(), o.watch, o.World(namespace), func(objects *source.Objects) error { return o.show(objects, filter) })
}

func (o *options) show(objects *source.Objects, filter view.RouteFilter) error {
	if err := objects.Usable(); err != nil {
		return err
	}
	cluster := o.View(objects)
	if missing := cluster.MissingOf(filter); missing != "" {
		return fmt.Errorf("there is no %s", missing)
	}
	list := o.list(cluster, filter)
	o.WarnOfGaps(objects.Gaps)
	result := output.Result{Kind: "RouteList", Value: list, Table: table(&list)}
	for i := range list.Items {
		result.Names = append(result.Names, name(&list.Items[i]))
	}
	if err := o.Print(o.Out, result); err != nil {
		return err
	}
	return o.remark(&list)
}

// most routes that are listed when neither a node nor a Service is asked for.
const most = 50_000

// list the routes, or of a large cluster how many there are on each session.
func (o *options) list(cluster *view.Cluster, filter view.RouteFilter) view.RouteList {
	if filter.Node != "" || filter.Service != (lb.Key{}) {
		return cluster.Routes(filter)
	}
	total, counted := 0, filter
	counted.Counted = true
	list := cluster.Routes(counted)
	for i := range list.Items {
		total += list.Items[i].Prefixes
	}
	if total <= most {
		return cluster.Routes(filter)
	}
	o.Warn("there are %d routes, which are counted and not listed: --node and --service list some", total)
	return list
}

// remark on the sessions whose routers were not sent what they should, and return whether something is wrong.
func (o *options) remark(list *view.RouteList) error {
	var wrong error
	for i := range list.Items {
		s := &list.Items[i]
		if s.Sent.Result == view.SentDiffers || s.Sent.Result == view.SentNothing || s.NotSent > 0 && s.Sent.Result != view.SentUnknown {
			wrong = env.ErrWrong
		}
		if s.Sent.Message != "" {
			o.Warn("%s: %s: %s", name(s), word(s), s.Sent.Message)
		}
	}
	if len(list.Items) == 0 && len(list.Unseen) == 0 {
		o.Warn("there are no such routes; kubectl daymark explain service says why a Service has none")
	}
	return wrong
}

// name of a session.
func name(s *view.SessionRoutes) string {
	return strings.TrimSuffix("session/"+s.Node+"/"+s.Peer+"/"+s.Address, "/")
}

// word says whether a router was sent its routes.
func word(s *view.SessionRoutes) string {
	switch s.Sent.Result {
	case view.SentAgrees:
		return "yes"
	case view.SentDiffers:
		return "DIFFERS"
	case view.SentNothing:
		return "no: " + s.State
	case view.SentOverridden:
		return "by " + s.OverriddenBy
	case view.SentUnknown:
	}
	return "<unknown>"
}

// wordOf a route of a session says whether the router was sent it.
func wordOf(s *view.SessionRoutes, r *view.RouteLine) string {
	if r.NotSent != "" && s.Sent.Result != view.SentUnknown {
		return "no: " + r.NotSent
	}
	return word(s)
}

// table has a line for each route, and one for a session without any, or whose routes are counted.
func table(list *view.RouteList) *output.Table {
	t := output.NewTable("Node", "Peer", "Router", "Prefix", "Next hop", "Attributes", "Sent", "+Services")
	for i := range list.Items {
		s := &list.Items[i]
		for j := range s.Routes {
			r := &s.Routes[j]
			next := strings.Join(r.NextHops, ",")
			if next == "" {
				next = "<unknown>"
			}
			output.AddRow(t, s.Node, s.Peer, output.OrNone(s.Address), r.Prefix, next, output.OrNone(attributes(r)), wordOf(s, r),
				services(r))
		}
		if len(s.Routes) == 0 {
			output.AddRow(t, s.Node, s.Peer, output.OrNone(s.Address), count(s, len(list.Unseen) == 0), "", "", word(s), "")
		}
	}
	return t
}

// count of the routes of a session that are not listed; seen: all that they follow from.
func count(s *view.SessionRoutes, seen bool) string {
	switch {
	case s.Prefixes == 0 && !seen:
		return "<unknown>"
	case s.Prefixes == 0:
		return "<none>"
	case s.NotSent > 0:
		return fmt.Sprintf("%d, %d of them not sent", s.Prefixes, s.NotSent)
	}
	return strconv.Itoa(s.Prefixes)
}

// attributes in words, without those that every route has.
func attributes(r *view.RouteLine) string {
	var words []string
	if len(r.ASPath) > 1 {
		words = append(words, fmt.Sprintf("prepended %dx", len(r.ASPath)-1))
	}
	if r.LocalPref != nil {
		words = append(words, fmt.Sprintf("localPref %d", *r.LocalPref))
	}
	if r.MED != nil {
		words = append(words, fmt.Sprintf("med %d", *r.MED))
	}
	if r.Weight > 0 {
		words = append(words, fmt.Sprintf("weight %s", r.Weight))
	}
	if len(r.Communities) > 0 {
		words = append(words, "communities "+strings.Join(r.Communities, ","))
	}
	return strings.Join(words, ", ")
}

// services of a prefix, the first few of many.
func services(r *view.RouteLine) string {
	const most = 3
	text := strings.Join(r.Services[:min(len(r.Services), most)], ",")
	if more := len(r.Services) - most; more > 0 {
		text += fmt.Sprintf(" and %d more", more)
	}
	return output.OrNone(text)
}
