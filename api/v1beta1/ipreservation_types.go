package v1beta1

import metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

// ServiceReference names one Service.
type ServiceReference struct {
	// namespace of the Service.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	Namespace string `json:"namespace"`
	// name of the Service.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	Name string `json:"name"`
}

// IPReservationSpec names addresses and the Service or Services that they are kept for.
//
// +kubebuilder:validation:XValidation:rule="has(self.serviceRef) != (has(self.__namespace__) || has(self.selector))",message="give either serviceRef, or namespace with selector"
// +kubebuilder:validation:XValidation:rule="has(self.serviceRef) || (has(self.__namespace__) && has(self.selector))",message="namespace and selector go together"
type IPReservationSpec struct {
	// addresses to keep: CIDR prefixes, ranges a-b and single addresses, IPv4 and IPv6.
	// +required
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=256
	// +listType=set
	Addresses []AddressRange `json:"addresses"`
	// serviceRef names the one Service that the addresses are kept for. The Service need not exist.
	// +optional
	ServiceRef *ServiceReference `json:"serviceRef,omitempty"`
	// namespace of the Services that the addresses are kept for. Set it together with selector, in place of serviceRef.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	Namespace string `json:"namespace,omitempty"`
	// selector selects the Services in namespace that the addresses are kept for, by their labels.
	// +optional
	Selector *LabelSelector `json:"selector,omitempty"`
}

// IPReservationStatus says whether the addresses are kept.
type IPReservationStatus struct {
	// observedGeneration is the generation of the spec that this status is about.
	// +optional
	ObservedGeneration int64 `json:"observedGeneration,omitempty"`
	// conditions has the condition Ready, and Stalled while the object is not understood.
	// +optional
	// +listType=map
	// +listMapKey=type
	Conditions []metav1.Condition `json:"conditions,omitempty"`
}

// IPReservation keeps addresses for a Service before it exists and after it is deleted. It never takes an address away from
// another Service that has it.
//
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:scope=Cluster,shortName=dmres,categories=daymark
// +kubebuilder:printcolumn:name="Addresses",type=string,JSONPath=`.spec.addresses`
// +kubebuilder:printcolumn:name="Namespace",type=string,JSONPath=`.spec.serviceRef.namespace`
// +kubebuilder:printcolumn:name="Service",type=string,JSONPath=`.spec.serviceRef.name`
// +kubebuilder:printcolumn:name="Ready",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].status`
// +kubebuilder:printcolumn:name="Message",type=string,priority=1,JSONPath=`.status.conditions[?(@.type=="Ready")].message`
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
type IPReservation struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`

	// +required
	Spec IPReservationSpec `json:"spec"`
	// +optional
	// +kubebuilder:default={"observedGeneration":-1}
	Status IPReservationStatus `json:"status,omitempty"`
}

// IPReservationList is a list of reservations.
//
// +kubebuilder:object:root=true
type IPReservationList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	Items           []IPReservation `json:"items"`
}
