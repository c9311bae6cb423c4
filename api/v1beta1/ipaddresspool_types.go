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

// ServiceAllocation says which Services a pool serves, and before or after which other pools.
// A Service is served when one of the namespace parts (namespaces, namespaceSelectors) matches, or none is given,
// and one of serviceSelectors matches, or none is given.
type ServiceAllocation struct {
	// priority orders the pools that serve a Service: the lowest number is tried first, and pools with 0 or no priority last.
	// +optional
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=1000000
	Priority int32 `json:"priority,omitempty"`
	// namespaces whose Services the pool serves.
	// +optional
	// +kubebuilder:validation:MaxItems=1024
	// +listType=set
	Namespaces []string `json:"namespaces,omitempty"`
	// namespaceSelectors match the labels of namespaces whose Services the pool serves.
	// +optional
	// +kubebuilder:validation:MaxItems=64
	// +listType=atomic
	NamespaceSelectors []metav1.LabelSelector `json:"namespaceSelectors,omitempty"`
	// serviceSelectors match the labels of Services that the pool serves.
	// +optional
	// +kubebuilder:validation:MaxItems=64
	// +listType=atomic
	ServiceSelectors []metav1.LabelSelector `json:"serviceSelectors,omitempty"`
	// maxPerNamespace is how many addresses of this pool the Services of one namespace may hold together. Absent: no limit.
	// +optional
	// +kubebuilder:validation:Minimum=1
	MaxPerNamespace *int32 `json:"maxPerNamespace,omitempty"`
}

// IPAddressPoolSpec describes a set of addresses and who may have one.
type IPAddressPoolSpec struct {
	// addresses that the pool gives: CIDR prefixes, ranges a-b and single addresses, IPv4 and IPv6.
	// +required
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=256
	// +listType=set
	Addresses []AddressRange `json:"addresses"`
	// exclude lists addresses that the pool never gives, in the same forms: gateways, hosts that use them already.
	// +optional
	// +kubebuilder:validation:MaxItems=256
	// +listType=set
	Exclude []AddressRange `json:"exclude,omitempty"`
	// autoAssign: whether Services that do not name this pool, or one of its addresses, get addresses of it.
	// +optional
	// +kubebuilder:default=true
	AutoAssign *bool `json:"autoAssign,omitempty"`
	// avoidBuggyIPs leaves out IPv4 addresses that end in .0 and .255, which some old equipment takes for broadcasts.
	// +optional
	AvoidBuggyIPs bool `json:"avoidBuggyIPs,omitempty"`
	// drain: what the pool has given stays where it is; nothing new is given.
	// +optional
	Drain bool `json:"drain,omitempty"`
	// reuseDelay is how long an address that was given back rests before another Service may get it.
	// +optional
	// +kubebuilder:default="0s"
	// +kubebuilder:validation:XValidation:rule="duration(self) >= duration('0s') && duration(self) <= duration('24h')",message="must be between 0s and 24h"
	ReuseDelay metav1.Duration `json:"reuseDelay,omitempty"`
	// serviceAllocation says which Services the pool serves. Absent: all.
	// +optional
	ServiceAllocation *ServiceAllocation `json:"serviceAllocation,omitempty"`
}

// AddressCount counts the addresses of one family in a pool.
type AddressCount struct {
	// assigned to Services.
	Assigned int64 `json:"assigned"`
	// available to Services that ask now: without those assigned, excluded, reserved or resting. A decimal number of any size.
	Available string `json:"available"`
}

// IPAddressPoolStatus says how much of a pool is in use and whether it works.
type IPAddressPoolStatus struct {
	// observedGeneration of the spec that this status speaks of.
	// +optional
	ObservedGeneration int64 `json:"observedGeneration,omitempty"`
	// ipv4 counts the pool's IPv4 addresses.
	// +optional
	IPv4 *AddressCount `json:"ipv4,omitempty"`
	// ipv6 counts the pool's IPv6 addresses.
	// +optional
	IPv6 *AddressCount `json:"ipv6,omitempty"`
	// conditions: Ready, Exhausted, Overlap.
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
