package v1beta1

import metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

// SpeakerListLimit bounds the lists in a Speaker's status, so that the object stays small whatever the number of Services.
const SpeakerListLimit = 128

// HeldAddress is an address for which the node answers ARP or NDP.
type HeldAddress struct {
	// address is the IP address.
	Address string `json:"address"`
	// interfaces on which the address is announced.
	// +listType=atomic
	Interfaces []string `json:"interfaces"`
	// since is when the node began to hold the address.
	Since metav1.Time `json:"since"`
	// standsInFor is the node that holds the address and is not reached from this part of the segment, because a switch is cut. This
	// node answers here in its place.
	// +optional
	StandsInFor string `json:"standsInFor,omitempty"`
	// shares of the clients, of 60, that the node answers, if other nodes answer the others: the address is shared.
	// +optional
	Shares int32 `json:"shares,omitempty"`
	// sharedBy is the node that holds the shared address. It defends the address and divides the clients.
	// +optional
	SharedBy string `json:"sharedBy,omitempty"`
}

// SpeakerConflictLimit bounds the list of conflicts in a Speaker's status, and SpeakerRangeLimit those of ranges, which have what the
// other lists have no room for.
const (
	SpeakerConflictLimit = 32
	SpeakerRangeLimit    = 128
)

// AddressConflict is an address of a Service that another host also uses: one outside the cluster, or a node of the cluster
// whose speaker has not announced it.
type AddressConflict struct {
	// address that both use.
	Address string `json:"address"`
	// mac address of the other host.
	MAC string `json:"mac"`
	// node that the other host is, if it is one of the cluster.
	// +optional
	Node string `json:"node,omitempty"`
	// nodeInterface is the interface of that node that has the MAC address.
	// +optional
	NodeInterface string `json:"nodeInterface,omitempty"`
	// interface on which the other host was seen.
	Interface string `json:"interface"`
	// since is when the other host was first seen.
	Since metav1.Time `json:"since"`
	// announced says whether the node announces the address nevertheless, because it held it before the other host appeared.
	Announced bool `json:"announced"`
	// elsewhere says that the node announces the address on other interfaces only, and leaves it to the other host on this one.
	// +optional
	Elsewhere bool `json:"elsewhere,omitempty"`
}

// SpeakerLayer2 is what the node announces by ARP and NDP.
type SpeakerLayer2 struct {
	// ipv4 is how many IPv4 addresses the node holds.
	IPv4 int32 `json:"ipv4"`
	// ipv6 is how many IPv6 addresses the node holds.
	IPv6 int32 `json:"ipv6"`
	// held lists the held addresses, 128 at most.
	// +optional
	// +kubebuilder:validation:MaxItems=128
	// +listType=map
	// +listMapKey=address
	Held []HeldAddress `json:"held,omitempty"`
	// conflicts with other hosts, 32 at most. Those about addresses that the node does not announce come first.
	// +optional
	// +kubebuilder:validation:MaxItems=32
	// +listType=map
	// +listMapKey=address
	Conflicts []AddressConflict `json:"conflicts,omitempty"`
	// moreConflicts are the addresses that the node does not announce because of conflicts that conflicts has no room for: single
	// addresses, prefixes and ranges a-b. Of more than 128 the nearest are joined, so that addresses between them are covered as well.
	// +optional
	// +kubebuilder:validation:MaxItems=128
	// +listType=atomic
	MoreConflicts []string `json:"moreConflicts,omitempty"`
}

// BGPSessionState is a state of the BGP finite state machine (RFC 4271 section 8.2.2).
//
// +kubebuilder:validation:Enum=Idle;Connect;Active;OpenSent;OpenConfirm;Established
type BGPSessionState string

// The states in a Speaker object.
const (
	// BGPEstablished is the state of a session that carries routes.
	BGPEstablished BGPSessionState = "Established"
	// BGPIdle is the state of a session that adminState of its BGPPeer keeps down.
	BGPIdle BGPSessionState = "Idle"
	// BGPActive stands for all other states: the node tries to establish the session.
	BGPActive BGPSessionState = "Active"
)

// BGPNextHops are the next hops of the prefixes of each family. One that has a global and a link-local address has two entries.
type BGPNextHops struct {
	// ipv4 is the next hop of IPv4 prefixes; an IPv6 address where the router accepts that (RFC 8950).
	// +optional
	// +kubebuilder:validation:MaxItems=2
	// +listType=atomic
	IPv4 []string `json:"ipv4,omitempty"`
	// ipv6 is the next hop of IPv6 prefixes.
	// +optional
	// +kubebuilder:validation:MaxItems=2
	// +listType=atomic
	IPv6 []string `json:"ipv6,omitempty"`
}

// BGPSession is a session between the node and one router.
type BGPSession struct {
	// peer is the name of the BGPPeer.
	Peer string `json:"peer"`
	// address of the router. Empty when it is not known yet.
	// +optional
	Address string `json:"address,omitempty"`
	// source is the address that the node dials from, where the BGPPeer has sourceAddress or sourceFrom; 0.0.0.0 or ::, which the kernel
	// chooses. It goes on when the annotation of the Node is removed or has no usable address any more, when there is no such interface, or
	// the node does not have the address, also after a restart of the speaker.
	// +optional
	// +kubebuilder:validation:MaxLength=64
	Source string `json:"source,omitempty"`
	// routerID is the BGP identifier of the node, where routerIDFrom of the BGPPeer names an annotation of the Node. It goes on as
	// source does.
	// +optional
	// +kubebuilder:validation:MaxLength=64
	RouterID string `json:"routerID,omitempty"`
	// vrf is the VRF that the session is in, empty for none, where the BGPPeer names one. It goes on when the BGPPeer is changed to name
	// one that the node does not have, also after a restart of the speaker.
	// +optional
	// +kubebuilder:validation:MaxLength=15
	VRF *string `json:"vrf,omitempty"`
	// state of the session. Only three of the states are written: Established, Active while the node tries to establish it,
	// and Idle while adminState of the BGPPeer keeps it down.
	State BGPSessionState `json:"state"`
	// since is when the session came into this state.
	Since metav1.Time `json:"since"`
	// lastError is why the session last went down or was not established.
	// +optional
	// +kubebuilder:validation:MaxLength=512
	LastError string `json:"lastError,omitempty"`
	// nextTry is when the node connects again. Absent while it tries again within a minute, as it does unless the router does not
	// want the session or connectTime is longer.
	// +optional
	NextTry metav1.Time `json:"nextTry,omitzero"`
	// ipv4 is how many IPv4 prefixes are announced to the router.
	IPv4 int32 `json:"ipv4"`
	// ipv6 is how many IPv6 prefixes are announced to the router.
	IPv6 int32 `json:"ipv6"`
	// digest of the prefixes that the router was sent, with their path attributes and next hops: 16 hexadecimal digits, the same for
	// the same routes. kubectl daymark routes compares it with what the objects ask for. Absent while the session is not established.
	// +optional
	// +kubebuilder:validation:MaxLength=16
	Digest string `json:"digest,omitempty"`
	// nextHops that the router was sent. Absent while the session is not established.
	// +optional
	NextHops BGPNextHops `json:"nextHops,omitzero"`
	// families that were negotiated with the router. Empty while the session is not established.
	// +optional
	// +listType=atomic
	Families []AddressFamily `json:"families,omitempty"`
	// heldBack are those of families whose prefixes are not announced, because the node has no next hop for them that the router
	// is known to reach, because of holdDown of the BFDProfile, or because bfdStrict of the BGPPeer waits for BFD.
	// +optional
	// +listType=atomic
	HeldBack []AddressFamily `json:"heldBack,omitempty"`
	// holdTime that was negotiated with the router. Absent while the session is not established.
	// +optional
	HoldTime metav1.Duration `json:"holdTime,omitzero"`
	// keepaliveTime is the time between two KEEPALIVE messages that the node sends. Absent while the session is not
	// established.
	// +optional
	KeepaliveTime metav1.Duration `json:"keepaliveTime,omitzero"`
	// warning is what an established session lacks, such as a family that the router does not offer.
	// +optional
	// +kubebuilder:validation:MaxLength=512
	Warning string `json:"warning,omitempty"`
	// bfd is the state of the BFD session with the router, and why it is not Up. Empty: no BFD.
	// +optional
	// +kubebuilder:validation:MaxLength=512
	BFD string `json:"bfd,omitempty"`
}

// SpeakerNetworkLimit bounds the lists in SpeakerNetwork.
const SpeakerNetworkLimit = 32

// SpeakerNetwork is what the node's own network uses. No Service is given any of it.
type SpeakerNetwork struct {
	// addresses of the node's interfaces, with the length of their subnet; the first 32 when there are more.
	// +optional
	// +kubebuilder:validation:MaxItems=32
	// +listType=atomic
	Addresses []string `json:"addresses,omitempty"`
	// moreAddresses are the addresses that addresses has no room for, without their subnets: single addresses, prefixes and ranges a-b. Of
	// more than 128 the nearest are joined, so that addresses between them are covered as well.
	// +optional
	// +kubebuilder:validation:MaxItems=128
	// +listType=atomic
	MoreAddresses []string `json:"moreAddresses,omitempty"`
	// gateways are the node's default gateways; the first 32 when there are more.
	// +optional
	// +kubebuilder:validation:MaxItems=32
	// +listType=atomic
	Gateways []string `json:"gateways,omitempty"`
	// interfaces on which the node can answer ARP or NDP, without those of containers that no L2Advertisement names; the first
	// 32 when there are more.
	// +optional
	// +kubebuilder:validation:MaxItems=32
	// +listType=map
	// +listMapKey=name
	Interfaces []NodeInterface `json:"interfaces,omitempty"`
	// serviceAddresses are addresses of Services that an interface of the node has, so that its kernel answers for them. No
	// node announces them. The first 32 when there are more.
	// +optional
	// +kubebuilder:validation:MaxItems=32
	// +listType=map
	// +listMapKey=address
	ServiceAddresses []NodeServiceAddress `json:"serviceAddresses,omitempty"`
	// moreServiceAddresses are the others, without their interfaces: single addresses, prefixes and ranges a-b. Of more than 128 the
	// nearest are joined, so that addresses between them are covered as well.
	// +optional
	// +kubebuilder:validation:MaxItems=128
	// +listType=atomic
	MoreServiceAddresses []string `json:"moreServiceAddresses,omitempty"`
}

// NodeServiceAddress is an address of a Service that the node itself has.
type NodeServiceAddress struct {
	// address is the IP address.
	Address string `json:"address"`
	// interface of the node that has it.
	Interface string `json:"interface"`
	// lost says that the interface has it no more. It counts for 30 s after that, since a virtual IP that moves between nodes is on none
	// for a moment.
	// +optional
	Lost bool `json:"lost,omitempty"`
}

// NodeInterface is an interface of a node on which it can answer ARP or NDP.
type NodeInterface struct {
	// name of the interface.
	Name string `json:"name"`
	// families whose addresses it can answer for.
	// +listType=atomic
	Families []AddressFamily `json:"families"`
}

// SpeakerServiceProxy is what a speaker has found out about the service proxy of its node.
type SpeakerServiceProxy struct {
	// url at which the proxy has answered that it works. Empty when no node has one that can be asked.
	// +optional
	// +kubebuilder:validation:MaxLength=512
	URL string `json:"url,omitempty"`
	// bootID of the node when that was found.
	// +optional
	// +kubebuilder:validation:MaxLength=64
	BootID string `json:"bootID,omitempty"`
}

// DrainingAddress is an address that the node attracted traffic for, and another node does now.
type DrainingAddress struct {
	// address is the IP address.
	Address string `json:"address"`
	// connections is how many TCP connections to it are open on the node. Absent: they have not been counted.
	// +optional
	Connections *int32 `json:"connections,omitempty"`
	// until is when the other nodes stop passing packets on to this one.
	Until metav1.Time `json:"until"`
}

// SpeakerDraining is what is left on the node of connections to addresses that have moved away.
type SpeakerDraining struct {
	// connections is how many of them are open on the node, as far as they have been counted.
	Connections int32 `json:"connections"`
	// addresses is how many addresses they are to.
	Addresses int32 `json:"addresses"`
	// list of the addresses, 128 at most.
	// +optional
	// +kubebuilder:validation:MaxItems=128
	// +listType=map
	// +listMapKey=address
	List []DrainingAddress `json:"list,omitempty"`
}

// SpeakerStatus is what a speaker reports.
type SpeakerStatus struct {
	// version of the speaker. Absent: it is one that does not say so, and keeps no Lease, so the controller cannot tell whether it is
	// gone.
	// +optional
	// +kubebuilder:validation:MaxLength=128
	Version string `json:"version,omitempty"`
	// gossipAddress is where other speakers reach this one, as address:port. They read it in the EndpointSlice that the speaker keeps in
	// the namespace of Daymark; those of an earlier version read it here.
	// +optional
	GossipAddress string `json:"gossipAddress,omitempty"`
	// members is how many speakers are alive to this one's knowledge, itself included. Absent: this one does not count them, as in a cluster
	// of more than eight speakers all but the monitors, the first three that are alive in the order of their names, and those that see less
	// than half of the others or none for sure. So a node that joins or crashes is a few writes, whatever the number of nodes. In a cluster
	// of more than ten the numbers and digests of prefixes in bgp are written with what else changes, or after 0.1 s for each speaker there
	// is on average.
	// +optional
	Members int32 `json:"members,omitempty"`
	// heardOnDownNodes are the nodes that are not ready though their speakers are alive to this one's knowledge: their kubelet is stopped, or
	// does not reach the API server. The first 128 when there are more; absent where members is.
	// +optional
	// +kubebuilder:validation:MaxItems=128
	// +listType=atomic
	HeardOnDownNodes []string `json:"heardOnDownNodes,omitempty"`
	// network of the node.
	// +optional
	Network SpeakerNetwork `json:"network,omitempty"`
	// serviceProxy of the node, kube-proxy or what stands in its place.
	// +optional
	ServiceProxy SpeakerServiceProxy `json:"serviceProxy,omitzero"`
	// layer2 is what the node announces by ARP and NDP.
	// +optional
	Layer2 SpeakerLayer2 `json:"layer2,omitempty"`
	// withdrawn is the resourceVersion of a Service with the finalizer service.kubernetes.io/load-balancer-cleanup: the node
	// announces nothing any more for this one and for those that went away before.
	// +optional
	// +kubebuilder:validation:MaxLength=64
	Withdrawn string `json:"withdrawn,omitempty"`
	// drained says whether the node has the annotation daymark.io/drain to this speaker's knowledge: all else in the status, such as the condition
	// SafeToStop, is as it is with the annotation, or without it. Absent: the speaker is one that does not say so.
	// +optional
	Drained *bool `json:"drained,omitempty"`
	// draining is what is left of open connections to addresses that moved to other nodes, of which one at least can pass them on. Absent: nothing, so no connection of this
	// kind breaks when the node stops. The numbers in it are written with what else changes, as those in bgp are.
	// +optional
	Draining *SpeakerDraining `json:"draining,omitempty"`
	// bgp lists the BGP sessions of the node, 128 at most.
	// +optional
	// +kubebuilder:validation:MaxItems=128
	// +listType=atomic
	BGP []BGPSession `json:"bgp,omitempty"`
	// conditions has the conditions Ready, MembershipKnown, AnswersLeaveElsewhere, ServiceProxyUnhealthy, ConnectionsBreak and SafeToStop. When Ready is Unknown with
	// the reason SpeakerGone, the speaker is gone though its node is ready, and all else in the status is old.
	// +optional
	// +listType=map
	// +listMapKey=type
	Conditions []metav1.Condition `json:"conditions,omitempty"`
}

// Speaker shows what one node announces. The node's speaker creates and updates it.
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
// +kubebuilder:printcolumn:name="Version",type=string,priority=1,JSONPath=`.status.version`
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
