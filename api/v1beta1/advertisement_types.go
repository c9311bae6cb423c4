package v1beta1

import metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

// AdvertisementSelectors say which addresses of which Services are announced, and from which nodes. An address is announced
// when its pool is named in ipAddressPools or matched by ipAddressPoolSelectors, or both are empty, and one of
// serviceSelectors matches the Service, or there is none.
type AdvertisementSelectors struct {
	// ipAddressPools are the names of pools whose addresses are announced. If this and ipAddressPoolSelectors are empty, the
	// addresses of all pools are announced.
	// +optional
	// +kubebuilder:validation:MaxItems=256
	// +kubebuilder:validation:items:MinLength=1
	// +kubebuilder:validation:items:MaxLength=253
	// +kubebuilder:validation:items:Pattern=`^[a-z0-9]([-a-z0-9]*[a-z0-9])?([.][a-z0-9]([-a-z0-9]*[a-z0-9])?)*$`
	// +listType=set
	IPAddressPools []string `json:"ipAddressPools,omitempty"`
	// ipAddressPoolSelectors select pools by their labels. The addresses of pools that one of them matches are announced, too.
	// +optional
	// +kubebuilder:validation:MaxItems=64
	// +listType=atomic
	IPAddressPoolSelectors []LabelSelector `json:"ipAddressPoolSelectors,omitempty"`
	// serviceSelectors select Services by their labels. One of them must match. Empty: all Services.
	// +optional
	// +kubebuilder:validation:MaxItems=64
	// +listType=atomic
	ServiceSelectors []LabelSelector `json:"serviceSelectors,omitempty"`
	// nodeSelectors select the nodes that announce, by their labels. One of them must match. Empty: all nodes.
	// +optional
	// +kubebuilder:validation:MaxItems=64
	// +listType=atomic
	NodeSelectors []LabelSelector `json:"nodeSelectors,omitempty"`
}

// PreferredNodeSelector adds a weight to the nodes that it matches.
type PreferredNodeSelector struct {
	// weight is added to the weight of a matching node, from 1 to 100. A node has the sum of all that match it.
	// +required
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=100
	Weight int32 `json:"weight"`
	// selector selects nodes by their labels.
	// +required
	Selector LabelSelector `json:"selector"`
}

// ConflictDetection is what is done about other hosts that use an address (RFC 5227, RFC 4862 section 5.4).
//
// +kubebuilder:validation:Enum=Probe;Warn;Off
type ConflictDetection string

// The ways of ConflictDetection.
const (
	// ConflictProbe probes an address that no node has announced, and leaves it to a host that answers.
	ConflictProbe ConflictDetection = "Probe"
	// ConflictWarn probes, announces in spite of an answer, and says so.
	ConflictWarn ConflictDetection = "Warn"
	// ConflictOff does not probe, and heeds nobody else.
	ConflictOff ConflictDetection = "Off"
)

// NodePreference is which node is preferred for an address, of those with the highest weight and the fewest addresses.
//
// +kubebuilder:validation:Enum=Endpoints;None
type NodePreference string

// The ways of NodePreference.
const (
	// PreferEndpoints prefers nodes by where the endpoints of the Service are.
	PreferEndpoints NodePreference = "Endpoints"
	// PreferNone prefers none.
	PreferNone NodePreference = "None"
)

// Sharing is whether several nodes answer for an address at once.
//
// +kubebuilder:validation:Enum=None;PerClient
type Sharing string

// The ways of Sharing.
const (
	// SharingNone has one node answer.
	SharingNone Sharing = "None"
	// SharingPerClient has several nodes answer, each some of the clients.
	SharingPerClient Sharing = "PerClient"
)

// L2AdvertisementSpec says which addresses are announced by ARP and NDP. One node at a time announces each, unless it
// is shared.
type L2AdvertisementSpec struct {
	AdvertisementSelectors `json:",inline"`
	// preferredNodeSelectors give weights to nodes. An address that no node holds goes to the eligible node with the highest
	// weight. A holder keeps its address when a node with a higher weight appears, until addresses are rebalanced.
	// +optional
	// +kubebuilder:validation:MaxItems=64
	// +listType=atomic
	PreferredNodeSelectors []PreferredNodeSelector `json:"preferredNodeSelectors,omitempty"`
	// interfaces are the names or globs (eth0, eno*) of the interfaces to announce on. Of those with a subnet that contains the
	// address one announces, that of the kernel's route; one without it announces beside that if its very name is here. When there is
	// none with it, all do. Empty: every suitable interface, in the same way.
	// +optional
	// +kubebuilder:validation:MaxItems=64
	// +kubebuilder:validation:items:MinLength=1
	// +kubebuilder:validation:items:MaxLength=64
	// +kubebuilder:validation:items:Pattern=`^([^/\s\\\[]|\\[^/\s]|\[\^?([^/\s\\\]-](-[^/\s\\\]-])?)+\])+$`
	// +listType=set
	Interfaces []string `json:"interfaces,omitempty"`
	// conflictDetection says what is done when another host uses an address. Probe: an address that no node has announced yet
	// is probed, and left to a host that answers. Warn: it is announced all the same, with a warning. Off: nothing is probed or
	// asked, and nobody is heeded. Warn and Off are for networks that answer ARP or NDP in the place of hosts. Of several
	// advertisements of an address the one that detects least counts.
	// +optional
	// +kubebuilder:default=Probe
	ConflictDetection ConflictDetection `json:"conflictDetection,omitempty"`
	// nodePreference says which node takes an address, of those with the highest weight and the fewest addresses. Endpoints: that with
	// the most ready endpoints if externalTrafficPolicy is Local, else one near endpoints if the Service has a trafficDistribution.
	// None: any. A holder keeps its address when endpoints come or go elsewhere. Of several advertisements of an address, None counts.
	// +optional
	// +kubebuilder:default=Endpoints
	NodePreference NodePreference `json:"nodePreference,omitempty"`
	// connectionDraining is how long open TCP connections survive that an address moves to another node as planned, from 0s
	// to 24h: packets of theirs are passed on to the node that knows them. It ends early when they are closed. 0s: they break.
	// Of several advertisements of an address the longest counts.
	// +optional
	// +kubebuilder:default="10m"
	// +kubebuilder:validation:XValidation:rule="self.matches('^[-+]?(0|([0-9.]+[^0-9 ]?[smh])+)$') && duration(self) >= duration('0s') && duration(self) <= duration('24h')",message="must be a duration between 0s and 24h, such as 10m"
	ConnectionDraining metav1.Duration `json:"connectionDraining,omitempty"`
	// sharing says whether several nodes answer for an address at once. None: one node does. PerClient: up to 8 of the eligible nodes
	// do, each for some of the clients, by the client's own address. A client is who asks on the segment: a router is one client, and
	// all behind it get one node. Of several advertisements of an address all must say PerClient.
	// +optional
	// +kubebuilder:default=None
	Sharing Sharing `json:"sharing,omitempty"`
}

// AdvertisementStatus says whether an advertisement is valid and what it names exists.
type AdvertisementStatus struct {
	// observedGeneration is the generation of the spec that this status is about.
	// +optional
	ObservedGeneration int64 `json:"observedGeneration,omitempty"`
	// conditions has the condition Ready, and Stalled while the object is not understood.
	// +optional
	// +listType=map
	// +listMapKey=type
	Conditions []metav1.Condition `json:"conditions,omitempty"`
}

// L2AdvertisementStatus is the status of an L2Advertisement.
type L2AdvertisementStatus struct {
	AdvertisementStatus `json:",inline"`
	// accepted is what counts while a part of the spec cannot be understood. Its lists of names count beside those of the spec while one
	// that these have does not exist.
	// +optional
	Accepted *AcceptedL2Advertisement `json:"accepted,omitempty"`
}

// BGPAdvertisementStatus is the status of a BGPAdvertisement.
type BGPAdvertisementStatus struct {
	AdvertisementStatus `json:",inline"`
	// accepted is what counts while a part of the spec cannot be understood, a community included. Its lists of names count beside those
	// of the spec while one that these have does not exist.
	// +optional
	Accepted *AcceptedBGPAdvertisement `json:"accepted,omitempty"`
}

// L2Advertisement announces the addresses of pools on the local network segment, by ARP and NDP.
//
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:scope=Cluster,shortName=dml2,categories=daymark
// +kubebuilder:printcolumn:name="Pools",type=string,JSONPath=`.spec.ipAddressPools`
// +kubebuilder:printcolumn:name="Interfaces",type=string,JSONPath=`.spec.interfaces`
// +kubebuilder:printcolumn:name="Ready",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].status`
// +kubebuilder:printcolumn:name="Message",type=string,priority=1,JSONPath=`.status.conditions[?(@.type=="Ready")].message`
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
type L2Advertisement struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`

	// +optional
	Spec L2AdvertisementSpec `json:"spec,omitempty"`
	// +optional
	// +kubebuilder:default={"observedGeneration":-1}
	Status L2AdvertisementStatus `json:"status,omitempty"`
}

// L2AdvertisementList is a list of layer-2 advertisements.
//
// +kubebuilder:object:root=true
type L2AdvertisementList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	Items           []L2Advertisement `json:"items"`
}

// WeightBy is what decides the share of the traffic of an address that routers are asked to give to a node.
//
// +kubebuilder:validation:Enum=Endpoints;NodeAnnotation
type WeightBy string

// The ways of WeightBy.
const (
	// WeightByEndpoints weighs a node by the ready endpoints on it, or by those that its service proxy prefers.
	WeightByEndpoints WeightBy = "Endpoints"
	// WeightByNodeAnnotation weighs a node by its annotation AnnotationWeight.
	WeightByNodeAnnotation WeightBy = "NodeAnnotation"
)

// BGPAdvertisementSpec says which addresses are announced to which BGP peers, and with which attributes.
//
// +kubebuilder:validation:XValidation:rule="!has(self.weightBy) || !has(self.communities) || !self.communities.exists(c, c.startsWith('bandwidth:'))",message="weightBy sends a link bandwidth: communities must not have another"
type BGPAdvertisementSpec struct {
	AdvertisementSelectors `json:",inline"`
	// peers are the names of the BGPPeers to announce to. Empty: all BGPPeers.
	// +optional
	// +kubebuilder:validation:MaxItems=256
	// +kubebuilder:validation:items:MinLength=1
	// +kubebuilder:validation:items:MaxLength=253
	// +kubebuilder:validation:items:Pattern=`^[a-z0-9]([-a-z0-9]*[a-z0-9])?([.][a-z0-9]([-a-z0-9]*[a-z0-9])?)*$`
	// +listType=set
	Peers []string `json:"peers,omitempty"`
	// aggregationLength is the length of the announced IPv4 prefixes in bits, from 1 to 32. With 32, the default, each address
	// is announced by itself.
	// +optional
	// +kubebuilder:default=32
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=32
	AggregationLength *int32 `json:"aggregationLength,omitempty"`
	// aggregationLengthV6 is the length of the announced IPv6 prefixes in bits, from 1 to 128. With 128, the default, each
	// address is announced by itself.
	// +optional
	// +kubebuilder:default=128
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=128
	AggregationLengthV6 *int32 `json:"aggregationLengthV6,omitempty"`
	// localPref is the LOCAL_PREF attribute (RFC 4271 section 5.1.5). It is sent to internal peers only. Routers prefer the
	// highest. Absent: 100 is sent.
	// +optional
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=4294967295
	LocalPref *int64 `json:"localPref,omitempty"`
	// med is the MULTI_EXIT_DISC attribute (RFC 4271 section 5.1.4). Routers prefer the lowest. Absent: the attribute is not
	// sent.
	// +optional
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=4294967295
	MED *int64 `json:"med,omitempty"`
	// asPathPrepend is how many more times the own AS number is put into the AS_PATH for external peers, from 0 to 16. A longer
	// path makes the routes less preferred.
	// +optional
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=16
	ASPathPrepend int32 `json:"asPathPrepend,omitempty"`
	// communities of the routes: a standard one (64512:100, or one number), a large one (64512:1:2), an extended one
	// (rt:64512:100, soo:64512:100, bandwidth:64512:125000000), a name from a Community object, or a well-known name (no-export,
	// no-advertise, no-export-subconfed or local-as, no-peer, graceful-shutdown, blackhole, accept-own, llgr-stale, no-llgr).
	// While one of them is unknown, the routes keep those that they had before; without such they are not announced.
	// +optional
	// +kubebuilder:validation:MaxItems=64
	// +kubebuilder:validation:items:MinLength=1
	// +kubebuilder:validation:items:MaxLength=128
	// +kubebuilder:validation:items:Pattern=`^([A-Za-z][A-Za-z0-9._-]*|[0-9]{1,10}(:[0-9]{1,10}){0,2}|large(:[0-9]{1,10}){3}|(rt|target|soo|origin):([0-9]{1,10}|[0-9]{1,3}([.][0-9]{1,3}){3}):[0-9]{1,10}|bandwidth:[0-9]{1,5}:[0-9]{1,18})$`
	// +kubebuilder:validation:items:XValidation:rule="!self.matches('^(large:)?[0-9]+(:[0-9]+){0,2}$') || self.split(':').all(n, n == 'large' || int(n) <= (self.split(':').size() == 2 ? 65535 : 4294967295))",message="the two numbers of a standard community are at most 65535, the three of a large one at most 4294967295"
	// +kubebuilder:validation:items:XValidation:rule="!self.matches('^(rt|target|soo|origin):[0-9.]+:[0-9]+$') || (self.split(':')[1].contains('.') ? isIP(self.split(':')[1]) && int(self.split(':')[2]) <= 65535 : int(self.split(':')[1]) <= 65535 ? int(self.split(':')[2]) <= 4294967295 : int(self.split(':')[1]) <= 4294967295 && int(self.split(':')[2]) <= 65535)",message="the last number of an extended community is at most 4294967295 after an AS number of 16 bits, and 65535 after another or an address"
	// +kubebuilder:validation:items:XValidation:rule="!self.matches('^bandwidth:[0-9]+:[0-9]+$') || int(self.split(':')[1]) <= 65535",message="the AS number of a link bandwidth has 16 bits"
	// +listType=set
	Communities []string `json:"communities,omitempty"`
	// weightBy has routers share the traffic of an address among nodes by their weights, which are sent as link bandwidths (RFC
	// 10005). Endpoints: the ready endpoints on the node, under externalTrafficPolicy Local; under Cluster with trafficDistribution, those
	// that its service proxy prefers; under Cluster without it, and for aggregated prefixes, nothing is sent. NodeAnnotation: the number in the node's annotation daymark.io/weight. Absent: nothing is sent,
	// and routers share equally.
	// +optional
	WeightBy WeightBy `json:"weightBy,omitempty"`
	// connectionDraining is how long open TCP connections survive that the nodes which announce an address change, and routers spread
	// them anew, from 0s to 24h: a node passes on to the others what it does not know. 0s: they break. Of several advertisements of
	// an address the longest counts.
	// +optional
	// +kubebuilder:default="10m"
	// +kubebuilder:validation:XValidation:rule="self.matches('^[-+]?(0|([0-9.]+[^0-9 ]?[smh])+)$') && duration(self) >= duration('0s') && duration(self) <= duration('24h')",message="must be a duration between 0s and 24h, such as 10m"
	ConnectionDraining metav1.Duration `json:"connectionDraining,omitempty"`
}

// BGPAdvertisement announces the addresses of pools to routers, by BGP.
//
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:scope=Cluster,shortName=dmbgp,categories=daymark
// +kubebuilder:printcolumn:name="Pools",type=string,JSONPath=`.spec.ipAddressPools`
// +kubebuilder:printcolumn:name="Peers",type=string,JSONPath=`.spec.peers`
// +kubebuilder:printcolumn:name="Ready",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].status`
// +kubebuilder:printcolumn:name="Message",type=string,priority=1,JSONPath=`.status.conditions[?(@.type=="Ready")].message`
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
type BGPAdvertisement struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`

	// +optional
	Spec BGPAdvertisementSpec `json:"spec,omitempty"`
	// +optional
	// +kubebuilder:default={"observedGeneration":-1}
	Status BGPAdvertisementStatus `json:"status,omitempty"`
}

// BGPAdvertisementList is a list of BGP advertisements.
//
// +kubebuilder:object:root=true
type BGPAdvertisementList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	Items           []BGPAdvertisement `json:"items"`
}
