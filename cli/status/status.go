// Package status is the commands that say how a whole cluster is: status on one screen, for people, and problems in lines, for cron and
// CI.
package status

import (
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/duration"

	"github.com/daymark-lb/daymark/cli/env"
	"github.com/daymark-lb/daymark/cli/output"
	"github.com/daymark-lb/daymark/cli/source"
	"github.com/daymark-lb/daymark/cli/view"
	"github.com/daymark-lb/daymark/internal/core/status"
)

type options struct {
	*env.Env
	output.Flags
	namespaces env.Namespaces
	watch      bool
	// result of a look, and whether all is well.
	result func(c *view.Cluster) (output.Result, bool)
}

// New returns the command status.
func New(e *env.Env) *cobra.Command {
	o := &options{Env: e}
	o.result = func(c *view.Cluster) (output.Result, bool) {
		s := c.Status()
		text := func(screen *output.Screen) { (&page{screen, c.Now}).status(&s, e.System) }
		return output.Result{Kind: "Status", Value: s, Names: names(s.Problems), Text: text}, len(s.Problems) == 0
	}
	return o.command(&cobra.Command{
		Use: "status", Short: "Show on one screen how all is, what is wrong, the worst first, and what to do",
		Example: `  kubectl daymark status
  kubectl daymark status -n shop   # with the Services of one namespace
  kubectl daymark status --watch
  kubectl daymark status --from bundle.tgz`,
	})
}

// NewProblems returns the command problems.
func NewProblems(e *env.Env) *cobra.Command {
	o := &options{Env: e}
	o.result = func(c *view.Cluster) (output.Result, bool) {
		list := c.Problems()
		return output.Result{Kind: "ProblemList", Value: list, Names: names(list.Items), Table: table(list.Items, c.Now)}, len(list.Items) == 0
	}
	return o.command(&cobra.Command{
		Use: "problems", Short: "List what is wrong, a line each, the worst first; status 1 if there is anything",
		Example: `  kubectl daymark problems || mail -s "Daymark" ops@example.com
  kubectl daymark problems -o wide        # with what to do
  kubectl daymark problems -o jsonpath='{.items[?(@.severity=="Critical")].name}'`,
	})
}

func (o *options) command(c *cobra.Command) *cobra.Command {
	c.Args = env.Args(cobra.NoArgs)
	o.Add(c)
	o.namespaces.Add(c.Flags(), "With the Services")
	c.Flags().BoolVarP(&o.watch, "watch", "w", false, "Show it again whenever it changes")
	c.RunE = func(c *cobra.Command, _ []string) error {
		only, own, err := o.namespaces.Only(o.Env)
		if err != nil {
			return err
		}
		if err := o.FindSystem(c.Context()); err != nil {
			return err
		}
		leases := source.Query{Kind: source.Leases, Namespace: o.System, Name: view.LeaderLease, Optional: true}
		return o.Each(c.Context(), o.watch, append(o.World(own), leases), func(objects *source.Objects) error { return o.show(objects, only) })
	}
	return c
}

func (o *options) show(objects *source.Objects, only string) error {
	if err := objects.Usable(); err != nil {
		return err
	}
	cluster := o.View(objects)
	cluster.Only = only
	result, well := o.result(cluster)
	o.WarnOfGaps(objects.Gaps)
	if err := o.Print(o.Out, result); err != nil {
		return err
	}
	if !well {
		return env.ErrWrong
	}
	return nil
}

// names of the objects that have problems, each once in a row.
func names(problems []view.Problem) (list []string) {
	for i := range problems {
		name := strings.ToLower(problems[i].Kind) + "/" + problems[i].Name
		if len(list) == 0 || list[len(list)-1] != name {
			list = append(list, name)
		}
	}
	return list
}

func table(problems []view.Problem, now time.Time) *output.Table {
	t := output.NewTable("Severity", "Object", "Reason", "For", "Message", "+What to do", "+More")
	for i := range problems {
		p := &problems[i]
		output.AddRow(t, string(p.Severity), object(p), p.Reason, since(p, now), p.Message, p.Remedy, p.Command)
	}
	return t
}

func object(p *view.Problem) string {
	if p.Namespace != "" {
		return p.Kind + " " + p.Namespace + "/" + p.Name
	}
	return p.Kind + " " + p.Name
}

func since(p *view.Problem, now time.Time) string {
	if p.Since == nil || p.Since.IsZero() {
		return "<unknown>"
	}
	return duration.HumanDuration(max(0, now.Sub(p.Since.Time)))
}

// page writes the screen of status.
type page struct {
	*output.Screen
	now time.Time
}

func (p *page) status(s *view.Status, system string) {
	switch n := len(s.Problems); {
	case n > 0:
		p.Printf("Daymark in %s: %s\n", system, p.Style.Bad(output.Count(n, "problem")))
	case len(s.Unseen) > 0:
		p.Printf("Daymark in %s: nothing is wrong with what you see\n", system)
	default:
		p.Printf("Daymark in %s: %s\n", system, p.Style.Good("all is well"))
	}
	p.line("controller", controller(&s.Controller))
	p.line("speakers", seen(s.SeesSpeakers(), speakers(&s.Speakers, s.SeesNodes())))
	p.line("Services", services(&s.Services))
	p.line("layer 2", seen(s.SeesSpeakers(), layer2(s.Layer2)))
	if len(s.Drains) > 0 {
		p.line("drains", drains(s.Drains, p.now))
	}
	var texts []string
	for i := range s.Pools {
		texts = append(texts, pool(&s.Pools[i])...)
	}
	p.line("pools", seen(s.SeesPools(), list(texts)))
	texts = nil
	for _, peer := range s.Peers {
		texts = append(texts, fmt.Sprintf("%s (%s) established on %d of %d nodes", peer.Name, peer.Where, peer.Established, peer.Nodes)+overridden(&peer)+onPurpose(&peer)+notAccepted(&peer))
	}
	p.line("BGP peers", seen(s.SeesPeers() && s.SeesSpeakers(), list(texts)))
	p.problems(s.Problems)
}

func (p *page) line(what, text string) { p.Printf("  %-11s %s\n", what, text) }

// problems in order, as many as fit on a screen.
func (p *page) problems(problems []view.Problem) {
	const most = 15
	if len(problems) == 0 {
		return
	}
	p.Printf("\n%s\n", p.Style.Bold("Problems, the worst first"))
	for i := range problems[:min(len(problems), most)] {
		problem := &problems[i]
		severity := p.Style.Warn(strings.ToUpper(string(problem.Severity)))
		if problem.Severity == view.Critical {
			severity = p.Style.Bad(strings.ToUpper(string(problem.Severity)))
		}
		p.Printf("  %s %s for %s, %s: %s\n", severity, object(problem), since(problem, p.now), problem.Reason, problem.Message)
		if problem.Remedy != "" {
			p.Printf("    what to do: %s\n", problem.Remedy)
		}
		if problem.Command != "" {
			p.Printf("    more: %s\n", problem.Command)
		}
	}
	if more := len(problems) - most; more > 0 {
		p.Printf("  and %d more: kubectl daymark problems\n", more)
	}
}

// onPurpose says what an administrator wants of a peer, unless it is as usual.
func onPurpose(p *view.PeerLine) string {
	if p.AdminState == "" {
		return ""
	}
	return fmt.Sprintf(", %s on purpose", p.AdminState)
}

// overridden says which older peers have the sessions with its routers.
func overridden(p *view.PeerLine) string {
	if p.Overridden == 0 {
		return ""
	}
	return fmt.Sprintf(", overridden on %d by %s", p.Overridden, strings.Join(p.OverriddenBy, " and "))
}

// notAccepted says why a peer is not as it is written, if it is not.
func notAccepted(p *view.PeerLine) string {
	if p.NotAccepted == "" {
		return ""
	}
	return ", an edit is not accepted: " + p.NotAccepted
}

// notSeen is what stands in the place of what the user may not list, or the file does not have.
const notSeen = "<not seen>"

// seen is a text, unless it would count what is not seen.
func seen(all bool, text string) string {
	if !all {
		return notSeen
	}
	return text
}

func controller(c *view.ControllerLine) string {
	if !c.Known {
		return notSeen
	}
	text := fmt.Sprintf("%d of %d ready, %s", c.Ready, c.Wanted, output.OrNone(c.Version))
	if c.Leader != "" {
		return text + ", " + c.Leader + " leads"
	}
	return text + ", no leader is seen"
}

func speakers(s *view.SpeakersLine, ofNodes bool) string {
	text := fmt.Sprintf("ready on %d of %d nodes", s.Serving(), s.Nodes)
	if !ofNodes {
		text = "ready on " + output.Count(s.Serving(), "node")
	}
	if s.ReadyButFor > 0 {
		text += fmt.Sprintf(", on %d of them but for what L2Advertisement %s asks for", s.ReadyButFor, firsts(s.ButFor))
	}
	text += ", " + output.OrNone(strings.Join(s.Versions, ", "))
	if len(s.Gone) > 0 {
		text += "; gone on " + firsts(s.Gone)
	}
	return text
}

func services(s *view.ServicesLine) string {
	texts := []string{fmt.Sprintf("%d announced", s.Announced)}
	for _, count := range []struct {
		number int
		what   string
	}{{s.Waiting, "wait for an address"}, {s.Kept, "keep other addresses than they ask for"}, {s.NotAnnounced, "not announced"}, {s.Unknown, "nothing said yet"}} {
		if count.number > 0 {
			texts = append(texts, fmt.Sprintf("%d %s", count.number, count.what))
		}
	}
	of := ""
	if s.Namespace != "" {
		of = " in namespace " + s.Namespace
	}
	return fmt.Sprintf("%d%s: %s", s.Total, of, strings.Join(texts, ", "))
}

func layer2(held []view.HeldCount) string {
	var texts []string
	for _, h := range held {
		texts = append(texts, fmt.Sprintf("%s %d", h.Node, h.Count))
	}
	if len(texts) == 0 {
		return "no address is held"
	}
	return "addresses held: " + firsts(texts)
}

// drains says of each node that is drained or has connections left whether it may be stopped.
func drains(lines []view.DrainLine, now time.Time) string {
	texts := make([]string, len(lines))
	for i := range lines {
		texts[i] = lines[i].Node + " " + Drain(&lines[i], now)
	}
	return firsts(texts)
}

// Drain says of a node that is drained or has connections left whether it may be stopped, as a sentence without its subject.
func Drain(l *view.DrainLine, now time.Time) string {
	left := ""
	if l.Addresses > 0 {
		left = fmt.Sprintf("%s to %s left", output.Count(int(l.Connections), "connection"), output.Count(int(l.Addresses), "address"))
		if l.Until != nil {
			left += ", for " + duration.HumanDuration(max(0, l.Until.Sub(now))) + " at most"
		}
	}
	switch {
	case l.SafeToStop == metav1.ConditionTrue:
		return "may be stopped"
	case l.Silent != "":
		return silence(l, left)
	case l.Unheard:
		return "is drained, and its speaker has not heard of it yet"
	case l.Reason == "":
		return "is drained, and its speaker does not say whether it may be stopped"
	case l.Reason == status.Attracting.Name && l.Drained:
		return "is drained, and attracts traffic still"
	case l.Reason == status.Attracting.Name:
		return "attracts traffic, and has " + left
	case l.Reason == status.ConnectionsLeft.Name:
		return "has " + left
	}
	return "does not know yet what is open there"
}

// silence says why nobody says whether a node may be stopped, and what can be done.
func silence(l *view.DrainLine, left string) string {
	switch l.Silent {
	case view.SilentNode:
		return "is no node of the cluster any more: there is nothing to wait for"
	case view.SilentNoSpeaker:
		return "is drained, and has no Speaker object, so that nobody says whether it may be stopped: look at the speaker's Pod on the node; " +
			"where none is meant to run, there is nothing to wait for"
	case view.SilentSpeakerGone:
		return "is drained, and its speaker is gone, so that nobody says whether it may be stopped: look at the speaker's Pod on the node"
	case view.SilentNotReady:
	}
	said := ""
	if left != "" {
		said = ", " + left
	}
	return "is not ready, and what its speaker said is perhaps old" + said + ": if the node is off, there is nothing to wait for"
}

func pool(l *view.PoolLine) (texts []string) {
	for _, family := range []struct {
		name  string
		count *view.PoolCount
	}{{"IPv4", l.IPv4}, {"IPv6", l.IPv6}} {
		if family.count != nil {
			texts = append(texts, fmt.Sprintf("%s %s: %d given, %s left", l.Name, family.name, family.count.Assigned, family.count.Available))
		}
	}
	return texts
}

// list is some texts, the first of them if there are many.
func list(texts []string) string { return output.OrNone(firsts(texts)) }

func firsts(texts []string) string {
	const most = 8
	if len(texts) <= most {
		return strings.Join(texts, "; ")
	}
	return fmt.Sprintf("%s; and %d more", strings.Join(texts[:most], "; "), len(texts)-most)
}
