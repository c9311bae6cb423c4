package explain

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/daymark-lb/daymark/cli/env"
	"github.com/daymark-lb/daymark/cli/output"
	"github.com/daymark-lb/daymark/cli/source"
	"github.com/daymark-lb/daymark/cli/view"
	"github.com/daymark-lb/daymark/internal/core/lb"
	"github.com/daymark-lb/daymark/internal/core/shares"
)

// Service prints the way of a Service from its request to the wire, for other commands. The error is env.ErrWrong when something is wrong.
func Service(ctx context.Context, e *env.Env, namespace, name string) error {
	return serviceAsker(e).run(ctx, namespace, name)
}

func newService(e *env.Env) (*cobra.Command, *asker) {
	a := serviceAsker(e)
	c := a.command("service NAME", "Say the way of a Service from its request to the wire")
	c.Aliases = []string{"services", "svc"}
	c.ValidArgsFunction = e.Complete(1, func() []source.Query {
		namespace, _, _ := e.Namespace()
		return []source.Query{{Kind: source.Services, Namespace: namespace}}
	}, source.LoadBalancers)
	return c, a
}

func serviceAsker(e *env.Env) *asker {
	a := &asker{Env: e, namespaced: true}
	a.queries = func(namespace, name string) []source.Query { return events("Service", namespace, name) }
	a.explain = func(c *view.Cluster, namespace, name string) (*output.Result, explanation, error) {
		x := c.ExplainService(lb.Key{Namespace: namespace, Name: name})
		if x == nil {
			return nil, nil, missing("Service", namespace+"/"+name+" of type LoadBalancer", c, source.Services)
		}
		text := func(s *output.Screen) { (&page{s, c.Now}).service(x) }
		return &output.Result{Kind: "ServiceExplanation", Value: x, Names: []string{x.ID()}, Text: text}, x, nil
	}
	return a
}

// service writes all that is known of a Service.
func (p *page) service(x *view.ServiceExplanation) {
	p.Printf("Service %s/%s\n", x.Namespace, x.Name)
	p.Printf("  addresses: %s\n", output.OrNone(strings.Join(x.Addresses, ",")))
	p.conditions(x.Conditions)
	if len(x.Conditions) == 0 {
		p.Printf("  nothing is said: the controller has not seen the Service, or it is of another class\n")
	}
	for _, story := range x.Stories {
		p.holders(&story)
	}
	for _, line := range x.Differences {
		p.Printf("  %s\n", p.Style.Warn(line))
	}
	for _, line := range slices.Concat(x.Preference, x.Weights, x.Unsent) {
		p.Printf("  %s\n", line)
	}
	if x.NotComputed != "" {
		p.Printf("  not compared with the objects as they are now: %s\n", x.NotComputed)
	}
	p.request(&x.Request)
	p.pools(x.PoolAnswers)
	for i := range x.Stories {
		p.story(&x.Stories[i])
	}
	p.endpoints(x)
	p.events(x.Events)
}

func (p *page) request(r *view.Request) {
	p.heading("Request")
	p.Printf("  served by %s\n", r.ServedBy)
	wants := "any " + strings.Join(r.Families, " and ") + " address"
	if len(r.Addresses) > 0 {
		wants = strings.Join(r.Addresses, ", ")
	}
	if len(r.Pools) > 0 {
		wants += " of pool " + strings.Join(r.Pools, " or ")
	}
	p.Printf("  asks for %s (%s)\n", wants, r.FamilyPolicy)
	if r.SharingKey != "" {
		p.Printf("  shares with Services that have the key %s\n", r.SharingKey)
	}
	p.Printf("  ports %s, externalTrafficPolicy %s", strings.Join(r.Ports, ", "), r.TrafficPolicy)
	if r.SessionAffinity != "" {
		p.Printf(", sessionAffinity %s", r.SessionAffinity)
	}
	if r.HealthCheckPort != 0 {
		p.Printf(", health check at port %d of every node", r.HealthCheckPort)
	}
	p.Printf("\n")
	if r.Error != "" {
		p.Printf("  %s\n", p.Style.Bad("it cannot be understood: "+r.Error))
	}
}

func (p *page) pools(answers []view.PoolAnswer) {
	if len(answers) == 0 {
		return
	}
	p.heading("Pools, in the order in which they are asked")
	var lines [][]string
	for _, a := range answers {
		lines = append(lines, []string{a.Pool, a.Message})
	}
	p.columns(lines)
}

// holders writes who holds an address by layer 2.
func (p *page) holders(x *view.AddressStory) {
	shared := false
	for i := range x.Holders {
		h := &x.Holders[i]
		does := "is held by " + h.Node
		switch {
		case h.StandsInFor != "":
			does = fmt.Sprintf("is answered for by %s, which stands in for %s in its part of the segment,", h.Node, h.StandsInFor)
		case h.Shared():
			shared = true
			does = fmt.Sprintf("is shared: %s answers %s,", h.Node, sharesText(h.Shares))
			if h.SharedBy == h.Node {
				does = fmt.Sprintf("is shared: %s holds it and answers %s,", h.Node, sharesText(h.Shares))
			}
		}
		old := ""
		if h.ReportedBefore != nil {
			old = ", by an old report: its speaker has been gone for " + p.age(h.ReportedBefore.Time)
		}
		p.Printf("  %s %s on %s for %s%s\n", x.Address, does, strings.Join(h.Interfaces, ", "), p.age(h.Since.Time), old)
	}
	if view.Disputed(x.Holders) {
		p.Printf("  %s\n", p.Style.Bad("more than one says that it holds it: for longer than a second or two, one of them is cut off from the others"+whoIsNotSeen(x)))
	}
	if x.Unheld {
		p.Printf("  %s\n", p.Style.Bad("no node says that it holds "+x.Address+", which one is to do by layer 2: the log of the speakers that may hold it says more"))
	}
	for _, cut := range x.Cuts {
		p.Printf("  %s\n", p.Style.Warn(cut))
	}
	if shared {
		p.Printf("  a client is who asks on the segment: a router is one, and all behind it get one node\n")
	}
	if len(x.BoundedReports) > 0 {
		p.Printf("  %s is in no report; those of %s name 128 addresses and no more, so one of them may hold it\n", x.Address, strings.Join(x.BoundedReports, ", "))
	}
}

// whoIsNotSeen leads to who is not seen, unless the holders say it.
func whoIsNotSeen(x *view.AddressStory) string {
	if len(x.Cuts) > 0 {
		return ""
	}
	return "; kubectl daymark problems names who is not seen"
}

// sharesText says how many of the clients of a shared address a node answers.
func sharesText(count int32) string {
	return fmt.Sprintf("%d of the %d shares of its clients", count, shares.Count)
}

func (p *page) story(x *view.AddressStory) {
	if len(x.Advertisements)+len(x.Nodes) == 0 && x.Against == nil {
		return
	}
	p.heading(fmt.Sprintf("Address %s from pool %s", x.Address, output.OrNone(x.Pool)))
	if x.Against != nil {
		p.Printf("  %s\n", p.Style.Bad("not announced by any node: "+x.Against.Message))
		p.remedy(x.Against.Remedy)
	}
	var lines [][]string
	for _, a := range x.Advertisements {
		verb := "announces it"
		if !a.Announces {
			verb = "does not: " + a.Why
		}
		lines = append(lines, []string{a.Kind + " " + a.Name, verb})
	}
	p.columns(lines)
	lines = nil
	for i := range x.Nodes {
		lines = append(lines, p.node(&x.Nodes[i])...)
	}
	p.columns(lines)
	p.remediesOf(x.Nodes)
}

// node returns a line for each way in which a node could announce an address.
func (p *page) node(n *view.NodeStory) (lines [][]string) {
	if n.Layer2 != nil {
		text := holding(n)
		if n.Nearness != "" {
			text += " (" + n.Nearness + ")"
		}
		lines = append(lines, []string{"node " + n.Node, "by layer 2", part(n.Layer2, text)})
	}
	for i := range n.Peers {
		peer := &n.Peers[i]
		lines = append(lines, []string{"node " + n.Node, "to " + peer.Peer, part(&peer.Part, "announces it") + p.sessions(peer.Sessions)})
	}
	return lines
}

// holding says what a node that may hold an address by layer 2 does for it.
func holding(n *view.NodeStory) string {
	text := "may hold it"
	switch {
	case n.Holds:
		text = "holds it"
	case n.Shares > 0:
		return "answers " + sharesText(n.Shares)
	case n.PerhapsHolds:
		text = "may hold it, or does so and names 128 others"
	case n.Shared:
		return "may hold it, or answer a part of its clients"
	}
	if n.Shares > 0 {
		text += " and answers " + sharesText(n.Shares)
	}
	return text
}

func part(p *view.Part, does string) string {
	if p.Does {
		return does
	}
	return "does not: " + p.Against.Message
}

// sessions in short, to follow what a node does.
func (p *page) sessions(sessions []view.SessionLine) (text string) {
	for i := range sessions {
		text += "; " + p.session(&sessions[i])
	}
	return text
}

func (p *page) session(s *view.SessionLine) string {
	if s.OverriddenBy != "" {
		return fmt.Sprintf("session with %s overridden for %s by that of BGPPeer %s, which is older", output.OrNone(s.Address), p.age(s.Since.Time), s.OverriddenBy)
	}
	text := fmt.Sprintf("session with %s %s for %s", output.OrNone(s.Address), s.State, p.age(s.Since.Time))
	if s.State == "Established" {
		text += fmt.Sprintf(", %d IPv4 and %d IPv6 prefixes told", s.IPv4, s.IPv6) + sent(s.Sent)
	}
	for _, remark := range []string{s.LastError, s.Warning} {
		if remark != "" && (s.State != "Established" || remark != s.LastError) {
			text += ": " + remark
		}
	}
	if s.BFD != "" {
		text += ", BFD " + s.BFD
	}
	return text
}

// sent says whether those are the routes that the objects ask for.
func sent(check *view.SentCheck) string {
	switch check.Result {
	case view.SentAgrees:
		return ", as the objects ask for"
	case view.SentDiffers:
		return ", which DIFFER from what the objects ask for: " + check.Message
	case view.SentUnknown, view.SentNothing, view.SentOverridden:
	}
	return " (not compared with what the objects ask for: " + check.Message + ")"
}

// remediesOf says once what can be done about each reason that stands against nodes.
func (p *page) remediesOf(nodes []view.NodeStory) {
	said := map[string]bool{}
	say := func(part *view.Part) {
		if part == nil || part.Does || said[part.Against.Reason] || part.Against.Remedy == "" {
			return
		}
		said[part.Against.Reason] = true
		p.Printf("  %s: %s\n", part.Against.Reason, part.Against.Remedy)
	}
	announced := false
	for i := range nodes {
		announced = announced || nodes[i].Layer2 != nil && nodes[i].Layer2.Does
		for j := range nodes[i].Peers {
			announced = announced || nodes[i].Peers[j].Does
		}
	}
	for i := range nodes {
		if !announced {
			say(nodes[i].Layer2)
			for j := range nodes[i].Peers {
				say(&nodes[i].Peers[j].Part)
			}
		}
	}
}

func (p *page) endpoints(x *view.ServiceExplanation) {
	p.heading("Endpoints")
	if len(x.Endpoints) == 0 {
		p.Printf("  <none>\n")
		return
	}
	const most = 20
	var lines [][]string
	for _, e := range x.Endpoints[:min(len(x.Endpoints), most)] {
		lines = append(lines, []string{e.Address, "on " + output.OrNone(e.Node), e.State})
	}
	p.columns(lines)
	if more := len(x.Endpoints) - most; more > 0 {
		p.Printf("  and %d more (-o yaml has all)\n", more)
	}
}

func (p *page) events(events []view.EventLine) {
	if len(events) == 0 {
		return
	}
	p.heading("Events, the newest first")
	var lines [][]string
	for _, e := range events {
		times := ""
		if e.Count > 1 {
			times = fmt.Sprintf(" (%d times)", e.Count)
		}
		lines = append(lines, []string{p.age(e.Time.Time) + " ago", e.Type, e.Reason, e.Note + times})
	}
	p.columns(lines)
}

func (p *page) age(at time.Time) string { return age(p.now, at) }
