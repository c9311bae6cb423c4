package v1beta1

import metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

// SpeakerListLimit bounds the lists in a Speaker's status, so that the object stays small whatever the number of Services.
const SpeakerListLimit = 128

// HeldAddress is an address that the node answers ARP or NDP for.
type HeldAddress struct {
	// address held.
	Address string `json:"address"`
	// interfaces it is announced on.
	// +listType=atomic
	Interfaces []string `json:"interfaces"`
	// since when this node holds it.
	Since metav1.Time `json:"since"`
}

// SpeakerConflictLimit bounds the list of conflicts in a Speaker's status.
const SpeakerConflictLimit = 32

// AddressConflict is an address of a Service that a host outside the cluster uses, too.
type AddressConflict struct {
	// address in conflict.
	Address string `json:"address"`
	// mac address of the other host.
	MAC string `json:"mac"`
	// interface where it was heard.
	Interface string `json:"interface"`
	// since when the other host has been heard.
	Since metav1.Time `json:"since"`
	// announced: this node held the address before, and defends it. Otherwise it keeps silent for the sake of the other host.
	Announced bool `json:"announced"`
}

// SpeakerLayer2 is what the node announces by ARP and NDP.
type SpeakerLayer2 struct {
	// ipv4 addresses held.
	IPv4 int32 `json:"ipv4"`
	// ipv6 addresses held.
	IPv6 int32 `json:"ipv6"`
	// held lists them; the first 128 when there are more.
	// +optional
	// +kubebuilder:validation:MaxItems=128
	// +listType=map
	// +listMapKey=address
	Held []HeldAddress `json:"held,omitempty"`
	// conflicts with hosts outside the cluster; the first 32 when there are more.
	// +optional
	// +kubebuilder:validation:MaxItems=32
	// +listType=map
	// +listMapKey=address
	Conflicts []AddressConflict `json:"conflicts,omitempty"`
}

// BGPSessionState is a state of the BGP finite state machine (RFC 4271 section 8.2.2).
//
// +kubebuilder:validation:Enum=Idle;Connect;Active;OpenSent;OpenConfirm;Established
type BGPSessionState string

// The states that a Speaker object tells.
const (
	// BGPEstablished is the state of a session that carries routes.
	BGPEstablished BGPSessionState = "Established"
	// BGPActive stands for all states of a session that does not: it is tried again and again.
	BGPActive BGPSessionState = "Active"
)

// BGPSession is a session between the node and one router.
type BGPSession struct {
	// peer names the BGPPeer.
	Peer string `json:"peer"`
	// address of the router. Empty when it is not known yet.
	// +optional
	Address string `json:"address,omitempty"`
	// state of the session: Established, or Active while it is tried to bring it up.
	State BGPSessionState `json:"state"`
	// since when it is in this state.
	Since metav1.Time `json:"since"`
	// lastError says in words why the session last went down or could not come up.
	// +optional
	// +kubebuilder:validation:MaxLength=512
	LastError string `json:"lastError,omitempty"`
	// ipv4 prefixes announced to the router.
	IPv4 int32 `json:"ipv4"`
	// ipv6 prefixes announced to the router.
	IPv6 int32 `json:"ipv6"`
	// families negotiated with the router. Empty while there is no session.
	// +optional
	// +listType=atomic
	Families []AddressFamily `json:"families,omitempty"`
	// holdTime and keepaliveTime negotiated with the router. Empty while there is no session.
	// +optional
	HoldTime metav1.Duration `json:"holdTime,omitzero"`
	// +optional
	KeepaliveTime metav1.Duration `json:"keepaliveTime,omitzero"`
	// warning says in words what the session lacks though it is up, such as a family that the router does not offer.
	// +optional
	// +kubebuilder:validation:MaxLength=512
	Warning string `json:"warning,omitempty"`
	// bfd is the state of the BFD session with the router, and why when it is not Up. Empty: not watched.
	// +optional
	// +kubebuilder:validation:MaxLength=512
	BFD string `json:"bfd,omitempty"`
}

// SpeakerStatus is what a speaker says of itself.
type SpeakerStatus struct {
	// gossipAddress is where the other speakers reach this one: address:port.
	// +optional
	GossipAddress string `json:"gossipAddress,omitempty"`
	// members is how many speakers this one sees alive, itself included.
	// +optional
	Members int32 `json:"members"`
	// layer2: addresses held on the local segment.
	// +optional
	Layer2 SpeakerLayer2 `json:"layer2,omitempty"`
	// bgp sessions of the node.
	// +optional
	// +kubebuilder:validation:MaxItems=128
	// +listType=atomic
	BGP []BGPSession `json:"bgp,omitempty"`
	// conditions: Ready, MembershipKnown.
	// +optional
	// +listType=map
	// +listMapKey=type
	Conditions []metav1.Condition `json:"conditions,omitempty"`
}

// Speaker shows what one node announces. The node's speaker writes it; nobody else need touch it.
//
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:scope=Cluster,shortName=dmspeaker,categories=daymark
// +kubebuilder:printcolumn:name="Members",type=integer,JSONPath=`.status.members`
// +kubebuilder:printcolumn:name="L2-IPv4",type=integer,JSONPath=`.status.layer2.ipv4`
// +kubebuilder:printcolumn:name="L2-IPv6",type=integer,JSONPath=`.status.layer2.ipv6`
// +kubebuilder:printcolumn:name="BGP",type=string,JSONPath=`.status.bgp[*].state`
// +kubebuilder:printcolumn:name="Ready",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].status`
// +kubebuilder:printcolumn:name="Message",type=string,priority=1,JSONPath=`.status.conditions[?(@.type=="Ready")].message`
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
type Speaker struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`

	// +optional
	Status SpeakerStatus `json:"status,omitempty"`
}

// SpeakerList is a list of speakers.
//
// +kubebuilder:object:root=true
type SpeakerList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	Items           []Speaker `json:"items"`
}
