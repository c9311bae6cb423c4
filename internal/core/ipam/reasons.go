package ipam

import (
	"github.com/daymark-lb/daymark/api/v1beta1"
	"github.com/daymark-lb/daymark/internal/core/reason"
)

// The reasons of the condition AddressAssigned, and of the Events about its changes.
var (
	// ReasonAssigned is the reason when the Service has everything it should have.
	ReasonAssigned = reason.Reason{
		Name:    "AddressAssigned",
		Meaning: "The Service has the addresses that it should have.",
	}
	// ReasonOneFamily is the reason when the Service prefers two families and has one.
	ReasonOneFamily = reason.Reason{
		Name:    "OneFamilyAssigned",
		Meaning: "The Service prefers addresses of two families and has one.",
		Remedy:  "Nothing, or add addresses of the other family to a pool.",
	}
	// ReasonNoPool is the reason when no pool serves the Service.
	ReasonNoPool = reason.Reason{
		Name:    "NoPool",
		Meaning: "No pool serves the Service.",
		Remedy:  "Create a pool that serves it, or request one that does: kubectl get ipaddresspools lists them.",
	}
	// ReasonPoolExhausted is the reason when a pool serves the Service and has no free address.
	ReasonPoolExhausted = reason.Reason{
		Name:    "PoolExhausted",
		Meaning: "A pool serves the Service and has no free address.",
		Remedy:  "Add addresses to the pool. The Service gets one as soon as one is free.",
	}
	// ReasonOverQuota is the reason when the namespace may not hold more addresses of the pool.
	ReasonOverQuota = reason.Reason{
		Name:    "OverQuota",
		Meaning: "The Services of the namespace hold as many addresses of the pool as they may.",
		Remedy:  "Raise maxPerNamespace of the pool, or delete a Service that holds an address.",
	}
	// ReasonNotInPool is the reason when no pool contains the requested address.
	ReasonNotInPool = reason.Reason{
		Name:    "AddressNotInPool",
		Meaning: "No pool contains the requested address.",
		Remedy:  "Request another address, or add this one to a pool.",
	}
	// ReasonTaken is the reason when another Service or a node has the requested address.
	ReasonTaken = reason.Reason{
		Name:    "AddressTaken",
		Meaning: "Another Service or a node has the requested address.",
		Remedy:  "Request another address, or let the two Services share this one.",
	}
	// ReasonReserved is the reason when the requested address is reserved for other Services.
	ReasonReserved = reason.Reason{
		Name:    "AddressReserved",
		Meaning: "An IPReservation keeps the requested address for other Services.",
		Remedy:  "Request another address, or change the IPReservation.",
	}
	// ReasonReuseDelayed is the reason when the requested address was released a short time ago.
	ReasonReuseDelayed = reason.Reason{
		Name:    "AddressReuseDelayed",
		Meaning: "The requested address was released, and the reuseDelay of its pool has not ended.",
		Remedy:  "Wait until the time in the message.",
	}
	// ReasonPoolNotEligible is the reason when the pool of the requested address does not serve the Service.
	ReasonPoolNotEligible = reason.Reason{
		Name:    "PoolNotEligible",
		Meaning: "The pool that contains the requested address does not give it to this Service.",
		Remedy:  "Request another address, or change the pool.",
	}
	// ReasonPoolMissing is the reason when a pool that gave an address does not exist any more.
	ReasonPoolMissing = reason.Reason{
		Name:    v1beta1.ReasonPoolMissing,
		Meaning: "The pool of an address does not exist any more. The Service keeps the address until the time in the message.",
		Remedy:  "Create the pool again, or another one that contains the address.",
	}
	// ReasonRequestInvalid is the reason when the request cannot be read or contradicts itself.
	ReasonRequestInvalid = reason.Reason{
		Name:    "RequestInvalid",
		Meaning: "The Service's request cannot be read or contradicts itself. The Service keeps the addresses that it has.",
		Remedy:  "Correct the annotations or the specification of the Service.",
	}
)

// Conditions returns the condition that the outcome of an assignment becomes, with all its reasons.
func Conditions() []reason.Condition {
	return []reason.Condition{{
		Kind:    "Service",
		Type:    v1beta1.ConditionAddressAssigned,
		Meaning: "The Service has the addresses that it should have, or at least one where it only prefers more.",
		Reasons: []reason.Reason{
			ReasonAssigned, ReasonOneFamily, ReasonNoPool, ReasonPoolExhausted, ReasonOverQuota, ReasonNotInPool, ReasonTaken,
			ReasonReserved, ReasonReuseDelayed, ReasonPoolNotEligible, ReasonPoolMissing, ReasonRequestInvalid,
		},
	}}
}
