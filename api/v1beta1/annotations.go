package v1beta1

// Annotations that Daymark reads from Services, Namespaces, Nodes and pools, and those that it writes.
const (
	// AnnotationLoadBalancerIPs on a Service requests certain addresses: a list separated by commas.
	AnnotationLoadBalancerIPs = "daymark.io/load-balancer-ips"
	// AnnotationAddressPool on a Service requests an address of a certain pool: a name, or several in order of preference.
	AnnotationAddressPool = "daymark.io/address-pool"
	// AnnotationAllowSharedIP on a Service lets Services with the same value share an address.
	AnnotationAllowSharedIP = "daymark.io/allow-shared-ip"
	// AnnotationSharedIPNamespaces on a Service lets Services of other namespaces share its address: a list of namespaces, or *.
	AnnotationSharedIPNamespaces = "daymark.io/allow-shared-ip-namespaces"
	// AnnotationProvider on a Service or its Namespace says who serves the Service. That of the Service comes first.
	AnnotationProvider = "daymark.io/provider"
	// AnnotationIPMode on a Service is the ipMode of its addresses: IPModeProxy, or VIP, which is the default.
	AnnotationIPMode = "daymark.io/ip-mode"
	// AnnotationLastAddresses on a Service is a result: the addresses that it has. A Service that is restored from a backup
	// wishes for them.
	AnnotationLastAddresses = "daymark.io/last-addresses"
	// AnnotationPool on a Service was written by earlier versions. It means nothing, and the controller removes it.
	AnnotationPool = "daymark.io/pool"
	// AnnotationAllowDeletion with the value "true" lets an IPAddressPool be deleted while Services have addresses of it, and a BFDProfile,
	// Community or Secret while a BGPPeer or BGPAdvertisement names it, and what they use be taken out of a Community or Secret.
	AnnotationAllowDeletion = "daymark.io/allow-deletion"
	// AnnotationDrain on a Node, with the value "true", stops the node from announcing any address.
	AnnotationDrain = "daymark.io/drain"
	// AnnotationWeight on a Node is its share of the traffic under WeightByNodeAnnotation, from 1 to MaxWeight.
	AnnotationWeight = "daymark.io/weight"

	// AliasLoadBalancerIPs is read when AnnotationLoadBalancerIPs is absent, so that a cluster can migrate without changes.
	AliasLoadBalancerIPs = "metallb.io/loadBalancerIPs"
	// AliasAddressPool is read when AnnotationAddressPool is absent.
	AliasAddressPool = "metallb.io/address-pool"
	// AliasAllowSharedIP is read when AnnotationAllowSharedIP is absent.
	AliasAllowSharedIP = "metallb.io/allow-shared-ip"

	// OldAliasLoadBalancerIPs is read when AliasLoadBalancerIPs is absent, too: most of those who migrate still have it.
	OldAliasLoadBalancerIPs = "metallb.universe.tf/loadBalancerIPs"
	// OldAliasAddressPool is read when AliasAddressPool is absent, too.
	OldAliasAddressPool = "metallb.universe.tf/address-pool"
	// OldAliasAllowSharedIP is read when AliasAllowSharedIP is absent, too.
	OldAliasAllowSharedIP = "metallb.universe.tf/allow-shared-ip"
)

// MaxWeight is the largest weight that AnnotationWeight gives a node.
const MaxWeight = 10000

// AnnotationUse says who sets an annotation.
//
// +kubebuilder:object:generate=false
type AnnotationUse string

// The two uses of annotations.
const (
	// AnnotationRequest is set by a user; Daymark reads it.
	AnnotationRequest AnnotationUse = "request"
	// AnnotationResult is set by Daymark; a user reads it.
	AnnotationResult AnnotationUse = "result"
)

// Annotation describes an annotation, for the reference pages.
//
// +kubebuilder:object:generate=false
type Annotation struct {
	Key string
	// Aliases are read when Key is absent, the first that is there.
	Aliases []string
	// Kind of the objects that carry it, or several.
	Kind    string
	Use     AnnotationUse
	Meaning string
}

// Annotations returns all annotations of Daymark.
func Annotations() []Annotation {
	return append([]Annotation{
		{
			Key: AnnotationLoadBalancerIPs, Aliases: []string{AliasLoadBalancerIPs, OldAliasLoadBalancerIPs}, Kind: "Service", Use: AnnotationRequest,
			Meaning: "Requests certain addresses: a list separated by commas. The Service gets all of them or none.",
		},
		{
			Key: AnnotationAddressPool, Aliases: []string{AliasAddressPool, OldAliasAddressPool}, Kind: "Service", Use: AnnotationRequest,
			Meaning: "Requests an address of a certain IPAddressPool: a name, or several in order of preference, separated by commas.",
		},
		{
			Key: AnnotationAllowSharedIP, Aliases: []string{AliasAllowSharedIP, OldAliasAllowSharedIP}, Kind: "Service", Use: AnnotationRequest,
			Meaning: "Lets Services with the same value share an address, when they have no port in common.",
		},
		{
			Key: AnnotationSharedIPNamespaces, Kind: "Service", Use: AnnotationRequest,
			Meaning: "Lets Services of other namespaces share the address that this Service has first: a list of namespaces separated by " +
				"commas, or * for all. Without it only Services of the same namespace may.",
		},
		{
			Key: AnnotationProvider, Kind: "Service, Namespace", Use: AnnotationRequest,
			Meaning: "Says who serves the Service, or the Services of the Namespace; the annotation of the Service comes first. With " +
				"\"daymark\", Daymark serves it even without a class and with --serve-classless=false. With any other value, " +
				"Daymark leaves it to that provider.",
		},
		{
			Key: AnnotationIPMode, Kind: "Service", Use: AnnotationRequest,
			Meaning: "The ipMode of the addresses in the status: \"Proxy\", or \"VIP\", which is the default. With \"Proxy\", the nodes send " +
				"traffic of Pods for the address out to the network, as if it came from outside, in place of straight to an endpoint.",
		},
		{
			Key: AnnotationLastAddresses, Kind: "Service", Use: AnnotationResult,
			Meaning: "The addresses that the Service has. A Service without a status, restored from a backup, gets them again if " +
				"they are free and a pool gives them to it; else it is as if the annotation were not there.",
		},
		{
			Key: AnnotationAllowDeletion, Kind: "IPAddressPool, BFDProfile, Community, Secret", Use: AnnotationRequest,
			Meaning: "With the value \"true\" the pool may be deleted while Services have addresses of it, which they keep for --pool-grace, and the " +
				"others while a BGPPeer or BGPAdvertisement names them.",
		},
	}, nodeAnnotations()...)
}

func nodeAnnotations() []Annotation {
	return []Annotation{
		{
			Key: AnnotationDrain, Kind: "Node", Use: AnnotationRequest,
			Meaning: "With the value \"true\" the node announces no address. Other nodes take over before it stops.",
		},
		{
			Key: AnnotationWeight, Kind: "Node", Use: AnnotationRequest,
			Meaning: "The node's share of the traffic of addresses whose BGPAdvertisement has `weightBy: NodeAnnotation`, in relation to those of the " +
				"others: a number from 1 to 10000. Without it, or with anything else, it is 1.",
		},
	}
}
