package v1beta1

import metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

// ASNType says how a peer's AS number relates to ours when it is learned from its OPEN message.
//
// +kubebuilder:validation:Enum=internal;external
type ASNType string

// The two values of ASNType.
const (
	// ASNInternal accepts a peer with our own AS number.
	ASNInternal ASNType = "internal"
	// ASNExternal accepts a peer with any AS number but ours.
	ASNExternal ASNType = "external"
)

// AddressFamily is a family of addresses, unicast.
//
// +kubebuilder:validation:Enum=IPv4;IPv6
type AddressFamily string

// The two values of AddressFamily.
const (
	// IPv4 unicast.
	IPv4 AddressFamily = "IPv4"
	// IPv6 unicast.
	IPv6 AddressFamily = "IPv6"
)

// SecretReference names a key of a Secret in the namespace that Daymark runs in.
type SecretReference struct {
	// name of the Secret.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	Name string `json:"name"`
	// key in the Secret.
	// +optional
	// +kubebuilder:default=password
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	Key string `json:"key,omitempty"`
}

// PeerFrom says where each node finds the address of its own peer.
//
// +kubebuilder:validation:XValidation:rule="has(self.defaultGateway) != has(self.nodeAnnotation)",message="give either defaultGateway or nodeAnnotation"
type PeerFrom struct {
	// defaultGateway: the next hop of the node's default route of this family.
	// +optional
	DefaultGateway *AddressFamily `json:"defaultGateway,omitempty"`
	// nodeAnnotation: the key of an annotation of the Node whose value is the address, or several separated by commas.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=317
	NodeAnnotation string `json:"nodeAnnotation,omitempty"`
}

// GracefulRestart is RFC 4724: the peer keeps forwarding while the speaker restarts.
type GracefulRestart struct {
	// enabled offers graceful restart to the peer.
	// +optional
	// +kubebuilder:default=true
	Enabled *bool `json:"enabled,omitempty"`
	// restartTime is how long the peer keeps our routes while we are away. Without BFD it keeps those of a node that has
	// died for as long, too.
	// +optional
	// +kubebuilder:default="30s"
	// +kubebuilder:validation:XValidation:rule="duration(self) >= duration('1s') && duration(self) <= duration('4095s')",message="must be between 1s and 4095s"
	RestartTime metav1.Duration `json:"restartTime,omitempty"`
}

// BGPPeerSpec describes the sessions with one router, from every node that nodeSelectors match.
//
// +kubebuilder:validation:XValidation:rule="(has(self.peerAddress) ? 1 : 0) + (has(self.interface) ? 1 : 0) + (has(self.peerFrom) ? 1 : 0) == 1",message="give exactly one of peerAddress, interface and peerFrom"
// +kubebuilder:validation:XValidation:rule="has(self.peerASN) != has(self.dynamicASN)",message="give either peerASN or dynamicASN"
// +kubebuilder:validation:XValidation:rule="!has(self.localASN) || self.localASN != self.myASN",message="localASN must differ from myASN"
// +kubebuilder:validation:XValidation:rule="!has(self.localASN) || !has(self.peerASN) || self.localASN != self.peerASN",message="localASN must differ from peerASN"
// +kubebuilder:validation:XValidation:rule="!has(self.localASN) || (has(self.peerASN) ? self.peerASN != self.myASN : self.dynamicASN == 'external')",message="localASN is for external peers only"
// +kubebuilder:validation:XValidation:rule="!(has(self.ebgpMultiHop) && self.ebgpMultiHop && has(self.ttlSecurity) && self.ttlSecurity)",message="ebgpMultiHop and ttlSecurity exclude each other"
// +kubebuilder:validation:XValidation:rule="!has(self.ebgpMultiHop) || !self.ebgpMultiHop || !has(self.peerASN) || self.peerASN != self.myASN",message="ebgpMultiHop is for external peers only"
// +kubebuilder:validation:XValidation:rule="!has(self.interface) || !has(self.ebgpMultiHop) || !self.ebgpMultiHop",message="an unnumbered peer is on the link: ebgpMultiHop does not apply"
// +kubebuilder:validation:XValidation:rule="duration(self.keepaliveTime) <= duration(self.holdTime)",message="keepaliveTime must not be longer than holdTime"
// +kubebuilder:validation:XValidation:rule="!has(self.sourceAddress) || !has(self.peerAddress) || ip(self.sourceAddress).family() == ip(self.peerAddress).family()",message="sourceAddress and peerAddress must be of the same family"
type BGPPeerSpec struct {
	// myASN is the AS number that this end of the session speaks for.
	// +required
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=4294967295
	MyASN int64 `json:"myASN"`
	// peerASN is the AS number expected of the peer.
	// +optional
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=4294967295
	PeerASN *int64 `json:"peerASN,omitempty"`
	// dynamicASN accepts the AS number that the peer itself gives: internal (ours) or external (any other).
	// +optional
	DynamicASN *ASNType `json:"dynamicASN,omitempty"`
	// localASN is shown to this peer in place of myASN, as in a migration between AS numbers.
	// +optional
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=4294967295
	LocalASN *int64 `json:"localASN,omitempty"`

	// peerAddress is the address to dial.
	// +optional
	// +kubebuilder:validation:MinLength=2
	// +kubebuilder:validation:MaxLength=45
	// +kubebuilder:validation:XValidation:rule="isIP(self)",message="must be an IP address"
	PeerAddress string `json:"peerAddress,omitempty"`
	// interface peers with the router at the other end of this link by its IPv6 link-local address (unnumbered).
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=15
	// +kubebuilder:validation:Pattern=`^[^/\s]+$`
	Interface string `json:"interface,omitempty"`
	// peerFrom lets each node find its own peer, so that one object serves a cluster of many racks.
	// +optional
	PeerFrom *PeerFrom `json:"peerFrom,omitempty"`
	// peerPort is the TCP port to dial.
	// +optional
	// +kubebuilder:default=179
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=65535
	PeerPort int32 `json:"peerPort,omitempty"`
	// sourceAddress to dial from. Empty: the one the routing table gives.
	// +optional
	// +kubebuilder:validation:MinLength=2
	// +kubebuilder:validation:MaxLength=45
	// +kubebuilder:validation:XValidation:rule="isIP(self)",message="must be an IP address"
	SourceAddress string `json:"sourceAddress,omitempty"`
	// routerID is the BGP identifier, in the form of an IPv4 address. Empty: from the node's IPv4 address, or its name.
	// +optional
	// +kubebuilder:validation:MinLength=7
	// +kubebuilder:validation:MaxLength=15
	// +kubebuilder:validation:XValidation:rule="isIP(self) && ip(self).family() == 4 && self != '0.0.0.0'",message="must have the form of an IPv4 address other than 0.0.0.0"
	RouterID string `json:"routerID,omitempty"`

	// holdTime after which a silent peer is given up (RFC 4271 section 4.2), at least 3s.
	// +optional
	// +kubebuilder:default="90s"
	// +kubebuilder:validation:XValidation:rule="duration(self) >= duration('3s') && duration(self) <= duration('65535s')",message="must be between 3s and 65535s"
	HoldTime metav1.Duration `json:"holdTime,omitempty"`
	// keepaliveTime between two KEEPALIVE messages. 0s: a third of holdTime.
	// +optional
	// +kubebuilder:default="0s"
	// +kubebuilder:validation:XValidation:rule="duration(self) == duration('0s') || (duration(self) >= duration('1s') && duration(self) <= duration('21845s'))",message="must be 0s, or between 1s and 21845s"
	KeepaliveTime metav1.Duration `json:"keepaliveTime,omitempty"`
	// connectTime between two attempts to reach the peer.
	// +optional
	// +kubebuilder:default="3s"
	// +kubebuilder:validation:XValidation:rule="duration(self) >= duration('1s') && duration(self) <= duration('65535s')",message="must be between 1s and 65535s"
	ConnectTime metav1.Duration `json:"connectTime,omitempty"`

	// passwordSecret holds the password for TCP MD5 signatures (RFC 2385).
	// +optional
	PasswordSecret *SecretReference `json:"passwordSecret,omitempty"`
	// ebgpMultiHop: the external peer is more than one hop away.
	// +optional
	EBGPMultiHop bool `json:"ebgpMultiHop,omitempty"`
	// ttlSecurity accepts packets of a directly connected peer only (GTSM, RFC 5082).
	// +optional
	TTLSecurity bool `json:"ttlSecurity,omitempty"`
	// bfdProfile names the BFDProfile to watch the peer with. Empty: no BFD.
	// +optional
	// +kubebuilder:validation:MaxLength=253
	BFDProfile string `json:"bfdProfile,omitempty"`
	// gracefulRestart keeps the routes in place while a speaker restarts.
	// +optional
	// +kubebuilder:default={}
	GracefulRestart GracefulRestart `json:"gracefulRestart,omitempty"`
	// addressFamilies exchanged with the peer. Empty: that of the peer's address, or both over an unnumbered link.
	// +optional
	// +kubebuilder:validation:MaxItems=2
	// +listType=set
	AddressFamilies []AddressFamily `json:"addressFamilies,omitempty"`
	// vrf is the name of the VRF device that the session goes through.
	// +optional
	// +kubebuilder:validation:MaxLength=15
	VRF string `json:"vrf,omitempty"`
	// nodeSelectors match the labels of nodes that peer. Empty: all nodes.
	// +optional
	// +kubebuilder:validation:MaxItems=64
	// +listType=atomic
	NodeSelectors []metav1.LabelSelector `json:"nodeSelectors,omitempty"`
}

// BGPPeerStatus says whether the peer is understood and reached.
type BGPPeerStatus struct {
	// observedGeneration of the spec that this status speaks of.
	// +optional
	ObservedGeneration int64 `json:"observedGeneration,omitempty"`
	// nodes that should have a session with this peer.
	// +optional
	Nodes int32 `json:"nodes"`
	// established sessions among them.
	// +optional
	Established int32 `json:"established"`
	// conditions: Ready.
	// +optional
	// +listType=map
	// +listMapKey=type
	Conditions []metav1.Condition `json:"conditions,omitempty"`
}

// BGPPeer is a router that nodes announce addresses to.
//
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:scope=Cluster,shortName=dmpeer,categories=daymark
// +kubebuilder:printcolumn:name="Address",type=string,JSONPath=`.spec.peerAddress`
// +kubebuilder:printcolumn:name="ASN",type=integer,JSONPath=`.spec.peerASN`
// +kubebuilder:printcolumn:name="Established",type=integer,JSONPath=`.status.established`
// +kubebuilder:printcolumn:name="Nodes",type=integer,JSONPath=`.status.nodes`
// +kubebuilder:printcolumn:name="Ready",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].status`
// +kubebuilder:printcolumn:name="Message",type=string,priority=1,JSONPath=`.status.conditions[?(@.type=="Ready")].message`
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
type BGPPeer struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`

	// +required
	Spec BGPPeerSpec `json:"spec"`
	// +optional
	Status BGPPeerStatus `json:"status,omitempty"`
}

// BGPPeerList is a list of peers.
//
// +kubebuilder:object:root=true
type BGPPeerList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	Items           []BGPPeer `json:"items"`
}
