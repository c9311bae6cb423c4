package v1beta1

import metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

// CommunityAlias gives a BGP community a name.
//
// +kubebuilder:validation:XValidation:rule="[{'no-export': '65535:65281', 'no-advertise': '65535:65282', 'no-export-subconfed': '65535:65283', 'local-as': '65535:65283', 'no-peer': '65535:65284', 'blackhole': '65535:666', 'graceful-shutdown': '65535:0', 'accept-own': '65535:1', 'llgr-stale': '65535:6', 'no-llgr': '65535:7'}].all(known, !(self.name.lowerAscii().replace('_', '-') in known) || known[self.name.lowerAscii().replace('_', '-')] == self.value)",message="the name of a well-known community stands for that one always"
type CommunityAlias struct {
	// name for use in BGPAdvertisements. That of a well-known community cannot have another value, nor can
	// its name in capitals or with underscores.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=128
	// +kubebuilder:validation:Pattern=`^[A-Za-z][A-Za-z0-9._-]*$`
	Name string `json:"name"`
	// value is a standard community (64512:100, RFC 1997, or one number), a large one (64512:1:2, RFC 8092) or an extended one
	// (rt:64512:100, soo:64512:100, bandwidth:64512:125000000, RFC 4360).
	// +required
	// +kubebuilder:validation:MaxLength=40
	// +kubebuilder:validation:Pattern=`^([0-9]{1,10}(:[0-9]{1,10}){0,2}|large(:[0-9]{1,10}){3}|(rt|target|soo|origin):([0-9]{1,10}|[0-9]{1,3}([.][0-9]{1,3}){3}):[0-9]{1,10}|bandwidth:[0-9]{1,5}:[0-9]{1,18})$`
	// +kubebuilder:validation:XValidation:rule="!self.matches('^(large:)?[0-9]+(:[0-9]+){0,2}$') || self.split(':').all(n, n == 'large' || int(n) <= (self.split(':').size() == 2 ? 65535 : 4294967295))",message="the two numbers of a standard community are at most 65535, the three of a large one at most 4294967295"
	// +kubebuilder:validation:XValidation:rule="!self.matches('^(rt|target|soo|origin):[0-9.]+:[0-9]+$') || (self.split(':')[1].contains('.') ? isIP(self.split(':')[1]) && int(self.split(':')[2]) <= 65535 : int(self.split(':')[1]) <= 65535 ? int(self.split(':')[2]) <= 4294967295 : int(self.split(':')[1]) <= 4294967295 && int(self.split(':')[2]) <= 65535)",message="the last number of an extended community is at most 4294967295 after an AS number of 16 bits, and 65535 after another or an address"
	// +kubebuilder:validation:XValidation:rule="!self.matches('^bandwidth:[0-9]+:[0-9]+$') || int(self.split(':')[1]) <= 65535",message="the AS number of a link bandwidth has 16 bits"
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
	// names are those of communities that count. Of several objects that give one name to different communities it is the one that
	// gave it first, as long as it does.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MaxItems=256
	Names []string `json:"names,omitempty"`
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
