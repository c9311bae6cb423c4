package explain

import (
	"strings"

	"github.com/spf13/cobra"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/duration"

	"github.com/daymark-lb/daymark/api/v1beta1"
	"github.com/daymark-lb/daymark/cli/env"
	"github.com/daymark-lb/daymark/cli/output"
	"github.com/daymark-lb/daymark/cli/source"
	"github.com/daymark-lb/daymark/cli/view"
)

func newAddress(e *env.Env) (*cobra.Command, *asker) {
	a := &asker{Env: e}
	a.queries = func(namespace, _ string) []source.Query { // Which Services have it is not known yet.
		return []source.Query{{Kind: source.Events, Instead: namespace, Optional: true, Fields: "regarding.kind=Service"}}
	}
	a.explain = func(c *view.Cluster, namespace, name string) (*output.Result, explanation, error) {
		x, err := c.ExplainAddress(name, namespace)
		if err != nil {
			return nil, nil, env.Usage(err)
		}
		text := func(s *output.Screen) { (&page{s, c.Now}).address(x) }
		return &output.Result{Kind: "AddressExplanation", Value: x, Names: []string{"address/" + x.Address}, Text: text}, x, nil
	}
	c := a.command("address ADDRESS", "Say whose an address is and who announces it, or who could have it")
	c.Aliases = []string{"addresses", "addr", "ip"}
	c.ValidArgsFunction = e.Complete(1, func() []source.Query {
		namespace, _, _ := e.Namespace()
		return source.Queries(namespace, source.Services)
	}, addresses)
	return c, a
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

func (p *page) address(x *view.AddressExplanation) {
	p.Printf("Address %s\n", x.Address)
	if x.Pool == "" && !x.SeesPools() {
		p.Printf("  pool: <not seen>\n")
	} else {
		p.Printf("  pool: %s\n", output.OrNone(x.Pool))
	}
	if x.Node != "" {
		p.Printf("  node %s itself has it\n", x.Node)
	}
	if x.Reservation != "" {
		p.Printf("  kept by IPReservation %s\n", x.Reservation)
	}
	for i := range x.Services {
		s := &x.Services[i]
		p.Printf("  Service %s/%s has it: announced: %s\n", s.Namespace, s.Name, s.Short())
	}
	p.free(x)
	for _, c := range x.Conflicts {
		by := "a host outside the cluster"
		if c.By != "" {
			by = "node " + c.By
		}
		line := by + " uses it too: " + c.MAC + ", heard on " + c.Interface + " of node " + c.Node
		if c.Elsewhere {
			line += ", which announces it on other interfaces only"
		}
		p.Printf("  %s\n", p.Style.Bad(line))
	}
	story := view.AddressStory{Address: x.Address, Holders: x.Holders, Cuts: x.Cuts}
	if len(x.Stories) > 0 {
		story.BoundedReports = x.Stories[0].BoundedReports
	}
	p.holders(&story)
	if x.NotComputed != "" {
		p.Printf("  not computed who may announce it: %s\n", x.NotComputed)
	}
	for i := range x.Stories {
		p.story(&x.Stories[i])
	}
	p.events(x.Events)
}

func (p *page) free(x *view.AddressExplanation) {
	switch {
	case x.Free == nil:
	case x.Free.Free:
		p.Printf("  nobody has it; a Service of namespace %s that asks for it gets it\n", x.Free.Namespace)
	default:
		p.Printf("  nobody has it; a Service of namespace %s that asks for it does not get it: %s: %s\n", x.Free.Namespace, x.Free.Reason, x.Free.Message)
	}
}

func newNode(e *env.Env) (*cobra.Command, *asker) {
	a := &asker{Env: e, queries: eventsOf(source.Nodes, source.Speakers)}
	a.explain = func(c *view.Cluster, _, name string) (*output.Result, explanation, error) {
		x := c.ExplainNode(name)
		if x == nil {
			return nil, nil, missing("node", name, c, source.Nodes)
		}
		text := func(s *output.Screen) { (&page{s, c.Now}).nodeReport(x) }
		return &output.Result{Kind: "NodeExplanation", Value: x, Names: []string{"node/" + name}, Text: text}, x, nil
	}
	c := a.command("node NAME", "Say what a node holds and tells routers, what it does not, and why")
	c.Aliases = []string{"nodes", "no", "speaker", "speakers"}
	c.ValidArgsFunction = e.CompleteKind(1, source.Nodes)
	return c, a
}

func (p *page) nodeReport(x *view.NodeExplanation) {
	p.Printf("Node %s\n", x.Node)
	for _, remark := range x.Remarks {
		p.Printf("  %s\n", remark)
	}
	if x.Against != nil {
		p.Printf("  %s\n", p.Style.Bad("announces nothing: "+x.Against.Message))
		p.remedy(x.Against.Remedy)
	}
	p.speaker(x.Speaker)
	if x.NotComputed != "" {
		p.Printf("\nnot computed what it may announce: %s\n", x.NotComputed)
	} else {
		p.nodeAddresses(x)
	}
	p.events(x.Events)
}

func (p *page) speaker(s *view.SpeakerReport) {
	if s == nil {
		p.Printf("  %s\n", p.Style.Bad("no speaker has reported from it"))
		return
	}
	if s.GoneSince != nil {
		p.Printf("  %s\n", p.Style.Bad("its speaker has been gone for "+p.age(s.GoneSince.Time)+", and what follows is old"))
	}
	sees := ""
	if s.Members > 0 {
		sees = ", which sees " + output.Count(int(s.Members), "member")
	}
	p.Printf("  speaker %s%s\n", output.OrNone(s.Version), sees)
	p.Printf("  interfaces %s, addresses %s, gateways %s\n", output.OrNone(strings.Join(s.Interfaces, ", ")),
		output.OrNone(strings.Join(s.Addresses, ", ")), output.OrNone(strings.Join(s.Gateways, ", ")))
	p.conditions(s.Conditions)
	p.heading("Holds by layer 2")
	p.Printf("  %s\n", output.Count(int(s.HeldCount), "address"))
	var lines [][]string
	for _, h := range s.Held {
		remark := ""
		if h.StandsInFor != "" {
			remark = "stands in for " + h.StandsInFor
		}
		if h.Shares > 0 || h.SharedBy != "" {
			remark = sharesText(h.Shares) + ", held by " + output.OrNone(h.SharedBy)
		}
		lines = append(lines, []string{h.Address, "on " + strings.Join(h.Interfaces, ", "), "for " + p.age(h.Since.Time), remark})
	}
	p.columns(lines)
	if more := int(s.HeldCount) - len(s.Held); more > 0 {
		p.Printf("  and %d more that the Speaker object, which names 128 at most, does not name\n", more)
	}
	p.heading("BGP sessions")
	if len(s.Sessions) == 0 {
		p.Printf("  <none>\n")
	}
	lines = nil
	for i := range s.Sessions {
		lines = append(lines, []string{s.Sessions[i].Peer, p.session(&s.Sessions[i])})
	}
	p.columns(lines)
	p.draining(s.Draining)
}

// draining says what is left of connections to addresses that moved away; nil: nothing.
func (p *page) draining(left *v1beta1.SpeakerDraining) {
	if left == nil {
		return
	}
	p.heading("Open connections to addresses that moved away")
	p.Printf("  %s to %s\n", output.Count(int(left.Connections), "connection"), output.Count(int(left.Addresses), "address"))
	var lines [][]string
	for i := range left.List {
		l := &left.List[i]
		count := "not counted yet"
		if l.Connections != nil {
			count = output.Count(int(*l.Connections), "connection")
		}
		lines = append(lines, []string{l.Address, count, "passed on for " + duration.HumanDuration(max(0, l.Until.Sub(p.now))) + " at most"})
	}
	p.columns(lines)
	if more := int(left.Addresses) - len(left.List); more > 0 {
		p.Printf("  and %d more addresses that the Speaker object, which names 128 at most, does not name\n", more)
	}
}

// nodeAddresses says what the node does for each address; of many the first.
func (p *page) nodeAddresses(x *view.NodeExplanation) {
	const most = 50
	p.heading("Addresses that it announces or may hold")
	if len(x.Addresses) == 0 {
		p.Printf("  <none>\n")
	}
	var lines [][]string
	for i := range x.Addresses[:min(len(x.Addresses), most)] {
		line := &x.Addresses[i]
		var does []string
		if line.Layer2 != nil && line.Layer2.Does {
			does = append(does, "by layer 2: "+holding(&line.NodeStory))
		}
		for j := range line.Peers {
			if line.Peers[j].Does {
				does = append(does, "announces it to "+line.Peers[j].Peer)
			}
		}
		lines = append(lines, []string{line.Address, "Service " + line.Namespace + "/" + line.Name, strings.Join(does, ", ")})
	}
	p.columns(lines)
	if more := len(x.Addresses) - most; more > 0 {
		p.Printf("  and %d more (-o yaml has all)\n", more)
	}
	if len(x.Others) > 0 {
		p.heading("Addresses that it does not announce")
	}
	for _, other := range x.Others {
		p.Printf("  %d: %s\n", other.Addresses, other.Message)
		p.remedy(other.Remedy)
	}
}
