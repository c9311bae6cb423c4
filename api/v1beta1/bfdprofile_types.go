package v1beta1

import metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

// BFDProfileSpec has the parameters of BFD sessions (RFC 5880).
type BFDProfileSpec struct {
	// receiveInterval is the shortest time between two packets that the router is asked to keep, in milliseconds, from 10 to
	// 60000.
	// +optional
	// +kubebuilder:default=300
	// +kubebuilder:validation:Minimum=10
	// +kubebuilder:validation:Maximum=60000
	ReceiveInterval int32 `json:"receiveInterval,omitempty"`
	// transmitInterval is the shortest time between two packets that the node sends, in milliseconds, from 10 to 60000.
	// +optional
	// +kubebuilder:default=300
	// +kubebuilder:validation:Minimum=10
	// +kubebuilder:validation:Maximum=60000
	TransmitInterval int32 `json:"transmitInterval,omitempty"`
	// detectMultiplier is how many packets of the node in a row the router must miss before it takes the session down, from 2 to
	// 255. The router sends its own multiplier for the other direction.
	// +optional
	// +kubebuilder:default=3
	// +kubebuilder:validation:Minimum=2
	// +kubebuilder:validation:Maximum=255
	DetectMultiplier int32 `json:"detectMultiplier,omitempty"`
	// minimumTTL is the lowest TTL of packets that are accepted in multihop sessions (RFC 5883 section 5). With 254 one router
	// may be in between.
	// +optional
	// +kubebuilder:default=254
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=255
	MinimumTTL int32 `json:"minimumTTL,omitempty"`
	// passiveMode makes the node wait for the first packet of the router before it sends (RFC 5880 section 6.1). The router
	// must not be passive, too.
	// +optional
	PassiveMode bool `json:"passiveMode,omitempty"`
	// holdDown is how long BFD must be up without a break, after it has failed, before routes are announced to the router again, up
	// to 1h. If BGP is established for that time and BFD does not come up, they are announced all the same. The BGP session is established
	// meanwhile. 0s, the default: they are announced at once.
	// +optional
	// +kubebuilder:default="0s"
	// +kubebuilder:validation:XValidation:rule="self.matches('^[-+]?(0|([0-9.]+[^0-9 ]?[smh])+)$') && duration(self) >= duration('0s') && duration(self) <= duration('1h')",message="must be a duration between 0s and 1h, such as 30s"
	HoldDown metav1.Duration `json:"holdDown,omitempty"`
}

// BFDProfileStatus says whether the profile is valid.
type BFDProfileStatus struct {
	// observedGeneration is the generation of the spec that this status is about.
	// +optional
	ObservedGeneration int64 `json:"observedGeneration,omitempty"`
	// conditions has the condition Ready.
	// +optional
	// +listType=map
	// +listMapKey=type
	Conditions []metav1.Condition `json:"conditions,omitempty"`
}

// BFDProfile has BFD parameters that BGPPeers refer to by name.
//
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:scope=Cluster,shortName=dmbfd,categories=daymark
// +kubebuilder:printcolumn:name="Receive",type=integer,JSONPath=`.spec.receiveInterval`
// +kubebuilder:printcolumn:name="Transmit",type=integer,JSONPath=`.spec.transmitInterval`
// +kubebuilder:printcolumn:name="Multiplier",type=integer,JSONPath=`.spec.detectMultiplier`
// +kubebuilder:printcolumn:name="Ready",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].status`
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
type BFDProfile struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`

	// +optional
	// +kubebuilder:default={}
	Spec BFDProfileSpec `json:"spec,omitempty"`
	// +optional
	// +kubebuilder:default={"observedGeneration":-1}
	Status BFDProfileStatus `json:"status,omitempty"`
}

// BFDProfileList is a list of profiles.
//
// +kubebuilder:object:root=true
type BFDProfileList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	Items           []BFDProfile `json:"items"`
}
