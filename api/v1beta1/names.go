package v1beta1

// Annotations that Daymark reads from Services and Nodes, and the one it writes.
const (
	// AnnotationLoadBalancerIPs asks for certain addresses: a list separated by commas.
	AnnotationLoadBalancerIPs = "daymark.io/load-balancer-ips"
	// AnnotationAddressPool asks for an address of a certain pool: a name, or several in order of preference.
	AnnotationAddressPool = "daymark.io/address-pool"
	// AnnotationAllowSharedIP lets Services with the same value share an address.
	AnnotationAllowSharedIP = "daymark.io/allow-shared-ip"
	// AnnotationPool is written by the controller: the pool (or pools, separated by commas) the addresses come from.
	AnnotationPool = "daymark.io/pool"
	// AnnotationDrain on a Node, with the value "true", withdraws everything from it.
	AnnotationDrain = "daymark.io/drain"

	// AliasLoadBalancerIPs is read where AnnotationLoadBalancerIPs is absent, so that a cluster can change over as it is.
	AliasLoadBalancerIPs = "metallb.io/loadBalancerIPs"
	// AliasAddressPool is read where AnnotationAddressPool is absent.
	AliasAddressPool = "metallb.io/address-pool"
	// AliasAllowSharedIP is read where AnnotationAllowSharedIP is absent.
	AliasAllowSharedIP = "metallb.io/allow-shared-ip"
)

// LoadBalancerClass is the class of Services that is served whatever the flags say of Services without a class.
const LoadBalancerClass = "daymark.io/daymark"

// The Secret whose values encrypt the gossip of the speakers. The controller makes it, the speakers read it.
const (
	GossipSecret = "daymark-gossip"
	// GossipSecretKey names the value that the speakers encrypt with; they decrypt with every value.
	GossipSecretKey = "key"
)

// Condition types.
const (
	// ConditionAddressAssigned on a Service: it has the addresses it should have, or why not.
	ConditionAddressAssigned = "daymark.io/AddressAssigned"
	// ConditionAnnounced on a Service: some node makes its addresses known to the network, or why none does.
	ConditionAnnounced = "daymark.io/Announced"

	// ConditionReady on every kind of this group: the object is understood and in use, or why not.
	ConditionReady = "Ready"
	// ConditionExhausted on an IPAddressPool: it has no address left to give.
	ConditionExhausted = "Exhausted"
	// ConditionOverlap on an IPAddressPool: another pool holds some of its addresses too. The older pool keeps them.
	ConditionOverlap = "Overlap"
	// ConditionMembershipKnown on a Speaker: it has met the other speakers, or knows that there are none.
	ConditionMembershipKnown = "MembershipKnown"
)
