package v1beta1

import metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

// ASNType says which AS number is accepted in the OPEN message of a peer.
//
// +kubebuilder:validation:Enum=internal;external
type ASNType string

// The two values of ASNType.
const (
	// ASNInternal accepts the own AS number only.
	ASNInternal ASNType = "internal"
	// ASNExternal accepts any AS number except the own one.
	ASNExternal ASNType = "external"
)

// AddressFamily is a family of unicast addresses.
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

// AdminState is what an administrator wants of the sessions with a peer.
//
// +kubebuilder:validation:Enum=Up;Maintenance;Down
type AdminState string

// The values of AdminState.
const (
	// AdminUp: sessions are established, and carry routes.
	AdminUp AdminState = "Up"
	// AdminMaintenance: sessions are established, and carry no routes.
	AdminMaintenance AdminState = "Maintenance"
	// AdminDown: there are no sessions.
	AdminDown AdminState = "Down"
)

// SecretReference names a key of a Secret in the namespace that Daymark runs in.
type SecretReference struct {
	// name of the Secret.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	// +kubebuilder:validation:Pattern=`^[a-z0-9]([-a-z0-9]*[a-z0-9])?([.][a-z0-9]([-a-z0-9]*[a-z0-9])?)*$`
	Name string `json:"name"`
	// key in the Secret whose value is used. Default: password.
	// +optional
	// +kubebuilder:default=password
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	// +kubebuilder:validation:Pattern=`^[-._a-zA-Z0-9]+$`
	Key string `json:"key,omitempty"`
}

// PeerFrom says where each node finds the address of its own peer.
//
// +kubebuilder:validation:XValidation:rule="has(self.defaultGateway) != has(self.nodeAnnotation)",message="give either defaultGateway or nodeAnnotation"
type PeerFrom struct {
	// defaultGateway: the peer is the next hop of the node's default route of this family, or each next hop of a multipath route.
	// Of several default routes the one with the lowest metric counts. With vrf, it is the route of the VRF.
	// +optional
	DefaultGateway *AddressFamily `json:"defaultGateway,omitempty"`
	// nodeAnnotation is the key of an annotation of the Node. Its value is the peer's address, or several addresses separated
	// by commas. A link-local IPv6 address has the interface behind it: fe80::1%eth0.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=317
	// +kubebuilder:validation:Pattern=`^([A-Za-z0-9]([-A-Za-z0-9]*[A-Za-z0-9])?([.][A-Za-z0-9]([-A-Za-z0-9]*[A-Za-z0-9])?)*/)?[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?$`
	NodeAnnotation string `json:"nodeAnnotation,omitempty"`
}

// SourceFrom says where each node finds the address that it connects from.
//
// +kubebuilder:validation:XValidation:rule="has(self.interface) != has(self.nodeAnnotation)",message="give either interface or nodeAnnotation"
type SourceFrom struct {
	// interface is the name of an interface of the node, such as lo. Its address of the peer's family is used.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=15
	// +kubebuilder:validation:Pattern=`^[^/\s]+$`
	Interface string `json:"interface,omitempty"`
	// nodeAnnotation is the key of an annotation of the Node. Its value is the address, or one address of each family, separated
	// by a comma.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=317
	// +kubebuilder:validation:Pattern=`^([A-Za-z0-9]([-A-Za-z0-9]*[A-Za-z0-9])?([.][A-Za-z0-9]([-A-Za-z0-9]*[A-Za-z0-9])?)*/)?[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?$`
	NodeAnnotation string `json:"nodeAnnotation,omitempty"`
}

// RouterIDFrom says where each node finds its BGP identifier.
type RouterIDFrom struct {
	// nodeAnnotation is the key of an annotation of the Node. Its value has the form of an IPv4 address other than 0.0.0.0.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=317
	// +kubebuilder:validation:Pattern=`^([A-Za-z0-9]([-A-Za-z0-9]*[A-Za-z0-9])?([.][A-Za-z0-9]([-A-Za-z0-9]*[A-Za-z0-9])?)*/)?[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?$`
	NodeAnnotation string `json:"nodeAnnotation"`
}

// GracefulRestart has the parameters of graceful restart (RFC 4724): the peer goes on forwarding while the speaker restarts.
type GracefulRestart struct {
	// enabled says whether graceful restart is offered to the peer. Default: true.
	// +optional
	// +kubebuilder:default=true
	Enabled *bool `json:"enabled,omitempty"`
	// restartTime is how long the peer keeps the routes while the speaker restarts, from 1s to 4095s. Without BFD it keeps the
	// routes of a dead node as long.
	// +optional
	// +kubebuilder:default="30s"
	// +kubebuilder:validation:XValidation:rule="self.matches('^[-+]?(0|([0-9.]+[^0-9 ]?[smh])+)$') && duration(self) >= duration('1s') && duration(self) <= duration('4095s')",message="must be a duration between 1s and 4095s, such as 60s"
	RestartTime metav1.Duration `json:"restartTime,omitempty"`
}

// BGPPeerSpec describes the BGP sessions with one router, from every node that nodeSelectors match.
//
// +kubebuilder:validation:XValidation:rule="(has(self.peerAddress) ? 1 : 0) + (has(self.interface) ? 1 : 0) + (has(self.peerFrom) ? 1 : 0) == 1",message="give exactly one of peerAddress, interface and peerFrom"
// +kubebuilder:validation:XValidation:rule="has(self.peerASN) != has(self.dynamicASN)",message="give either peerASN or dynamicASN"
// +kubebuilder:validation:XValidation:rule="!has(self.localASN) || self.localASN != self.myASN",message="localASN must differ from myASN"
// +kubebuilder:validation:XValidation:rule="!has(self.localASN) || !has(self.peerASN) || self.localASN != self.peerASN",message="localASN must differ from peerASN"
// +kubebuilder:validation:XValidation:rule="!has(self.localASN) || (has(self.peerASN) ? self.peerASN != self.myASN : self.dynamicASN == 'external')",message="localASN is for external peers only"
// +kubebuilder:validation:XValidation:rule="!(has(self.ebgpMultiHop) && self.ebgpMultiHop && has(self.ttlSecurity) && self.ttlSecurity)",message="ebgpMultiHop and ttlSecurity exclude each other"
// +kubebuilder:validation:XValidation:rule="!has(self.ebgpMultiHop) || !self.ebgpMultiHop || !has(self.peerASN) || self.peerASN != self.myASN",message="ebgpMultiHop is for external peers only"
// +kubebuilder:validation:XValidation:rule="!has(self.interface) || !has(self.ebgpMultiHop) || !self.ebgpMultiHop",message="an unnumbered peer is on the link: ebgpMultiHop does not apply"
// +kubebuilder:validation:XValidation:rule="!self.keepaliveTime.matches('^[-+]?(0|([0-9.]+[^0-9 ]?[smh])+)$') || !self.holdTime.matches('^[-+]?(0|([0-9.]+[^0-9 ]?[smh])+)$') || duration(self.keepaliveTime) <= duration(self.holdTime)",message="keepaliveTime must not be longer than holdTime"
// +kubebuilder:validation:XValidation:rule="!has(self.sourceAddress) || !has(self.peerAddress) || ip(self.sourceAddress).family() == ip(self.peerAddress.split('%')[0]).family()",message="sourceAddress and peerAddress must be of the same family"
// +kubebuilder:validation:XValidation:rule="!has(self.sourceAddress) || !has(self.peerAddress) || self.peerAddress.contains('%') || ip(self.sourceAddress).family() == 4 || !ip(self.sourceAddress).isLinkLocalUnicast()",message="from a link-local sourceAddress only a link-local peerAddress is reached"
// +kubebuilder:validation:XValidation:rule="!has(self.sourceAddress) || !has(self.interface) || ip(self.sourceAddress).family() == 6",message="the peer at the other end of a link has an IPv6 address: sourceAddress must be of IPv6, too"
// +kubebuilder:validation:XValidation:rule="!has(self.sourceAddress) || !has(self.peerFrom) || !has(self.peerFrom.defaultGateway) || ip(self.sourceAddress).family() == (self.peerFrom.defaultGateway == 'IPv6' ? 6 : 4)",message="sourceAddress must be of the family of the default gateway"
// +kubebuilder:validation:XValidation:rule="!has(self.sourceAddress) || !has(self.sourceFrom)",message="give either sourceAddress or sourceFrom"
// +kubebuilder:validation:XValidation:rule="!has(self.routerID) || !has(self.routerIDFrom)",message="give either routerID or routerIDFrom"
// +kubebuilder:validation:XValidation:rule="!has(self.bfdStrict) || !self.bfdStrict || (has(self.bfdProfile) && size(self.bfdProfile) > 0)",message="bfdStrict waits for BFD: give a bfdProfile, too"
type BGPPeerSpec struct {
	// myASN is the AS number of the nodes.
	// +required
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=4294967295
	MyASN int64 `json:"myASN"`
	// peerASN is the AS number that the peer must have. The same as myASN makes an internal session (iBGP).
	// +optional
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=4294967295
	PeerASN *int64 `json:"peerASN,omitempty"`
	// dynamicASN accepts the AS number that the peer sends, in place of peerASN: internal accepts the own AS number, external
	// any other.
	// +optional
	DynamicASN *ASNType `json:"dynamicASN,omitempty"`
	// localASN is sent to this peer in place of myASN, as in a migration between AS numbers. External peers only.
	// +optional
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=4294967295
	LocalASN *int64 `json:"localASN,omitempty"`

	// peerAddress is the IP address of the peer. A link-local IPv6 address has the interface of the nodes behind it: fe80::1%eth0.
	// +optional
	// +kubebuilder:validation:MinLength=2
	// +kubebuilder:validation:MaxLength=61
	// +kubebuilder:validation:XValidation:rule="isIP(self.split('%')[0])",message="must be an IP address"
	// +kubebuilder:validation:XValidation:rule="!self.contains('%') || self.matches('^[fF][eE][89abAB][0-9a-fA-F]:[0-9a-fA-F:.]*%[^/%\\\\s]{1,15}$')",message="only a link-local IPv6 address has an interface behind it, as in fe80::1%eth0"
	// +kubebuilder:validation:XValidation:rule="self.contains('%') || !isIP(self) || ip(self).family() == 4 || !ip(self).isLinkLocalUnicast()",message="a link-local IPv6 address needs the interface that it is on behind it, as in fe80::1%eth0"
	// +kubebuilder:validation:XValidation:rule="self.contains('%') || !isIP(self) || ip(self).isGlobalUnicast() || ip(self).isLinkLocalUnicast() || ip(self).isLoopback()",message="must be the address of a router: neither unspecified nor that of a group"
	PeerAddress string `json:"peerAddress,omitempty"`
	// interface is the name of an interface. The peer is the router at the other end of its link, by its IPv6 link-local
	// address (BGP unnumbered).
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=15
	// +kubebuilder:validation:Pattern=`^[^/\s]+$`
	Interface string `json:"interface,omitempty"`
	// peerFrom says where each node finds the address of its own peer, so that one object serves many racks.
	// +optional
	PeerFrom *PeerFrom `json:"peerFrom,omitempty"`
	// peerPort is the TCP port of the peer.
	// +optional
	// +kubebuilder:default=179
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=65535
	PeerPort int32 `json:"peerPort,omitempty"`
	// sourceAddress is the node's address to connect from. Empty or unspecified (0.0.0.0, ::): the routing table decides. Set it only when nodeSelectors
	// match one node; sourceFrom is for several.
	// +optional
	// +kubebuilder:validation:MinLength=2
	// +kubebuilder:validation:MaxLength=45
	// +kubebuilder:validation:XValidation:rule="isIP(self)",message="must be an IP address"
	// +kubebuilder:validation:XValidation:rule="!isIP(self) || ip(self).isUnspecified() || ip(self).isGlobalUnicast() || ip(self).isLinkLocalUnicast() || ip(self).isLoopback()",message="must be the address of a node, not that of a group"
	SourceAddress string `json:"sourceAddress,omitempty"`
	// sourceFrom says where each node finds the address to connect from, in place of sourceAddress.
	// +optional
	SourceFrom *SourceFrom `json:"sourceFrom,omitempty"`
	// routerID is the BGP identifier, in the form of an IPv4 address. Empty: the node's IPv4 address, or a number made from the
	// node's name. It must differ between nodes, so set it only when nodeSelectors match one node; routerIDFrom is for several.
	// +optional
	// +kubebuilder:validation:MinLength=7
	// +kubebuilder:validation:MaxLength=15
	// +kubebuilder:validation:XValidation:rule="isIP(self) && ip(self).family() == 4 && self != '0.0.0.0'",message="must have the form of an IPv4 address other than 0.0.0.0"
	RouterID string `json:"routerID,omitempty"`
	// routerIDFrom says where each node finds its BGP identifier, in place of routerID.
	// +optional
	RouterIDFrom *RouterIDFrom `json:"routerIDFrom,omitempty"`

	// holdTime is how long a peer may send nothing before the session is closed (RFC 4271 section 4.2), from 3s to 65535s. The
	// shorter one of both ends is used.
	// +optional
	// +kubebuilder:default="90s"
	// +kubebuilder:validation:XValidation:rule="self.matches('^[-+]?(0|([0-9.]+[^0-9 ]?[smh])+)$') && duration(self) >= duration('3s') && duration(self) <= duration('65535s')",message="must be a duration between 3s and 65535s, such as 90s"
	HoldTime metav1.Duration `json:"holdTime,omitempty"`
	// keepaliveTime is the time between two KEEPALIVE messages. 0s, the default, means a third of the hold time.
	// +optional
	// +kubebuilder:default="0s"
	// +kubebuilder:validation:XValidation:rule="self.matches('^[-+]?(0|([0-9.]+[^0-9 ]?[smh])+)$') && (duration(self) == duration('0s') || (duration(self) >= duration('1s') && duration(self) <= duration('21845s')))",message="must be 0s, or a duration between 1s and 21845s, such as 30s"
	KeepaliveTime metav1.Duration `json:"keepaliveTime,omitempty"`
	// connectTime is the longest pause between two attempts to connect while the router does not answer or refuses, from 1s to 65535s.
	// Pauses double up to it, and each is shortened by up to a half at random. Those while the router does not want the session are
	// longer, up to 5 minutes, or connectTime if that is longer.
	// +optional
	// +kubebuilder:default="30s"
	// +kubebuilder:validation:XValidation:rule="self.matches('^[-+]?(0|([0-9.]+[^0-9 ]?[smh])+)$') && duration(self) >= duration('1s') && duration(self) <= duration('65535s')",message="must be a duration between 1s and 65535s, such as 30s"
	ConnectTime metav1.Duration `json:"connectTime,omitempty"`

	// maximumPrefixes is how many prefixes of each family one node sends at most. The youngest Services are held back beyond it, and
	// from 80 % on there is a warning. Set it to the limit of the router, which ends sessions beyond that. Default: no limit.
	// +optional
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=1000000
	MaximumPrefixes int32 `json:"maximumPrefixes,omitempty"`

	// passwordSecret names the Secret with the password for TCP MD5 signatures (RFC 2385).
	// +optional
	PasswordSecret *SecretReference `json:"passwordSecret,omitempty"`
	// ebgpMultiHop allows an external peer that is more than one hop away.
	// +optional
	EBGPMultiHop bool `json:"ebgpMultiHop,omitempty"`
	// ttlSecurity accepts only packets of a directly connected peer, by their TTL of 255 (GTSM, RFC 5082). The peer must use
	// it, too.
	// +optional
	TTLSecurity bool `json:"ttlSecurity,omitempty"`
	// bfdProfile is the name of the BFDProfile for a BFD session with the peer. Empty: no BFD.
	// +optional
	// +kubebuilder:validation:MaxLength=253
	// +kubebuilder:validation:Pattern=`^([a-z0-9]([-a-z0-9]*[a-z0-9])?([.][a-z0-9]([-a-z0-9]*[a-z0-9])?)*)?$`
	BFDProfile string `json:"bfdProfile,omitempty"`
	// bfdStrict keeps the session from being established before BFD is up (draft-ietf-idr-bgp-bfd-strict-mode). The router needs
	// BFD for this, and no strict mode of its own. Default: false.
	// +optional
	BFDStrict bool `json:"bfdStrict,omitempty"`
	// gracefulRestart lets the peer keep the routes while a speaker restarts.
	// +optional
	// +kubebuilder:default={}
	GracefulRestart GracefulRestart `json:"gracefulRestart,omitempty"`
	// addressFamilies are the families whose routes are exchanged. Empty: the family of the peer's address, or both when
	// interface is set.
	// +optional
	// +kubebuilder:validation:MaxItems=2
	// +listType=set
	AddressFamilies []AddressFamily `json:"addressFamilies,omitempty"`
	// vrf is the name of the VRF device that the session goes through.
	// +optional
	// +kubebuilder:validation:MaxLength=15
	// +kubebuilder:validation:Pattern=`^[^/\s]*$`
	VRF string `json:"vrf,omitempty"`
	// adminState: Maintenance keeps sessions established and takes the routes away: they are the least preferred ones for 10s
	// (GRACEFUL_SHUTDOWN, RFC 8326), and then withdrawn. Down ends the sessions (Cease, Administrative Shutdown) until it is
	// changed. Default: Up.
	// +optional
	// +kubebuilder:default=Up
	AdminState AdminState `json:"adminState,omitempty"`
	// shutdownMessage is sent to the router when adminState becomes Down, for its operator to read (RFC 9003), up to 255 bytes.
	// Routers that know RFC 8203 alone take 128.
	// +optional
	// +kubebuilder:validation:MaxLength=255
	// +kubebuilder:validation:XValidation:rule="size(bytes(self)) <= 255",message="must not have more than 255 bytes"
	// +kubebuilder:validation:XValidation:rule="!self.matches('[\\\\x00-\\\\x1f\\\\x7f]')",message="must not have control characters"
	ShutdownMessage string `json:"shutdownMessage,omitempty"`
	// nodeSelectors select the nodes that have the session, by their labels. One of them must match. Empty: all nodes.
	// +optional
	// +kubebuilder:validation:MaxItems=64
	// +listType=atomic
	NodeSelectors []LabelSelector `json:"nodeSelectors,omitempty"`
}

// BGPPeerStatus says whether the peer is understood and in use, and has sessions.
type BGPPeerStatus struct {
	// observedGeneration is the generation of the spec that this status is about.
	// +optional
	ObservedGeneration int64 `json:"observedGeneration,omitempty"`
	// nodes is how many nodes should have sessions with this peer: those that nodeSelectors match and on which a speaker has run, but for
	// nodes that have not been ready for ten minutes.
	// +optional
	Nodes int32 `json:"nodes"`
	// established is how many of them have all their sessions.
	// +optional
	Established int32 `json:"established"`
	// accepted is what counts while a part of the spec cannot be understood, no node could have a session by it, or the BFDProfile
	// that it names does not exist.
	// +optional
	Accepted *AcceptedBGPPeer `json:"accepted,omitempty"`
	// conditions has the conditions Ready and SessionsEstablished; BFDUp if there is a bfdProfile; Stalled while the object is not
	// understood.
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
// +kubebuilder:printcolumn:name="Sessions",type=string,JSONPath=`.status.conditions[?(@.type=="SessionsEstablished")].reason`
// +kubebuilder:printcolumn:name="BFD",type=string,JSONPath=`.status.conditions[?(@.type=="BFDUp")].reason`
// +kubebuilder:printcolumn:name="Ready",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].status`
// +kubebuilder:printcolumn:name="Reason",type=string,priority=1,JSONPath=`.status.conditions[?(@.type=="Ready")].reason`
// +kubebuilder:printcolumn:name="Sessions-Message",type=string,priority=1,JSONPath=`.status.conditions[?(@.type=="SessionsEstablished")].message`
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
type BGPPeer struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`

	// +required
	Spec BGPPeerSpec `json:"spec"`
	// +optional
	// +kubebuilder:default={"observedGeneration":-1}
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
