package status

import (
	"slices"

	"github.com/daymark-lb/daymark/api/v1beta1"
	"github.com/daymark-lb/daymark/internal/core/announce"
	"github.com/daymark-lb/daymark/internal/core/ipam"
	"github.com/daymark-lb/daymark/internal/core/reason"
)

// Reasons of the condition Ready that several kinds have.
var (
	Valid = reason.Reason{
		Name: "Valid", Meaning: "The object is understood, and everything that it refers to exists.",
	}
	Invalid = reason.Reason{
		Name: "Invalid", Meaning: "A part of the object cannot be understood; the message names it. What it said before goes on.",
		Remedy: "Correct what the message names.",
	}
	NotFound = reason.Reason{
		Name: "NotFound", Meaning: "The object refers to another that does not exist; the message names it.",
		Remedy: "Create the other object, or correct the name.",
	}
)

// Reasons of the conditions of an IPAddressPool.
var (
	ClusterRange = reason.Reason{
		Name: "ClusterRange", Meaning: "The pool contains addresses that the cluster uses for Services or pods; it gives the others.",
		Remedy: "Exclude them.",
	}
	SpecialRange = reason.Reason{
		Name: "SpecialRange", Meaning: "The pool contains loopback, link-local, multicast or unspecified addresses; it gives the others.",
		Remedy: "Remove them from the pool.",
	}
	NodeAddress = reason.Reason{
		Name: "NodeAddress", Meaning: "The pool contains addresses of nodes, or of routers that nodes have. They are never given to a Service; the others are.",
		Remedy: "Exclude the addresses of the nodes from the pool.",
	}
	Exhausted = reason.Reason{
		Name: "Exhausted", Meaning: "The pool has no address left of a family.",
		Remedy: "Add addresses to the pool, or delete Services that no longer need theirs.",
	}
	Available = reason.Reason{
		Name: "Available", Meaning: "The pool has addresses left of each of its families.",
	}
	AllocationDisabled = reason.Reason{
		Name: "AllocationDisabled", Meaning: "The pool gives no addresses: it is drained, or not valid.",
		Remedy: "Look at the condition Ready and at spec.drain.",
	}
	Overlap = reason.Reason{
		Name: "Overlap", Meaning: "Another pool has some of the same addresses; the older of the two keeps them.",
		Remedy: "Remove the addresses from one of the two pools.",
	}
	NoOverlap = reason.Reason{
		Name: "NoOverlap", Meaning: "No other pool has addresses of this one.",
	}
)

// Reasons of the condition Ready of an IPReservation.
var (
	Conflict = reason.Reason{
		Name: "Conflict", Meaning: "Another Service has a reserved address, or an older IPReservation reserves it.",
		Remedy: "Delete the Service or move it to another address, or reserve other addresses.",
	}
	NoPool = reason.Reason{
		Name: "NoPool", Meaning: "No pool contains a reserved address.",
		Remedy: "Add the address to a pool, or remove it from the IPReservation.",
	}
)

// NoInterface is a reason of the condition Ready of an L2Advertisement.
var NoInterface = reason.Reason{
	Name: "NoInterface", Meaning: "No node that the advertisement selects has an interface that is up and that interfaces match; the message says which there are.",
	Remedy: "Correct interfaces of the L2Advertisement.",
}

// HeldBack is a reason of the condition Ready of a BGPAdvertisement.
var HeldBack = reason.Reason{
	Name: "HeldBack", Meaning: "A community is unknown; the message names it and the one that may be meant. No earlier version of the object " +
		"was understood, so its routes are not announced.",
	Remedy: "Correct the community, or create the Community object that gives the name.",
}

// Overridden is a reason of the condition Ready of a BGPAdvertisement.
var Overridden = reason.Reason{
	Name: "Overridden", Meaning: "The advertisement is in use, but for an attribute of which an older BGPAdvertisement sets another value for the same prefix " +
		"and peer, or for a `bandwidth:` behind another one of its own communities: that one is used. Ready is True.",
	Remedy: "Set the same value in both, of two `bandwidth:` remove one, or let them select different Services, pools, nodes or peers.",
}

// WiderThanPools is a reason of the condition Ready of a BGPAdvertisement.
var WiderThanPools = reason.Reason{
	Name: "WiderThanPools", Meaning: "The advertisement is in use, and by its aggregationLength or aggregationLengthV6 announces prefixes of which its pools have " +
		"a part only. Routers send the traffic of the rest to the nodes, too. Ready is True.",
	Remedy: "Correct the length, unless all of the prefix belongs to the cluster.",
}

// NoNode is a reason of the condition Ready of kinds with nodeSelectors.
var NoNode = reason.Reason{
	Name: "NoNode", Meaning: "nodeSelectors match no node on which a speaker can run, though the cluster has such nodes. Or no node that they match has the " +
		"annotation that a BGPPeer names; what was there before counts then.",
	Remedy: "Correct nodeSelectors or the name of the annotation, or label or annotate the nodes.",
}

// Reasons of the conditions of a BGPPeer.
var (
	InUse = reason.Reason{
		Name: "InUse", Meaning: "The peer is understood, what it refers to exists, and at least one speaker has taken it up. Whether sessions are " +
			"established is said by SessionsEstablished.",
	}
	Accepted = reason.Reason{
		Name: "Accepted", Meaning: "The peer is understood and what it refers to exists. No node is there yet that could have a session: the cluster has " +
			"none, or those that nodeSelectors match are not ready.",
	}
	NotInUse = reason.Reason{
		Name: "NotInUse", Meaning: "No speaker has taken the peer up. A new BGPPeer is so for a second.",
		Remedy: "Look whether the speakers run on the nodes that nodeSelectors match.",
	}
	BadPassword = reason.Reason{
		Name: "BadPassword", Meaning: "The password in the Secret is empty or too long. Sessions that run go on.",
		Remedy: "Write another password into the Secret.",
	}
	Established = reason.Reason{
		Name: "Established", Meaning: "Every node with a speaker that the peer selects has its sessions with it.",
	}
	NotEstablished = reason.Reason{
		Name: "NotEstablished", Meaning: "Some nodes do not have all their sessions with the peer; the message says why.",
		Remedy: "Correct what the message names, on the node, in the network or on the router.",
	}
	Incomplete = reason.Reason{
		Name: "Incomplete", Meaning: "All sessions are established, and some lack something that was configured; the message says what.",
		Remedy: "Configure the router alike, or take what the message names out of the BGPPeer.",
	}
	AdministrativelyDown = reason.Reason{
		Name: "AdministrativelyDown", Meaning: "adminState of the BGPPeer is Down: its sessions are ended on purpose, and not tried.",
		Remedy: "None is needed. Set adminState to Up when the router is to be used again.",
	}
	InMaintenance = reason.Reason{
		Name: "Maintenance", Meaning: "The status is True: adminState of the BGPPeer is Maintenance, its sessions are established, and routes are withdrawn on purpose.",
		Remedy: "None is needed. Set adminState to Up when the router is to be used again.",
	}
	NoSpeaker = reason.Reason{
		Name: "NoSpeaker", Meaning: "The status is Unknown: no node that the peer selects has a speaker.",
		Remedy: "Look at the condition Ready.",
	}
	BFDUp = reason.Reason{
		Name: "Up", Meaning: "BFD watches all sessions of every node with a speaker that the peer selects.",
	}
	BFDDown = reason.Reason{
		Name: "Down", Meaning: "BFD is configured, and does not watch some sessions; the message names the nodes and says why. A BGP session comes up all the same, unless `bfdStrict` is set.",
		Remedy: "Turn BFD on at the router for these nodes, or look at what the message names.",
	}
)

// Reasons of the conditions of a Speaker.
var (
	Ready = reason.Reason{
		Name: "Ready", Meaning: "The speaker announces everything that its node should announce.",
	}
	Failed = reason.Reason{
		Name: "Failed", Meaning: "The speaker cannot announce a part of what its node should announce; the message says why.",
		Remedy: "Correct what the message names.",
	}
	Leaving = reason.Reason{
		Name: "Leaving", Meaning: "The node is about to stop, and its speaker was told to end: what it announced is withdrawn. The message says by what the " +
			"speaker knows.",
	}
	SpeakerGone = reason.Reason{
		Name: v1beta1.ReasonSpeakerGone, Meaning: "The status is Unknown: the node is ready and its speaker is gone. The controller has found out and " +
			"written this; what else the object says is old.",
		Remedy: "Look at the speaker's Pod on the node. The speaker writes its own report when it is back. Where none is to run any more: kubectl delete dmspeaker NODE.",
	}
	Known = reason.Reason{
		Name: "Known", Meaning: "The speaker has met the other speakers, or knows that there are none.",
	}
	NotAllSeen = reason.Reason{
		Name: "NotAllSeen", Meaning: "The status is True: the speaker has met others, and does not see all that it expects, or not in every way. " +
			"The message names them and says why.",
		Remedy: "Let TCP and UDP port 7477 through between all nodes, in both directions, and look at what the message names.",
	}
	Unknown = reason.Reason{
		Name: "Unknown", Meaning: "The speaker does not know yet which other speakers there are, so it holds no address by layer 2.",
		Remedy: "Look whether the speakers reach each other at the port of the gossip, TCP and UDP.",
	}
)

// Reasons of the condition AnswersLeaveElsewhere of a Speaker.
var (
	SameInterface = reason.Reason{
		Name: "SameInterface", Meaning: "Traffic leaves by the interfaces on which addresses are answered.",
	}
	NeighborsOnly = reason.Reason{
		Name: "NeighborsOnly", Meaning: "As SameInterface, for clients in the subnets of the addresses. What goes to others leaves by the default route, on " +
			"another interface; the message names both. That is as it should be where no router leads to the addresses by the interface that answers.",
		Remedy: "If clients come by a router there, route by policy (docs/layer2.md).",
	}
	DefaultRoute = reason.Reason{
		Name: "DefaultRoute", Meaning: "Addresses are answered on an interface by which the kernel has no route to their subnet, and the default route leaves by another; " +
			"the message names both.",
		Remedy: "As for OtherInterface.",
	}
	OtherInterface = reason.Reason{
		Name: "OtherInterface", Meaning: "Addresses are answered on one interface, and the kernel's route to their subnet leaves by another; the message names both.",
		Remedy: "Take the interface out of interfaces of the L2Advertisement, or route by policy (docs/layer2.md).",
	}
	ReversePathFilter = reason.Reason{
		Name: "ReversePathFilter", Meaning: "As OtherInterface or DefaultRoute, and rp_filter is strict, so the kernel drops what comes in.",
		Remedy: "As for OtherInterface; and set rp_filter of the interface to 2.",
	}
)

// Reasons of the condition ConnectionsBreak of a Speaker.
var (
	PassedOn = reason.Reason{
		Name: "PassedOn", Meaning: "Nothing is known to keep the node from passing packets of open connections on to the node that knows them.",
	}
	CannotPassOn = reason.Reason{
		Name: "CannotPassOn", Meaning: "The node cannot pass them on, so open connections to an address that moves there break. All else is as it should be.",
		Remedy: "Look at the message and at docs/connections.md; connectionDraining: 0s says that this is meant.",
	}
	NoSharedSegment = reason.Reason{
		Name: "NoSharedSegment", Meaning: "The node shares no segment with some others that announce or announced the same addresses, so open connections that " +
			"move between it and them break. Those among other nodes are passed on.",
		Remedy: "Give the nodes addresses of that family with the length of their subnet on a segment that they share; behind different routers they have none, and connectionDraining: 0s says that this is meant.",
	}
)

// Reasons of the condition SafeToStop of a Speaker.
var (
	Attracting = reason.Reason{
		Name: "Attracting", Meaning: "The node holds addresses by layer 2, or announces routes.",
		Remedy: "Drain the node first (docs/graceful-restart.md), if it is to be stopped.",
	}
	ConnectionsLeft = reason.Reason{
		Name: "ConnectionsLeft", Meaning: "The node attracts nothing any more, and TCP connections to what it attracted are still open there; the message has their number.",
		Remedy: "Wait until they end, or for the time in the message; whoever stops the node now breaks them.",
	}
	NotCountedYet = reason.Reason{
		Name: "NotCountedYet", Meaning: "The speaker of the node has just started, or does not know the other speakers; so it is unknown what is open there.",
		Remedy: "Wait some seconds. If it stays, look at the condition MembershipKnown.",
	}
	NothingLeft = reason.Reason{
		Name: "NothingLeft", Meaning: "The node attracts nothing, and no connections to what it attracted are open there that another node can pass on.",
	}
)

// Reasons of the condition ServiceProxyUnhealthy of a Speaker.
var (
	ProxyWorks = reason.Reason{
		Name: "Works", Meaning: "The service proxy of the node (kube-proxy) works.",
	}
	ProxyNotFound = reason.Reason{
		Name: "NotFound", Meaning: "No service proxy answers where kube-proxy does, on this node or on another one, so none is judged.",
		Remedy: "Where one has its health check elsewhere, start the speakers with --proxy-health-url.",
	}
	ProxyNotChecked = reason.Reason{
		Name: "NotChecked", Meaning: "The speaker was started with --proxy-health-url=none.",
	}
	ProxyAttractsNothing = reason.Reason{
		Name: v1beta1.ReasonAttractsNothing, Meaning: "The status is True: the service proxy of the node fails, or has not worked yet since the node booted. " +
			"The node announces nothing.",
		Remedy: "Look at kube-proxy on the node. The node announces again when it works.",
	}
	ProxyFails = reason.Reason{
		Name: "Fails", Meaning: "The status is True: the service proxy of the node has begun to fail, which may pass, so the node announces all the same. " +
			"It is only said so soon where gossip is turned off, for the speakers of other nodes to read.",
	}
	ProxyOthersUnknown = reason.Reason{
		Name: "OthersUnknown", Meaning: "The status is True: the service proxy of the node fails. The speakers do not talk to each other, and of the few nodes " +
			"that this one has read about most fail, too, or cannot be read about, so the node announces all the same.",
		Remedy: "Look at kube-proxy on the nodes.",
	}
	ProxyFailsOnMostNodes = reason.Reason{
		Name: v1beta1.ReasonFailsOnMostNodes, Meaning: "The status is True: the service proxies of more than half of the nodes fail, this one's among them. " +
			"They announce all the same, since withdrawing them all would help nobody.",
		Remedy: "Look at kube-proxy on the nodes. Where it was replaced, start the speakers with --proxy-health-url=none.",
	}
)

// AddressWithdrawn is the reason of an Event about an address that was taken away from a Service.
var AddressWithdrawn = reason.Reason{
	Name: "AddressWithdrawn", Meaning: "The Service cannot keep an address that its status shows; the message says why.",
	Remedy: "Look at the condition daymark.io/AddressAssigned.",
}

// CompetingWriter is the reason of the condition AddressAssigned while another program writes the same status.
var CompetingWriter = reason.Reason{
	Name: "CompetingWriter", Meaning: "Another program writes the addresses or conditions of the Service, too; the message names it. Daymark tries again at growing intervals.",
	Remedy: "Stop one of the two, or leave the Service to the other with the annotation daymark.io/provider.",
}

// Reasons of the condition Provenance of a Service. Its message is for programs: the class of Services that the installation
// serves, and each address that it gave, with the pool.
var (
	Allocated = reason.Reason{
		Name: "Allocated", Meaning: "Daymark gave the addresses in the message, from the pools that it names.",
	}
	NotAllocated = reason.Reason{
		Name: "NotAllocated", Meaning: "Daymark has given the Service no address.",
		Remedy: "Look at the condition daymark.io/AddressAssigned.",
	}
	PoolMissing = reason.Reason{
		Name: v1beta1.ReasonPoolMissing, Meaning: "A pool in the message does not exist any more, since the time of the last transition.",
		Remedy: "Look at the condition daymark.io/AddressAssigned.",
	}
	Withdrawing = reason.Reason{
		Name:    v1beta1.ReasonWithdrawing,
		Meaning: "Daymark serves the Service no more, and removes its finalizer and its conditions when no node announces the addresses in the message.",
		Remedy:  "Nothing: it waits a minute at most.",
	}
)

// Conditions are all conditions that Daymark writes, with their reasons.
func Conditions() []reason.Condition {
	services := ipam.Conditions()
	for i := range services {
		if services[i].Type == v1beta1.ConditionAddressAssigned {
			services[i].Reasons = append(slices.Clip(services[i].Reasons), CompetingWriter)
		}
	}
	return slices.Concat(services, announce.Conditions(), peerConditions(), []reason.Condition{
		{
			Kind: "Service", Type: v1beta1.ConditionProvenance, Meaning: "Daymark gave addresses in the status; the message says which, and from which pools.",
			Reasons: []reason.Reason{Allocated, NotAllocated, PoolMissing, Withdrawing},
		},
		ready("IPAddressPool", "The pool is valid and contains nothing that is never given.",
			Valid, Invalid, SpecialRange, ClusterRange, NodeAddress),
		stalled("IPAddressPool"),
		{
			Kind: "IPAddressPool", Type: v1beta1.ConditionExhausted, Meaning: "The pool has no address left of a family.",
			Reasons: []reason.Reason{Available, Exhausted, AllocationDisabled},
		},
		{
			Kind: "IPAddressPool", Type: v1beta1.ConditionOverlap, Meaning: "Another pool has some of the same addresses.",
			Reasons: []reason.Reason{NoOverlap, Overlap},
		},
		ready("IPReservation", "The addresses are kept for the Services that the reservation selects.", Valid, Invalid, Conflict, NoPool),
		stalled("IPReservation"),
		ready("L2Advertisement", "The advertisement is valid, and the pools and interfaces that it names exist.", Valid, Invalid, NotFound, NoNode, NoInterface),
		stalled("L2Advertisement"),
		ready("BGPAdvertisement", "The advertisement is valid, and what it names exists.", Valid, Invalid, HeldBack, NotFound, NoNode, Overridden, WiderThanPools),
		stalled("BGPAdvertisement"),
		ready("BFDProfile", "The profile is valid.", Valid),
		ready("Community", "All names are valid and stand for one community each.", Valid, Invalid),
		stalled("Community"),
	}, speakerConditions())
}

// speakerConditions are those of Speakers.
func speakerConditions() []reason.Condition {
	return []reason.Condition{
		ready("Speaker", "The speaker announces everything that its node should announce.", Ready, Failed, Leaving, SpeakerGone),
		{
			Kind: "Speaker", Type: v1beta1.ConditionMembershipKnown, Meaning: "The speaker knows which other speakers there are.",
			Reasons: []reason.Reason{Known, NotAllSeen, Unknown},
		},
		{
			Kind: "Speaker", Type: v1beta1.ConditionAnswersLeaveElsewhere, Meaning: "Traffic back leaves by another interface than the one on which addresses are answered.",
			Reasons: []reason.Reason{SameInterface, NeighborsOnly, OtherInterface, DefaultRoute, ReversePathFilter},
		},
		{
			Kind: "Speaker", Type: v1beta1.ConditionConnectionsBreak, Meaning: "Open connections break when an address moves to the node.",
			Reasons: []reason.Reason{PassedOn, CannotPassOn, NoSharedSegment},
		},
		{
			Kind: "Speaker", Type: v1beta1.ConditionSafeToStop, Meaning: "No traffic to addresses of Services breaks when the node stops.",
			Reasons: []reason.Reason{NothingLeft, ConnectionsLeft, Attracting, NotCountedYet},
		},
		{
			Kind: "Speaker", Type: v1beta1.ConditionServiceProxyUnhealthy, Meaning: "The service proxy of the node does not work.",
			Reasons: []reason.Reason{ProxyWorks, ProxyNotFound, ProxyNotChecked, ProxyAttractsNothing, ProxyFailsOnMostNodes, ProxyFails, ProxyOthersUnknown},
		},
	}
}

func ready(kind, meaning string, reasons ...reason.Reason) reason.Condition {
	return reason.Condition{Kind: kind, Type: v1beta1.ConditionReady, Meaning: meaning, Reasons: reasons}
}

func stalled(kind string) reason.Condition {
	return reason.Condition{
		Kind: kind, Type: v1beta1.ConditionStalled, Reasons: []reason.Reason{Invalid},
		Meaning: "Only an edit of the object helps. The condition is there while that is so, for programs that wait for the object (kstatus).",
	}
}

// peerConditions are those of BGPPeers.
func peerConditions() []reason.Condition {
	return []reason.Condition{
		ready("BGPPeer", "The peer is understood, what it refers to exists, and a speaker has taken it up, if there is one.",
			InUse, Accepted, NotInUse, Invalid, NotFound, BadPassword, NoNode),
		{
			Kind: "BGPPeer", Type: v1beta1.ConditionSessionsEstablished, Meaning: "Every selected node with a speaker has its sessions with the peer.",
			Reasons: []reason.Reason{Established, NotEstablished, Incomplete, InMaintenance, AdministrativelyDown, NoSpeaker},
		},
		{
			Kind: "BGPPeer", Type: v1beta1.ConditionBFDUp, Meaning: "BFD watches the sessions. The condition is there if the BGPPeer names a BFDProfile and is not Down.",
			Reasons: []reason.Reason{BFDUp, BFDDown, NoSpeaker},
		},
		stalled("BGPPeer"),
	}
}
