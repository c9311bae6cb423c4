package announce

import (
	"net/netip"

	"github.com/daymark-lb/daymark/internal/core/lb"
)

// World is everything that a decision depends on, read once. Lists may be in any order.
type World struct {
	// Node is the name of the node that decides. Explain does not need it.
	Node string

	// Reading numbers what was read of the objects: Worlds with one number have the same ones, in the same order, which are all fields
	// from Services to Passwords, and the Options. 0: it is not known.
	Reading uint64
	// Changes are how the Services and their endpoints differ from those of the World whose Reading was one less; nil: it is not known.
	// With it Services are in order of key.
	Changes *Changes
	// Services that this installation serves.
	Services  []*lb.Service
	Endpoints map[lb.Key]lb.Endpoints
	Nodes     []*lb.Node
	Pools     *lb.Pools

	L2Advertisements []*lb.L2Advertisement
	// BGPAdvertisements with their communities resolved.
	BGPAdvertisements []*lb.BGPAdvertisement
	Peers             []*lb.Peer
	BFDProfiles       map[string]*lb.BFDProfile
	// Passwords of peers, as far as their Secrets exist and can be used.
	Passwords map[lb.SecretKey]string

	Members Members
	// Links of the nodes whose speakers are alive, by node. nil: not known, as for Explain; every node then counts as
	// connected to every subnet.
	Links map[string][]lb.Link
	// Reported: the world rests on what Speaker objects say. A node without an entry in Links counts as connected.
	Reported bool
	// OwnLinks are the links of this node, even when it may hold no addresses.
	OwnLinks []lb.Link
	// NodeAddresses are what the kernels of the nodes have.
	NodeAddresses map[netip.Addr]NodeAddress
	// NodePrefixes are those of which a node's kernel has every address.
	NodePrefixes []NodePrefix
	// Gateways are the default gateways of this node.
	Gateways []lb.Gateway
	// Routers at the other end of this node's interfaces, by the interface's name: link-local addresses with a zone.
	Routers map[string]netip.Addr
	// RouterProblems say why no router can be looked for on one of them, by the interface's name.
	RouterProblems map[string]error
	// Running are the BGP sessions of this node that are established, by name. They go on even if they have a Problem now.
	Running map[string]bool
	// LocalEnds are what this node last gave the sessions with a peer, and FormerRouters the routers that it had, by its name.
	LocalEnds     map[string]LocalEnd
	FormerRouters map[string][]netip.Addr
	// OwnEnd is the NodeEnd of the World before this one.
	OwnEnd NodeEnd
	// ProxyUnhealthy are the nodes that attract nothing because of their service proxies. OwnProxyFailed: what health checks are
	// told of this node's.
	ProxyUnhealthy map[string]bool
	OwnProxyFailed bool
	// Established is for Explain: by node and BGPPeer, whether a session is established. A node without a running speaker
	// has no entry.
	Established map[string]map[string]bool
	// HeldBack is for Explain: the families that no established session of a node with a peer carries.
	HeldBack map[NodePeer][]lb.Family
	// Overridden is for Explain: the BGPPeers of which a node has no session because older ones have them.
	Overridden map[NodePeer]bool
	// Conflicts are for Explain: the addresses that other hosts use.
	Conflicts map[netip.Addr]Conflict
	// StandIns are for Explain: who answers for an address in the place of its holder, in order of node.
	StandIns map[netip.Addr][]StandIn

	Options Options
}

// Changes are Services that differ between two Worlds.
type Changes struct {
	// Services that came, went or became others. One that did so twice is there twice, in order.
	Services []ServiceChange
	// Endpoints are the Services whose endpoints may have changed, served or not.
	Endpoints map[lb.Key]bool
}

// ServiceChange is a Service as it was and as it is; nil: it was not there, or is not any more.
type ServiceChange struct{ Before, Now *lb.Service }

// NodePeer names a node and a BGPPeer of it.
type NodePeer struct{ Node, Peer string }

// StandIn is a node that answers for an address in its part of a segment, where its holder is not reached.
type StandIn struct{ Node, Holder string }

// Conflict is what the speakers report about another host that uses an address.
type Conflict struct {
	// Node whose speaker heard the host, on an interface, and the host's MAC address.
	Node, Interface, MAC string
	// By and ByInterface are the node of the cluster that the other host is; empty: it is outside the cluster.
	By, ByInterface string
	// Announced: the node held the address before, and defends it.
	Announced bool
	// Elsewhere: it announces the address on other interfaces only.
	Elsewhere bool
	// Proxy: the host answers for several addresses.
	Proxy bool
	// Unlisted: the node's Speaker object has no room for the conflict, and says of it no more than that the address is not announced.
	Unlisted bool
}

// Members are the speakers that this one sees.
type Members struct {
	// Known is false until the speaker has met the others, or can be sure that there are none.
	Known bool
	// Alive are the nodes whose speakers run and may hold addresses, this node included.
	Alive []string
}

// Options are the flags that change the rules.
type Options struct {
	// IgnoreExcludeLabel: the label node.kubernetes.io/exclude-from-external-load-balancers has no effect.
	IgnoreExcludeLabel bool
	// WithdrawOnCordon: a node that is cordoned does not announce.
	WithdrawOnCordon bool
}

// address is an address of a Service with the pool that it belongs to; nil: none.
type address struct {
	service *lb.Service
	addr    netip.Addr
	pool    *lb.Pool
}
