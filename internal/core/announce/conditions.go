package announce

import (
	"github.com/daymark-lb/daymark/api/v1beta1"
	"github.com/daymark-lb/daymark/internal/core/reason"
)

// Reasons of an Explanation, and so of a Service's condition daymark.io/Announced.
var (
	ReasonAnnounced = reason.Reason{
		Name: "Announced", Meaning: "At least one node announces every address of the Service.",
	}
	ReasonNoAddress = reason.Reason{
		Name: "NoAddress", Meaning: "The Service has no address yet.",
		Remedy: "Look at the condition daymark.io/AddressAssigned, which says why.",
	}
	ReasonNoAdvertisement = reason.Reason{
		Name: "NoAdvertisement", Meaning: "No L2Advertisement or BGPAdvertisement selects the Service and the pool of its address.",
		Remedy: "Create an advertisement for the pool, or change the selectors of one.",
	}
	ReasonNodeHasAddress = reason.Reason{
		Name: "NodeHasAddress", Meaning: "An interface of a node has the address, or had it less than 30 s ago, or it is the InternalIP of a Node object, also of a node that is off, " +
			"which would not come back without it. So no node announces it: two hosts would answer. The message names the node.",
		Remedy: "Take the address from that interface, or out of the pool; an InternalIP can only be taken out of the pool, unless the Node object is one of a machine that is gone: delete that.",
	}
	ReasonNoEndpoint = reason.Reason{
		Name: "NoEndpoint", Meaning: "No endpoint of the address's family is ready.",
		Remedy: "Look at the Pods of the Service and its EndpointSlices.",
	}
	ReasonNoNodeName = reason.Reason{
		Name: "NoNodeName", Meaning: "externalTrafficPolicy is Local, and no endpoint that is ready says on which node it is. That is so in EndpointSlices " +
			"that people or other programs make without nodeName; a service proxy sends nothing to them either.",
		Remedy: "Add nodeName to the endpoints in the EndpointSlices, or set externalTrafficPolicy to Cluster.",
	}
	ReasonNoNode = reason.Reason{
		Name: "NoNode", Meaning: "Something stands against every node; the message says what stands against the node that is nearest to announcing it; " +
			"under externalTrafficPolicy Local that is one with a ready endpoint, if there is any.",
		Remedy: "Remove what stands against the nodes that are to announce the address; kubectl daymark explain names it for each.",
	}
	ReasonHeldBack = reason.Reason{
		Name: "HeldBack", Meaning: "A BGPAdvertisement asks for a community that is unknown, and no route goes out without it; the message names it.",
		Remedy: "Correct the community in the BGPAdvertisement, or create the Community object that gives the name.",
	}
	ReasonNoHolder = reason.Reason{
		Name: "NoHolder", Meaning: "No node has reported yet that it holds the address, which is announced by layer 2 alone. That takes a second or two: a node probes the " +
			"address first.",
		Remedy: "If it stays so, look at the log of the speakers that may hold it; kubectl daymark explain address names them.",
	}
	ReasonAddressConflict = reason.Reason{
		Name: v1beta1.ReasonAddressConflict, Meaning: "Another host uses the address: one outside the cluster, or a node without its speaker. The status says whether the cluster announces it all the same.",
		Remedy: "Take the address from that host, or out of the pool.",
	}
)

// Conditions are the conditions that this package gives the reasons of.
func Conditions() []reason.Condition {
	return []reason.Condition{{
		Kind: "Service", Type: v1beta1.ConditionAnnounced,
		Meaning: "The Service's addresses are announced to the network.",
		Reasons: []reason.Reason{
			ReasonAnnounced, ReasonNoAddress, ReasonNoAdvertisement, ReasonNodeHasAddress, ReasonNoEndpoint, ReasonNoNodeName, ReasonNoNode, ReasonHeldBack,
			ReasonNoHolder, ReasonAddressConflict,
		},
	}}
}
