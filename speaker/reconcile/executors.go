package reconcile

import (
	"context"
	"net/netip"
	"time"

	"github.com/daymark-lb/daymark/internal/core/announce"
	"github.com/daymark-lb/daymark/internal/core/election"
	"github.com/daymark-lb/daymark/internal/core/handover"
	"github.com/daymark-lb/daymark/internal/core/lb"
	"github.com/daymark-lb/daymark/internal/core/proxyhealth"
	"github.com/daymark-lb/daymark/speaker/bfd"
	"github.com/daymark-lb/daymark/speaker/bgp"
	"github.com/daymark-lb/daymark/speaker/gossip"
	"github.com/daymark-lb/daymark/speaker/layer2"
	"github.com/daymark-lb/daymark/speaker/proxycheck"
	"github.com/daymark-lb/daymark/speaker/trace"
)

// Executors are the parts that act. Changes of each wakes the loop.
type Executors struct {
	Links      Links
	Gossip     Gossip
	Layer2     Layer2
	Unnumbered Unnumbered
	BGP        BGP
	BFD        BFD
	Health     Health
	Proxy      ServiceProxy
	// Connections passes packets of open connections on to the nodes that know them.
	Connections Connections
	// Tracer is told what is decided; nil: nobody is.
	Tracer *trace.Tracer
}

// Links knows the node's network interfaces.
type Links interface {
	// Links are the interfaces; false while they are not known.
	Links() ([]lb.Link, bool)
	// Gateways are the default gateways; false while they are not known.
	Gateways() ([]lb.Gateway, bool)
	// StrictReversePath: what arrives on an interface is dropped when the route back leaves by another one.
	StrictReversePath(name string) bool
	Changes() <-chan struct{}
}

// Gossip is the membership of speakers.
type Gossip interface {
	// Set says where this speaker listens and which others there should be.
	Set(desired gossip.Desired) error
	View() gossip.View
	// Address that this speaker listens on; invalid: none yet.
	Address() netip.AddrPort
	// Broadcast sends the local state to the other speakers.
	Broadcast(local gossip.LocalState)
	// Off: gossip is turned off, so there is nothing to wait for.
	Off() bool
	gossipWakes
}

// gossipWakes are what the gossip wakes the loop by.
type gossipWakes interface {
	Changes() <-chan struct{}
	// Urgent wakes when an address may have no holder, or two, and when routers may turn to other nodes.
	Urgent() <-chan struct{}
}

// Layer2 answers ARP and NDP.
type Layer2 interface {
	Set(ctx context.Context, desired []announce.Layer2Address) error
	// FailedOver says which addresses of the next Set had a holder that died, and when it was last heard.
	FailedOver(since map[netip.Addr]time.Time)
	// Announce says once more where addresses are.
	Announce(addresses []netip.Addr)
	// Defend says of some addresses once more that they are here.
	Defend(addresses []netip.Addr)
	layer2Cluster
	layer2Results
}

// layer2Loops are the goroutines of layer 2.
type layer2Loops interface {
	Changes() <-chan struct{}
	// Alive returns an error when one of them is stuck.
	Alive() error
}

// layer2Cluster is what layer 2 does about the other nodes of the cluster.
type layer2Cluster interface {
	// UpdateClusterMACs says which MAC addresses are those of the cluster's own nodes.
	UpdateClusterMACs(macs []announce.NodeMAC)
	// Ask has other nodes asked whether they answer for addresses; Answers are what is known of that.
	Ask(questions []announce.Layer2Question)
	Answers() map[election.Question]election.Answer
	// Search has everybody asked whether he answers for addresses that are held here.
	Search(searches []election.Search)
	// Rivals are nodes of the cluster that use addresses which are held here.
	Rivals() []election.Rival
	// Urgent wakes when Answers or Rivals have changed.
	Urgent() <-chan struct{}
}

// layer2Results are what layer 2 really does.
type layer2Results interface {
	Held() []layer2.Held
	Conflicts() []layer2.Conflict
	// Unable says on which interfaces this node cannot answer for a family.
	Unable() []layer2.Unable
	// Listen has what comes by some interfaces about addresses heard, for those who trace these.
	Listen(addresses []netip.Addr, interfaces []string)
	layer2Loops
}

// Unnumbered finds the routers at the other end of interfaces.
type Unnumbered interface {
	Set(ctx context.Context, interfaces []string) error
	Routers() map[string]netip.Addr
	// Problems says why no router can be looked for, by interface.
	Problems() map[string]error
	Changes() <-chan struct{}
}

// BGP holds the sessions with routers.
type BGP interface {
	Set(ctx context.Context, desired []announce.Session) error
	// BFDDown closes a session because BFD says that its router cannot be reached (RFC 9384).
	BFDDown(session, reason string)
	// BFDUp has a session that waits connect at once, because BFD reaches its router again.
	BFDUp(session string)
	Status() []bgp.Status
	Changes() <-chan struct{}
}

// BFD watches the paths to routers.
type BFD interface {
	Set(ctx context.Context, desired []announce.BFDSession) error
	Status() []bfd.Status
	Changes() <-chan struct{}
}

// Health serves health checks.
type Health interface {
	// Set says what to answer, and whose the ports are.
	Set(ctx context.Context, ports []announce.HealthPort, paths announce.HealthPaths, owner proxyhealth.Ports) error
}

// Connections passes packets of open connections on.
type Connections interface {
	// Set says which, and whose connections to count.
	Set(ctx context.Context, plan handover.Plan) error
	// Kept is what the kernel still does of an earlier process, before the first Set.
	Kept() (handover.Plan, error)
	connectionResults
}

// connectionResults are what Connections finds out.
type connectionResults interface {
	// Left are the numbers of open connections to addresses that are counted. Who is missing has not been counted.
	Left() map[netip.Addr]int
	// Unreachable are the next nodes that do not answer on the segment, sorted.
	Unreachable() []netip.Addr
	// Refused says why packets are not passed on to some next nodes, of each of these.
	Refused() []string
	// Answered are those that the plan has asked and that have answered lately, sorted.
	Answered() []netip.Addr
	connectionFaults
	Changes() <-chan struct{}
}

// connectionFaults are why connections break, as far as Connections knows.
type connectionFaults interface {
	// Unable says why nothing can be passed on, or only packets of the family that Only returns; empty: both can, as far as is known.
	Unable() string
	Only() lb.Family
	// Sure reports whether what Unable says is certain: not before the first look, nor while kube-proxy may just be starting.
	Sure() bool
	// Beside is a network plugin that may serve Services in the place of kube-proxy; empty: none is seen.
	Beside() string
}

// ServiceProxy knows how the node's service proxy is.
type ServiceProxy interface {
	// Set says which addresses the node has.
	Set(addresses []netip.Addr)
	// Result is the newest answer; false while there is none.
	Result() (proxycheck.Result, bool)
	Changes() <-chan struct{}
}
