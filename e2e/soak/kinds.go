package main

import (
	"slices"
	"time"

	"github.com/daymark-lb/daymark/e2e/lab"
)

// kind is a kind of fault, and what is promised while it lasts and until all is quiet again.
type kind struct {
	name string
	what string // for the report, with the node as "a node"
	// inject breaks something at a node. The end of the step, which is the end of the cluster's T, mends it.
	inject func(c *lab.Cluster, node string)
	// unheld is the longest time for which nobody may answer for an address, and shared for which two nodes may.
	unheld, shared time.Duration
	// stays: no address may change hands.
	stays bool
	// routes says what may not come to the router, beside.
	routes  routes
	atLeast time.Duration // that it lasts
	alone   bool          // it is not done without an API server
}

// routes is what may happen to routes.
type routes int

const (
	mayGo     routes = iota
	stay             // none may be withdrawn, while sessions may end: routers keep routes in a graceful restart
	untouched        // nor may a session end
)

// second is the bound of docs/layer2.md for everything that has to be found out: "within about a second".
const second = time.Second

// lost is what a single frame that a busy machine drops costs: nothing may be worse where nothing fails.
const lost = 200 * time.Millisecond

// gossipPort is the port of the speakers' gossip, TCP and UDP.
const gossipPort = 7946

// kinds are all, in the order of the report.
var kinds = []*kind{
	{
		name: "node-crash", what: "a node loses its power: its cable is dead", inject: func(c *lab.Cluster, n string) { c.Node(n).Crash() },
		unheld: second, shared: second,
	},
	{
		name: "link-down", what: "a node's interface goes down", inject: func(c *lab.Cluster, n string) { c.Node(n).Link("eth0").Down() },
		unheld: second, shared: second,
	},
	{
		name: "node-apart", what: "a node is parted from all others", inject: func(c *lab.Cluster, n string) { c.Partition(n) },
		unheld: second, shared: second,
	},
	{
		name: "two-apart", what: "two nodes together are parted from the third, the clients, the router and the API server",
		inject: func(c *lab.Cluster, n string) { c.Partition(others(n)...) }, unheld: second, shared: second,
	},
	{
		name: "deaf", what: "a node loses all frames that arrive", inject: func(c *lab.Cluster, n string) { c.Node(n).LoseIncoming(all) },
		unheld: second, shared: second,
	},
	{
		name: "mute", what: "a node loses all frames that it sends", inject: func(c *lab.Cluster, n string) { c.Node(n).LoseOutgoing(all) },
		unheld: second, shared: second,
	},
	{
		name: "lossy", what: "a node loses three in ten of the frames that arrive", inject: func(c *lab.Cluster, n string) { c.Node(n).LoseIncoming(some) },
		unheld: second, shared: second,
	},
	{
		name: "duplicates", what: "a node sends every frame twice or more", inject: func(c *lab.Cluster, n string) { c.Node(n).Duplicate() },
		unheld: lost, shared: lost, stays: true, routes: untouched,
	},
	{
		name: "slow", what: "a node sends no more than 2 Mbit/s, up to 300 ms late", inject: func(c *lab.Cluster, n string) { c.Node(n).Slow() },
		unheld: second, shared: second,
	},
	{
		name: "gossip-cut", what: "a firewall at a node drops the gossip, UDP and TCP",
		inject: func(c *lab.Cluster, n string) { c.Node(n).Firewall([]uint16{gossipPort}, "udp", "tcp") }, unheld: second, shared: second, stays: true,
	},
	{
		name: "gossip-udp-cut", what: "a firewall at a node drops the gossip by UDP",
		inject: func(c *lab.Cluster, n string) { c.Node(n).Firewall([]uint16{gossipPort}, "udp") }, unheld: second, shared: second, stays: true,
	},
	{
		name: "gossip-one-way", what: "a node does not get the others' gossip by UDP, and they get its",
		inject: func(c *lab.Cluster, n string) { c.Node(n).FirewallIncoming(gossipPort, "udp") }, unheld: second, shared: second, stays: true,
	},
	{
		name: "speaker-killed", what: "a speaker is killed (SIGKILL)", inject: func(c *lab.Cluster, n string) { kill(c, c.Node(n).Speaker()) },
		unheld: second, shared: second, routes: stay,
	},
	{
		name: "speaker-hangs", what: "a speaker hangs (SIGSTOP) and wakes", inject: func(c *lab.Cluster, n string) { c.Node(n).Speaker().Freeze() },
		unheld: second, shared: second,
	},
	{name: "speaker-restarts", what: "a speaker is told to end (SIGTERM) and started at once", inject: restartSpeaker, unheld: lost, shared: lost, routes: stay},
	{
		name: "rolling-update", what: "all speakers are restarted, one after another", inject: func(c *lab.Cluster, _ string) { c.RollSpeakers() },
		unheld: lost, shared: lost, routes: stay, alone: true,
	},
	{
		name: "api-away", what: "the API server is away", inject: func(c *lab.Cluster, _ string) { stopAPI(c) }, unheld: lost, shared: lost,
		stays: true, routes: untouched, alone: true,
	},
	{
		name: "controller-killed", what: "the controller is killed", inject: func(c *lab.Cluster, _ string) { kill(c, c.Controller()) },
		unheld: lost, shared: lost, stays: true, routes: untouched,
	},
	{
		name: "proxy-away", what: "a node's service proxy is dead", inject: func(c *lab.Cluster, n string) { kill(c, c.Node(n).Proxy()) },
		unheld: second, shared: second, atLeast: 15 * time.Second,
	},
	{name: "router-restarts", what: "the router's programs end, and start again", inject: restartRouter, unheld: lost, shared: lost, stays: true},
	{
		name: "churn", what: "ten Services by layer 2 and ten by BGP are made and deleted", inject: churn, unheld: lost, shared: lost,
		stays: true, routes: untouched, alone: true,
	},
	{
		name: "drain", what: "a node is drained by its annotation", inject: func(c *lab.Cluster, n string) { c.Node(n).Annotate("daymark.io/drain", "true") },
		unheld: lost, shared: lost, alone: true,
	},
	{
		name: "foreign-host", what: "a host that is no node takes an address that a node holds", inject: takeAddress, unheld: lost, shared: lost,
		stays: true, routes: untouched,
	},
}

// Shares of frames that are lost, of a hundred.
const (
	all  = 100
	some = 30
)

func kindOf(name string) *kind {
	if i := slices.IndexFunc(kinds, func(k *kind) bool { return k.name == name }); i >= 0 {
		return kinds[i]
	}
	return nil
}

func kindNames() (names []string) {
	for _, k := range kinds {
		names = append(names, k.name)
	}
	return names
}

// kill kills a program, which the step's end starts again.
func kill(c *lab.Cluster, d lab.Daemon) {
	c.AtEnd(func() { d.Start() })
	d.Kill()
}

func stopAPI(c *lab.Cluster) {
	c.AtEnd(c.StartAPIServer)
	c.StopAPIServer()
}

func restartSpeaker(c *lab.Cluster, node string) {
	c.Node(node).Speaker().Stop()
	c.Node(node).Speaker().Start()
}

func restartRouter(c *lab.Cluster, _ string) {
	c.AtEnd(c.Router().Start)
	c.Router().Stop()
}

func takeAddress(c *lab.Cluster, _ string) { c.ForeignHost().Take(firstNear) }
