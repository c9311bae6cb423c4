package v1beta1

import metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

// CommunityAlias gives a BGP community a name.
type CommunityAlias struct {
	// name for use in BGPAdvertisements.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=128
	// +kubebuilder:validation:Pattern=`^[A-Za-z][A-Za-z0-9._-]*$`
	Name string `json:"name"`
	// value is a standard community (64512:100, RFC 1997) or a large one (64512:1:2, RFC 8092).
	// +required
	// +kubebuilder:validation:MaxLength=32
	// +kubebuilder:validation:Pattern=`^[0-9]{1,10}(:[0-9]{1,10}){1,2}$`
	// +kubebuilder:validation:XValidation:rule="!self.matches('^[0-9]{1,10}(:[0-9]{1,10}){1,2}$') || (self.split(':').size() == 2 ? self.split(':').all(n, int(n) <= 65535) : self.split(':').all(n, int(n) <= 4294967295))",message="the two numbers of a standard community are at most 65535, the three of a large one at most 4294967295"
	Value string `json:"value"`
}

// CommunitySpec lists names of BGP communities.
type CommunitySpec struct {
	// communities are BGP communities with their names.
	// +required
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=256
	// +listType=map
	// +listMapKey=name
	Communities []CommunityAlias `json:"communities"`
}

// CommunityStatus says whether the names are valid.
type CommunityStatus struct {
	// observedGeneration is the generation of the spec that this status is about.
	// +optional
	ObservedGeneration int64 `json:"observedGeneration,omitempty"`
	// conditions has the condition Ready, and Stalled while the object is not understood.
	// +optional
	// +listType=map
	// +listMapKey=type
	Conditions []metav1.Condition `json:"conditions,omitempty"`
}

// Community gives names to BGP communities.
//
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:scope=Cluster,path=communities,shortName=dmcommunity,categories=daymark
// +kubebuilder:printcolumn:name="Names",type=string,JSONPath=`.spec.communities[*].name`
// +kubebuilder:printcolumn:name="Ready",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].status`
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
type Community struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`

	// +required
	Spec CommunitySpec `json:"spec"`
	// +optional
	// +kubebuilder:default={"observedGeneration":-1}
	Status CommunityStatus `json:"status,omitempty"`
}

// CommunityList is a list of Community objects.
//
// +kubebuilder:object:root=true
type CommunityList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	Items           []Community `json:"items"`
}
