package announce

import (
	"net/netip"

	"github.com/daymark-lb/daymark/internal/core/lb"
)

// World is everything a decision rests on, read once. Lists may be in any order.
type World struct {
	// Node is the name of the node that decides. Explain does not need it.
	Node string

	// Services that are ours.
	Services  []*lb.Service
	Endpoints map[lb.Key]lb.Endpoints
	Nodes     []*lb.Node
	Pools     *lb.Pools

	L2Advertisements  []*lb.L2Advertisement
	BGPAdvertisements []*lb.BGPAdvertisement
	Peers             []*lb.Peer
	Aliases           lb.Aliases
	BFDProfiles       map[string]*lb.BFDProfile
	// Passwords of peers; one that is missing is not known.
	Passwords map[lb.SecretKey]string

	Members Members
	// Links of the nodes whose speakers are alive, by node. Explain does without.
	Links map[string][]lb.Link
	// OwnLinks are those of this node, alive or not.
	OwnLinks []lb.Link
	// Gateways are the default gateways of this node.
	Gateways []netip.Addr
	// Routers at the other end of this node's interfaces, by the interface's name: link-local addresses with their zone.
	Routers map[string]netip.Addr
	// Running are the BGP sessions of this node that are established, by name: they go on whatever problem they have by now.
	Running map[string]bool
	// Established says, for Explain, which nodes have a session with which peer, by the names of both. A node whose
	// speaker is not there has no entry.
	Established map[string]map[string]bool
	// Conflicts are, for Explain, the addresses that hosts outside the cluster use.
	Conflicts map[netip.Addr]Conflict

	Options Options
}

// Conflict is what the speakers say of another host that uses an address.
type Conflict struct {
	// Node whose speaker heard the host, on an interface, and the host's MAC address.
	Node, Interface, MAC string
	// Announced: the node held the address before, and defends it.
	Announced bool
}

// Members are the speakers that this one sees.
type Members struct {
	// Known is false as long as a speaker has neither met the others nor made sure that there are none.
	Known bool
	// Alive are the nodes whose speakers are there and may hold addresses, this one included.
	Alive []string
}

// Options are the flags that change the rules.
type Options struct {
	// IgnoreExcludeLabel: the label node.kubernetes.io/exclude-from-external-load-balancers means nothing.
	IgnoreExcludeLabel bool
	// WithdrawOnCordon: a node that is cordoned does not announce.
	WithdrawOnCordon bool
}

// IneligibleReason says why a node does not announce. The zero value says that nothing stands against it.
type IneligibleReason uint8

// The reasons against a node.
const (
	Eligible IneligibleReason = iota
	NetworkUnavailable
	Excluded
	OutOfService
	Draining
	Cordoned
	SpeakerMissing
	NotSelected
	NoLocalEndpoint
	OtherFamily
	NoSession
)

var refusals = [...]string{
	Eligible:           "announces",
	NetworkUnavailable: "its condition NetworkUnavailable is True",
	Excluded:           "it has the label node.kubernetes.io/exclude-from-external-load-balancers",
	OutOfService:       "it has the taint node.kubernetes.io/out-of-service",
	Draining:           `it has the annotation daymark.io/drain: "true"`,
	Cordoned:           "it is cordoned",
	SpeakerMissing:     "its speaker is not there",
	NotSelected:        "nodeSelectors do not match it",
	NoLocalEndpoint:    "externalTrafficPolicy is Local and no ready endpoint is on it",
	OtherFamily:        "its BGP sessions do not carry this address family",
	NoSession:          "it has no established BGP session",
}

// String is the reason in words that follow the node's name and a colon.
func (r IneligibleReason) String() string { return refusals[r] }

// nodeRefusal says why a node announces nothing at all (DESIGN section 8).
func nodeRefusal(n *lb.Node, options Options) IneligibleReason {
	switch {
	case n.NetworkUnavailable:
		return NetworkUnavailable
	case n.Excluded && !options.IgnoreExcludeLabel:
		return Excluded
	case n.OutOfService:
		return OutOfService
	case n.Draining:
		return Draining
	case n.Unschedulable && options.WithdrawOnCordon:
		return Cordoned
	default:
		return Eligible
	}
}

// address pairs an address of a Service with the pool it belongs to.
type address struct {
	service *lb.Service
	addr    netip.Addr
	pool    *lb.Pool
}
