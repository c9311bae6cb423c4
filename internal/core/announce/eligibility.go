package announce

import (
	"fmt"
	"slices"

	"github.com/daymark-lb/daymark/api/v1beta1"
	"github.com/daymark-lb/daymark/internal/core/lb"
	"github.com/daymark-lb/daymark/internal/core/reason"
)

// This file is the one place that says what stands against announcing an address. Compute asks it in order to act, and
// Explain asks it in order to explain, so that the two cannot differ. To add a reason, add one entry to chain.
//
// Not part of it: which of the eligible nodes is best connected to the address's subnet (see bestConnected) and which of
// them holds the address (internal/core/election). Those choose between nodes; they are no reasons against one.

// IneligibleReason says why a node does not announce an address. It is a position in chain, counted from 1: a higher one
// is nearer to success. The zero value is Eligible.
type IneligibleReason uint8

// Eligible means that nothing stands against the node.
const Eligible IneligibleReason = 0

// String is the reason in words that follow the node's name and a colon.
func (r IneligibleReason) String() string {
	if r == Eligible {
		return "announces"
	}
	if int(r) > len(chain) {
		return fmt.Sprintf("reason %d", uint8(r))
	}
	return chain[r-1].Meaning
}

// IneligibleReasons are the reasons against a node in the order of the chain, for the reference pages.
func IneligibleReasons() []reason.Reason {
	var reasons []reason.Reason
	for _, c := range chain {
		reasons = append(reasons, c.Reason)
	}
	return reasons
}

// scope is what a check depends on. It decides how often the check is made.
type scope uint8

const (
	// ofNode: on the node alone. Asked once per World.
	ofNode scope = iota
	// ofAdvertisements: on the node, a set of advertisements and a peer. Asked once for all addresses that have the same.
	ofAdvertisements
	// ofSegment: as ofAdvertisements, and on the subnets of the address. Asked once for all addresses that have the same.
	ofSegment
	// ofLocalService: on the node and a Service with externalTrafficPolicy Local. Asked for every address of such Services;
	// any node can serve the others.
	ofLocalService
	// ofPrefix: on the node, a peer and the prefixes of an address. Asked for peers with maximumPrefixes alone.
	ofPrefix
	scopes
)

// check is one reason against a node.
type check struct {
	// Reason with its name, its text (Meaning, which follows the node's name and a colon) and its remedy.
	reason.Reason
	scope scope
	// applies asks the question; true: the reason stands against the node.
	applies func(q *query) bool
}

// chain is all reasons against a node, in the order in which they are asked; the first that applies is the answer. Facts
// about the node come first, then its selection, then its speaker and sessions, then the Service's endpoints; scopes must
// ascend. Where a node has several ways to announce an address, by layer 2 and to several peers, the explanation tells the
// reason that stands last here, because it is the one nearest to success.
var chain = []check{
	{
		Reason: reason.Reason{
			Name: "NetworkUnavailable", Meaning: "its condition NetworkUnavailable is True",
			Remedy: "Find out why the network plugin does not work on the node.",
		},
		scope:   ofNode,
		applies: func(q *query) bool { return q.node.NetworkUnavailable },
	},
	{
		Reason: reason.Reason{
			Name: "Excluded", Meaning: "it has the label node.kubernetes.io/exclude-from-external-load-balancers",
			Remedy: "Remove the label, or start all programs with --ignore-exclude-label.",
		},
		scope:   ofNode,
		applies: func(q *query) bool { return q.node.Excluded && !q.world.Options.IgnoreExcludeLabel },
	},
	{
		Reason: reason.Reason{
			Name: "OutOfService", Meaning: "it has the taint node.kubernetes.io/out-of-service",
			Remedy: "Remove the taint when the node works again.",
		},
		scope:   ofNode,
		applies: func(q *query) bool { return q.node.OutOfService },
	},
	{
		Reason: reason.Reason{
			Name: "Draining", Meaning: `it has the annotation daymark.io/drain: "true"`,
			Remedy: "Remove the annotation when the node is to announce again.",
		},
		scope:   ofNode,
		applies: func(q *query) bool { return q.node.Draining },
	},
	{
		Reason:  reason.Reason{Name: "Cordoned", Meaning: "it is cordoned", Remedy: "Uncordon the node."},
		scope:   ofNode,
		applies: func(q *query) bool { return q.node.Unschedulable && q.world.Options.WithdrawOnCordon },
	},
	{
		Reason: reason.Reason{
			Name: "ServiceProxyUnhealthy", Meaning: "its service proxy (kube-proxy) does not work, or has not worked yet since it booted",
			Remedy: "Look at kube-proxy on the node, and at the condition ServiceProxyUnhealthy of its Speaker object.",
		},
		scope:   ofNode,
		applies: func(q *query) bool { return q.world.ProxyUnhealthy[q.node.Name] },
	},
	{
		Reason: reason.Reason{
			Name: "NotForPeer", Meaning: "peers of its BGPAdvertisements name other BGPPeers",
			Remedy: "Name the BGPPeer in peers of the BGPAdvertisement, if its routers are to hear of the address.",
		},
		scope:   ofAdvertisements,
		applies: func(q *query) bool { return q.peer != nil && q.meant == "" },
	},
	{
		Reason: reason.Reason{
			Name: "NotSelected", Meaning: "nodeSelectors do not match it",
			Remedy: "Change the nodeSelectors of the advertisement or of the BGPPeer, or the labels of the node.",
		},
		scope:   ofAdvertisements,
		applies: func(q *query) bool { return q.advertisements == "" || q.peer != nil && !selects(q.peer, q.node.Node) },
	},
	{
		Reason: reason.Reason{
			Name: heldBack, Meaning: "its BGPAdvertisement is held back, since a community of it is unknown",
			Remedy: "Look at the condition Ready of the BGPAdvertisement, which names the community.",
		},
		scope:   ofAdvertisements,
		applies: (*query).heldBack,
	},
	{
		Reason: reason.Reason{
			Name: "PeerDown", Meaning: "adminState of the BGPPeer is Down",
			Remedy: "That is on purpose: kubectl patch bgppeer NAME --type merge -p '{\"spec\":{\"adminState\":\"Up\"}}' ends it.",
		},
		scope:   ofAdvertisements,
		applies: func(q *query) bool { return q.peer != nil && q.peer.AdminState == v1beta1.AdminDown },
	},
	{
		Reason: reason.Reason{
			Name: "PeerInMaintenance", Meaning: "adminState of the BGPPeer is Maintenance",
			Remedy: "That is on purpose: kubectl patch bgppeer NAME --type merge -p '{\"spec\":{\"adminState\":\"Up\"}}' ends it.",
		},
		scope:   ofAdvertisements,
		applies: func(q *query) bool { return q.peer != nil && q.peer.AdminState == v1beta1.AdminMaintenance },
	},
	{
		Reason: reason.Reason{
			Name: "SpeakerMissing", Meaning: "its speaker is not there, or does not know the others yet",
			Remedy: "Look at the speaker's Pod on the node, and at its Speaker object.",
		},
		scope:   ofAdvertisements,
		applies: (*query).speakerMissing,
	},
	{
		Reason: reason.Reason{
			Name: "OtherFamily", Meaning: "its BGP sessions do not carry this address family, or hold all routes back after a failure of BFD (holdDown)",
			Remedy: "Where the warning of the session in the node's Speaker object says that BFD has failed, the family is not at fault: see to the " +
				"path, and wait for holdDown of the BFDProfile. Else name the family in the BGPPeer's addressFamilies and activate it on the router; " +
				"and give the interface of the session an address of it to be the next hop.",
		},
		scope:   ofAdvertisements,
		applies: (*query).otherFamily,
	},
	{
		Reason: reason.Reason{
			Name: "Overridden", Meaning: "an older BGPPeer leads to the same router, and has the session",
			Remedy: "A router has one session with a node, and the oldest BGPPeer that leads to it has it; kubectl daymark explain peer names it. " +
				"Name that one in peers of the BGPAdvertisement as well; or delete it, and its session goes on under the name of the younger.",
		},
		scope:   ofAdvertisements,
		applies: func(q *query) bool { return q.peer != nil && q.world.Overridden[NodePeer{q.node.Name, q.peer.Name}] },
	},
	{
		Reason: reason.Reason{
			Name: "NoSession", Meaning: "it has no established BGP session",
			Remedy: "Look at the sessions in the node's Speaker object; lastError says what is wrong.",
		},
		scope:   ofAdvertisements,
		applies: func(q *query) bool { return q.peer != nil && !q.world.Established[q.node.Name][q.peer.Name] },
	},
	{
		Reason: reason.Reason{
			Name: noInterface, Meaning: "it has no interface for the address that is up and that the L2Advertisement selects",
			Remedy: "Correct interfaces of the L2Advertisement; or look on the node at its interfaces (ip link): one that waits for 802.1X is DORMANT " +
				"and not up, and IPv6 addresses need a link-local address on it.",
		},
		scope: ofSegment,
		applies: func(q *query) bool {
			return q.layer2 && q.segment.reachabilityOf(q.rules, q.matches, q.index) == unreachable
		},
	},
	{
		Reason: reason.Reason{
			Name: "NoLocalEndpoint", Meaning: "externalTrafficPolicy is Local and no ready endpoint is on it",
			Remedy: "Run a Pod of the Service on the node, or set externalTrafficPolicy to Cluster.",
		},
		scope:   ofLocalService,
		applies: func(q *query) bool { return !q.endpoints.ServingOnNode(q.node.Name, q.family) },
	},
	{
		Reason: reason.Reason{
			Name: "MaximumPrefixes", Meaning: "maximumPrefixes of the BGPPeer is reached, by older Services",
			Remedy: "Raise the limit, on the router first; or aggregate prefixes, or delete Services.",
		},
		scope:   ofPrefix,
		applies: func(q *query) bool { return q.beyondMaximum },
	},
}

// The names of the reasons that the explanation says more of.
const (
	noInterface = "NoInterface"
	heldBack    = "HeldBack"
)

// is reports whether a reason has a name.
func (r IneligibleReason) is(name string) bool { return r != Eligible && chain[r-1].Name == name }

// query is a question to the chain: may a node announce an address?
type query struct {
	*rules
	node *node
	// layer2: by layer 2; else by BGP.
	layer2 bool
	// advertisements, of layer 2 or of BGP, that announce the address, are meant for the peer and select the node; for the
	// checks ofAdvertisements.
	advertisements advertisementSet
	// meant are the BGPAdvertisements that announce the address and are meant for the peer, whichever nodes they select.
	meant advertisementSet
	// segment of the address, the layer-2 advertisements that announce it, and the index of the node; for the checks ofSegment
	// by layer 2.
	segment *segment
	matches advertisementSet
	index   int
	// peer that is to hear of the address, as far as the speakers report; nil: not asked about. A speaker that acts does
	// not ask: it gives every session its paths, and the session takes those it can carry once it is established.
	peer *lb.Peer
	// family of the address.
	family lb.Family
	// endpoints of the Service, for the checks ofLocalService.
	endpoints lb.Endpoints
	// beyondMaximum: all prefixes of the address are beyond the peer's maximumPrefixes, for the check ofPrefix.
	beyondMaximum bool
}

// serviceQuery prepares a query of the checks ofLocalService, to which a node is to be added. The next call overwrites it:
// there are as many as addresses.
func (r *rules) serviceQuery(a address) *query {
	r.local = query{rules: r, family: lb.FamilyOf(a.addr), endpoints: r.world.Endpoints[a.service.Key]}
	return &r.local
}

// ask returns the first reason of a scope that applies.
func (q *query) ask(s scope) IneligibleReason {
	for _, question := range q.questions[s] {
		if question.applies(q) {
			return question.reason
		}
	}
	return Eligible
}

// question is a check without its words: the part of the chain that is asked often.
type question struct {
	reason  IneligibleReason
	applies func(q *query) bool
}

// questions of the chain by scope.
func questions() (byScope [scopes][]question) {
	for i, c := range chain {
		byScope[c.scope] = append(byScope[c.scope], question{IneligibleReason(i + 1), c.applies})
	}
	return byScope
}

// ineligibleService says why a node, by its index, cannot serve an address for which there are endpoints.
func (r *rules) ineligibleService(a address, node int) IneligibleReason {
	if !a.service.Local {
		return Eligible
	}
	q := r.serviceQuery(a)
	q.node = &r.nodes[node]
	return q.ask(ofLocalService)
}

// selects reports whether a peer is one of a node's.
func selects(peer *lb.Peer, n *lb.Node) bool { return peer.NodeSelectors.Match(n.Labels) }

func (q *query) speakerMissing() bool {
	if q.layer2 {
		return !q.node.alive
	}
	_, reported := q.world.Established[q.node.Name]
	return q.peer != nil && !reported
}

func (q *query) otherFamily() bool {
	return q.peer != nil && (slices.Contains(q.world.HeldBack[NodePeer{q.node.Name, q.peer.Name}], q.family) ||
		!slices.ContainsFunc(q.sessionsWith(q.peer, q.node.Node), func(s Session) bool { return s.carries(q.family) }))
}

// addressCheck is one reason against an address, whichever node is asked.
type addressCheck struct {
	reason.Reason
	// applies is given the address, and whether an advertisement announces it.
	applies func(r *rules, a address, advertised bool) bool
	// message in words, for the condition.
	message func(r *rules, a address) string
}

// addressChain is all reasons against an address, in the order in which they are asked, before any node is.
var addressChain = []addressCheck{
	{
		ReasonNoAdvertisement,
		func(_ *rules, _ address, advertised bool) bool { return !advertised },
		func(_ *rules, a address) string { return noAdvertisement(a) },
	},
	{
		ReasonNodeHasAddress,
		func(r *rules, a address, _ bool) bool {
			_, has := r.world.nodeHas(a.addr)
			return has || r.internalIPs[a.addr] != ""
		},
		func(r *rules, a address) string {
			if node := r.internalIPs[a.addr]; node != "" {
				return fmt.Sprintf("%s is the InternalIP of node %s; no node announces it, even while that one is down, since it comes back with it: "+
					"take it out of the pool", a.addr, node)
			}
			by, _ := r.world.nodeHas(a.addr)
			return by.message(a.addr)
		},
	},
	{
		ReasonNoEndpoint,
		func(r *rules, a address, _ bool) bool {
			return !r.world.Endpoints[a.service.Key].AnyServing(lb.FamilyOf(a.addr))
		},
		func(_ *rules, a address) string {
			return fmt.Sprintf("%s: no %s endpoint of the Service is ready", a.addr, lb.FamilyOf(a.addr))
		},
	},
	{
		ReasonNoNodeName,
		func(r *rules, a address, _ bool) bool {
			return a.service.Local && !r.world.Endpoints[a.service.Key].AnyServingOnNode(lb.FamilyOf(a.addr))
		},
		func(_ *rules, a address) string {
			return fmt.Sprintf("%s: externalTrafficPolicy is Local, and none of the ready %s endpoints in the Service's EndpointSlices has a nodeName",
				a.addr, lb.FamilyOf(a.addr))
		},
	},
}

// askAddress returns the first reason against an address; nil if none.
func (r *rules) askAddress(a address, advertised bool) *addressCheck {
	for i := range addressChain {
		if addressChain[i].applies(r, a, advertised) {
			return &addressChain[i]
		}
	}
	return nil
}

func noAdvertisement(a address) string {
	if a.pool == nil && a.service.Provenance.Class != "" && a.service.Provenance.PoolOf(a.addr) == "" {
		return fmt.Sprintf("Daymark did not give %s, and leaves it to whoever did", a.addr)
	}
	if a.pool == nil {
		return fmt.Sprintf("%s is in no IPAddressPool", a.addr)
	}
	return fmt.Sprintf("no L2Advertisement or BGPAdvertisement selects this Service and pool %s of %s", a.pool.Name, a.addr)
}
