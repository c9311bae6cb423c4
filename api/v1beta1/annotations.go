package v1beta1

// Annotations that Daymark reads from Services and Nodes, and the one that it writes.
const (
	// AnnotationLoadBalancerIPs on a Service requests certain addresses: a list separated by commas.
	AnnotationLoadBalancerIPs = "daymark.io/load-balancer-ips"
	// AnnotationAddressPool on a Service requests an address of a certain pool: a name, or several in order of preference.
	AnnotationAddressPool = "daymark.io/address-pool"
	// AnnotationAllowSharedIP on a Service lets Services with the same value share an address.
	AnnotationAllowSharedIP = "daymark.io/allow-shared-ip"
	// AnnotationPool on a Service is a result and not a request: the controller writes the pool, or the pools separated by
	// commas, that the Service's addresses come from. AnnotationAddressPool is the request.
	AnnotationPool = "daymark.io/pool"
	// AnnotationDrain on a Node, with the value "true", stops the node from announcing any address.
	AnnotationDrain = "daymark.io/drain"

	// AliasLoadBalancerIPs is read when AnnotationLoadBalancerIPs is absent, so that a cluster can migrate without changes.
	AliasLoadBalancerIPs = "metallb.io/loadBalancerIPs"
	// AliasAddressPool is read when AnnotationAddressPool is absent.
	AliasAddressPool = "metallb.io/address-pool"
	// AliasAllowSharedIP is read when AnnotationAllowSharedIP is absent.
	AliasAllowSharedIP = "metallb.io/allow-shared-ip"
)

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
	// Alias is read when Key is absent; empty when there is none.
	Alias string
	// Kind of the objects that carry it: Service or Node.
	Kind    string
	Use     AnnotationUse
	Meaning string
}

// Annotations returns all annotations of Daymark.
func Annotations() []Annotation {
	return []Annotation{
		{
			Key: AnnotationLoadBalancerIPs, Alias: AliasLoadBalancerIPs, Kind: "Service", Use: AnnotationRequest,
			Meaning: "Requests certain addresses: a list separated by commas. The Service gets all of them or none.",
		},
		{
			Key: AnnotationAddressPool, Alias: AliasAddressPool, Kind: "Service", Use: AnnotationRequest,
			Meaning: "Requests an address of a certain IPAddressPool: a name, or several in order of preference, separated by commas.",
		},
		{
			Key: AnnotationAllowSharedIP, Alias: AliasAllowSharedIP, Kind: "Service", Use: AnnotationRequest,
			Meaning: "Lets Services with the same value share an address, when they have no port in common.",
		},
		{
			Key: AnnotationPool, Kind: "Service", Use: AnnotationResult,
			Meaning: "The IPAddressPool that the Service's addresses come from, or several, separated by commas. " +
				"The controller writes it; it requests nothing.",
		},
		{
			Key: AnnotationDrain, Kind: "Node", Use: AnnotationRequest,
			Meaning: "With the value \"true\" the node announces no address. Other nodes take over before it stops.",
		},
	}
}
