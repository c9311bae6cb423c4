package v1beta1

import metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

// AddressRange is one block of addresses: a CIDR prefix (192.0.2.0/28), a range whose ends both belong to it
// (192.0.2.200-192.0.2.250), or a single address. IPv4 or IPv6; both ends of a range are of one family.
//
// +kubebuilder:validation:MinLength=2
// +kubebuilder:validation:MaxLength=91
// +kubebuilder:validation:XValidation:rule="self.contains('-') ? self.split('-').size() == 2 && self.split('-').all(a, isIP(a.trim())) : (isCIDR(self) || isIP(self))",message="must be a CIDR prefix such as 192.0.2.0/28, a range such as 192.0.2.200-192.0.2.250, or an address"
// +kubebuilder:validation:XValidation:rule="!self.contains('-') || self.split('-').size() != 2 || !self.split('-').all(a, isIP(a.trim())) || ip(self.split('-')[0].trim()).family() == ip(self.split('-')[1].trim()).family()",message="both ends of a range must be of the same family"
type AddressRange string

// ServiceAllocation says which Services a pool serves, and in which order pools are tried. A Service is served when its
// namespace is named in namespaces or matched by namespaceSelectors, or both are empty, and one of serviceSelectors matches
// it, or there is none.
type ServiceAllocation struct {
	// priority orders the pools that serve a Service. The lowest number from 1 on is tried first. Pools with 0, the default,
	// are tried last, in order of name.
	// +optional
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=1000000
	Priority int32 `json:"priority,omitempty"`
	// namespaces are the names of namespaces whose Services the pool serves.
	// +optional
	// +kubebuilder:validation:MaxItems=1024
	// +kubebuilder:validation:items:MinLength=1
	// +kubebuilder:validation:items:MaxLength=63
	// +kubebuilder:validation:items:Pattern=`^[a-z0-9]([-a-z0-9]*[a-z0-9])?$`
	// +listType=set
	Namespaces []string `json:"namespaces,omitempty"`
	// namespaceSelectors select namespaces whose Services the pool serves, by their labels.
	// +optional
	// +kubebuilder:validation:MaxItems=64
	// +listType=atomic
	NamespaceSelectors []LabelSelector `json:"namespaceSelectors,omitempty"`
	// serviceSelectors select the Services that the pool serves, by their labels. One of them must match. Empty: all Services.
	// +optional
	// +kubebuilder:validation:MaxItems=64
	// +listType=atomic
	ServiceSelectors []LabelSelector `json:"serviceSelectors,omitempty"`
	// maxPerNamespace is how many addresses of this pool the Services of one namespace may hold together. A shared address
	// counts once. Absent: no limit.
	// +optional
	// +kubebuilder:validation:Minimum=1
	MaxPerNamespace *int32 `json:"maxPerNamespace,omitempty"`
}

// IPAddressPoolSpec describes a set of addresses, and which Services may have one.
type IPAddressPoolSpec struct {
	// addresses of the pool: CIDR prefixes, ranges a-b and single addresses, IPv4 and IPv6. Every address of a prefix belongs
	// to the pool, the first and the last too.
	// +required
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=256
	// +listType=set
	Addresses []AddressRange `json:"addresses"`
	// exclude lists addresses that do not belong to the pool, in the same forms, such as those of gateways and hosts.
	// +optional
	// +kubebuilder:validation:MaxItems=256
	// +listType=set
	Exclude []AddressRange `json:"exclude,omitempty"`
	// autoAssign says whether a Service gets an address of the pool without requesting the pool or the address, or having a
	// reservation.
	// +optional
	// +kubebuilder:default=true
	AutoAssign *bool `json:"autoAssign,omitempty"`
	// avoidBuggyIPs leaves out IPv4 addresses that end in .0 or .255, which some old equipment takes for broadcast addresses.
	// +optional
	AvoidBuggyIPs bool `json:"avoidBuggyIPs,omitempty"`
	// allowNetworkAddresses lets the pool give addresses that no host may have in a subnet that a node is on: the network and
	// broadcast address of an IPv4 subnet, the subnet-router anycast address of an IPv6 subnet. It is meant for addresses that are
	// announced by BGP only.
	// +optional
	AllowNetworkAddresses bool `json:"allowNetworkAddresses,omitempty"`
	// drain stops the pool from giving addresses. Services keep those that they have.
	// +optional
	Drain bool `json:"drain,omitempty"`
	// reuseDelay is how long after its release an address may not be given to another Service, from 0s to 24h. A Service of the
	// same namespace and name may have it again at once.
	// +optional
	// +kubebuilder:default="0s"
	// +kubebuilder:validation:XValidation:rule="self.matches('^[-+]?(0|([0-9.]+[^0-9 ]?[smh])+)$') && duration(self) >= duration('0s') && duration(self) <= duration('24h')",message="must be a duration between 0s and 24h, such as 10m"
	ReuseDelay metav1.Duration `json:"reuseDelay,omitempty"`
	// serviceAllocation says which Services the pool serves. Absent: all Services.
	// +optional
	ServiceAllocation *ServiceAllocation `json:"serviceAllocation,omitempty"`
}

// AddressCount counts the addresses of one family in a pool.
type AddressCount struct {
	// assigned is how many addresses Services hold. A shared address counts once.
	Assigned int64 `json:"assigned"`
	// available is how many addresses the pool can give now, as a decimal number of any size. It does not count addresses that
	// are assigned, excluded, reserved, a node's own, or under a reuse delay.
	Available string `json:"available"`
}

// IPAddressPoolStatus says how many addresses of a pool are in use, and whether the pool is valid.
type IPAddressPoolStatus struct {
	// observedGeneration is the generation of the spec that this status is about.
	// +optional
	ObservedGeneration int64 `json:"observedGeneration,omitempty"`
	// ipv4 counts the pool's IPv4 addresses.
	// +optional
	IPv4 *AddressCount `json:"ipv4,omitempty"`
	// ipv6 counts the pool's IPv6 addresses.
	// +optional
	IPv6 *AddressCount `json:"ipv6,omitempty"`
	// conditions has the conditions Ready, Exhausted and Overlap, and Stalled while the object is not understood.
	// +optional
	// +listType=map
	// +listMapKey=type
	Conditions []metav1.Condition `json:"conditions,omitempty"`
}

// IPAddressPool is a set of addresses that Services of type LoadBalancer get theirs from.
//
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:scope=Cluster,shortName=dmpool,categories=daymark
// +kubebuilder:printcolumn:name="Addresses",type=string,JSONPath=`.spec.addresses`
// +kubebuilder:printcolumn:name="Auto",type=boolean,JSONPath=`.spec.autoAssign`
// +kubebuilder:printcolumn:name="Used4",type=integer,JSONPath=`.status.ipv4.assigned`
// +kubebuilder:printcolumn:name="Free4",type=string,JSONPath=`.status.ipv4.available`
// +kubebuilder:printcolumn:name="Used6",type=integer,JSONPath=`.status.ipv6.assigned`
// +kubebuilder:printcolumn:name="Free6",type=string,JSONPath=`.status.ipv6.available`
// +kubebuilder:printcolumn:name="Ready",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].status`
// +kubebuilder:printcolumn:name="Message",type=string,priority=1,JSONPath=`.status.conditions[?(@.type=="Ready")].message`
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
type IPAddressPool struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`

	// +required
	Spec IPAddressPoolSpec `json:"spec"`
	// +optional
	// +kubebuilder:default={"observedGeneration":-1}
	Status IPAddressPoolStatus `json:"status,omitempty"`
}

// IPAddressPoolList is a list of pools.
//
// +kubebuilder:object:root=true
type IPAddressPoolList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	Items           []IPAddressPool `json:"items"`
}
