package explain

import (
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/daymark-lb/daymark/cli/env"
	"github.com/daymark-lb/daymark/cli/output"
	"github.com/daymark-lb/daymark/cli/source"
	"github.com/daymark-lb/daymark/cli/view"
)

// missing says that there is no object of a name, as far as is seen.
func missing(what, name string, c *view.Cluster, kind source.Kind) error {
	for _, unseen := range c.Unseen {
		if unseen.Resource == kind.Name() && (unseen.OnlyNamespace == "" || !strings.HasPrefix(name, unseen.OnlyNamespace+"/")) {
			return fmt.Errorf("no %s %s is seen: %s", what, name, unseen.Message)
		}
	}
	return fmt.Errorf("there is no %s %s", what, name)
}

func newPool(e *env.Env) (*cobra.Command, *asker) {
	a := &asker{Env: e, queries: eventsOf(source.Pools)}
	a.explain = func(c *view.Cluster, _, name string) (*output.Result, explanation, error) {
		x := c.ExplainPool(name)
		if x == nil {
			return nil, nil, missing("IPAddressPool", name, c, source.Pools)
		}
		text := func(s *output.Screen) { (&page{s, c.Now}).pool(x) }
		return &output.Result{Kind: "PoolExplanation", Value: x, Names: []string{"ipaddresspool.daymark.io/" + name}, Text: text}, x, nil
	}
	c := a.command("pool NAME", "Say what a pool has and gives, to whom, and by what its addresses are announced")
	c.Aliases = []string{"pools", "ipaddresspool", "ipaddresspools"}
	c.ValidArgsFunction = e.CompleteKind(1, source.Pools)
	return c, a
}

func (p *page) pool(x *view.PoolExplanation) {
	p.Printf("IPAddressPool %s\n", x.Name)
	p.Printf("  addresses: %s\n", strings.Join(x.Addresses, ", "))
	if len(x.Exclude) > 0 {
		p.Printf("  without: %s\n", strings.Join(x.Exclude, ", "))
	}
	p.Printf("  serves: %s\n", strings.Join(x.Serves, "; "))
	p.count("IPv4", x.IPv4)
	p.count("IPv6", x.IPv6)
	if x.NotComputed != "" {
		p.Printf("  not counted: %s\n", x.NotComputed)
	}
	if len(x.Reservations) > 0 {
		p.Printf("  IPReservations of its addresses: %s\n", strings.Join(x.Reservations, ", "))
	}
	p.conditions(x.Conditions)
	p.heading("Announced by")
	announced := false
	for _, a := range x.Advertisements {
		if a.Announces {
			announced = true
			p.Printf("  %s %s\n", a.Kind, a.Name)
		}
	}
	if !announced {
		p.Printf("  %s\n", p.Style.Bad("no advertisement: nobody reaches its addresses"))
	}
	p.heading(fmt.Sprintf("Services with an address of it: %d", len(x.Services)))
	const most = 50
	var lines [][]string
	for i := range x.Services[:min(len(x.Services), most)] {
		s := &x.Services[i]
		lines = append(lines, []string{s.Namespace + "/" + s.Name, strings.Join(s.Addresses, ","), "announced: " + s.Short()})
	}
	p.columns(lines)
	if more := len(x.Services) - most; more > 0 {
		p.Printf("  and %d more (-o yaml has all)\n", more)
	}
	p.events(x.Events)
}

func (p *page) count(family string, c *view.PoolCount) {
	if c == nil {
		return
	}
	text := fmt.Sprintf("%d given, %s left", c.Assigned, c.Available)
	if c.Reserved != "" && c.Reserved != "0" {
		text += ", " + c.Reserved + " kept by IPReservations"
	}
	if c.ReuseDelayed > 0 {
		text += fmt.Sprintf(", %d rest before they are given again", c.ReuseDelayed)
	}
	if c.Unusable > 0 {
		text += fmt.Sprintf(", %d never given", c.Unusable)
	}
	p.Printf("  %s: %s\n", family, text)
}

func newPeer(e *env.Env) (*cobra.Command, *asker) {
	a := &asker{Env: e, queries: eventsOf(source.Peers)}
	a.explain = func(c *view.Cluster, _, name string) (*output.Result, explanation, error) {
		x := c.ExplainPeer(name)
		if x == nil {
			return nil, nil, missing("BGPPeer", name, c, source.Peers)
		}
		text := func(s *output.Screen) { (&page{s, c.Now}).peer(x) }
		return &output.Result{Kind: "PeerExplanation", Value: x, Names: []string{"bgppeer.daymark.io/" + name}, Text: text}, x, nil
	}
	c := a.command("peer NAME", "Say which nodes have sessions with a BGP peer, what it was told, and why not")
	c.Aliases = []string{"peers", "bgppeer", "bgppeers"}
	c.ValidArgsFunction = e.CompleteKind(1, source.Peers)
	return c, a
}

func (p *page) peer(x *view.PeerExplanation) {
	p.Printf("BGPPeer %s\n", x.Name)
	p.Printf("  router: %s, AS %s\n", x.Where, x.ASNs)
	if x.NotAccepted != "" {
		p.Printf("  %s: %s\n", p.Style.Warn("the object as it is written is not accepted"), x.NotAccepted)
	}
	if x.AdminState != "" {
		p.Printf("  adminState: %s, on purpose\n", x.AdminState)
	}
	if x.ShutdownMessage != "" {
		p.Printf("  shutdownMessage: %s\n", x.ShutdownMessage)
	}
	if x.BFDProfile != "" {
		p.Printf("  watched by BFD, with BFDProfile %s\n", x.BFDProfile)
	}
	p.Printf("  BGPAdvertisements: %s\n", output.OrNone(strings.Join(x.Advertisements, ", ")))
	p.overridden(x)
	p.conditions(x.Conditions)
	p.heading("Nodes")
	var lines [][]string
	for i := range x.Sessions {
		node := &x.Sessions[i]
		var says []string
		for j := range node.Sessions {
			says = append(says, p.session(&node.Sessions[j]))
		}
		if node.Against != nil && !slices.ContainsFunc(says, func(said string) bool { return strings.Contains(said, node.Against.Message) }) {
			says = append(says, node.Against.Message)
		}
		if len(says) == 0 {
			says = []string{"it reports no session"}
		}
		lines = append(lines, []string{node.Node, strings.Join(says, "; ")})
	}
	p.columns(lines)
	p.events(x.Events)
}

// overridden says which of the BGPPeers with the same router has the session.
func (p *page) overridden(x *view.PeerExplanation) {
	if x.Overridden > 0 {
		p.Printf("  %s\n", p.Style.Warn(fmt.Sprintf("overridden on %s by BGPPeer %s: of those that lead a node to the same router the oldest has the session",
			output.Count(int(x.Overridden), "node"), strings.Join(x.OverriddenBy, ", "))))
	}
	if len(x.Overrides) > 0 {
		p.Printf("  has the session also for BGPPeer %s, which is younger and leads to the same router\n", strings.Join(x.Overrides, ", "))
	}
	if len(x.NotTold) > 0 {
		p.Printf("    %s\n", p.Style.Warn(fmt.Sprintf("the router is not told of BGPAdvertisement %s, which names the younger alone: name %s in peers as well",
			strings.Join(x.NotTold, ", "), x.Name)))
	}
}
