package v1beta1

// ProviderDaymark is the value of AnnotationProvider that asks for Daymark.
const ProviderDaymark = "daymark"

// LoadBalancerClass is the class of Services that Daymark serves by default. A flag says whether it serves Services without
// a class, too.
const LoadBalancerClass = "daymark.io/daymark"

// FinalizerCleanup on a Service keeps it until no node announces its addresses. Controllers of cloud providers use the same one.
const FinalizerCleanup = "service.kubernetes.io/load-balancer-cleanup"

// The Secret that encrypts the gossip of the speakers. The controller creates it and the speakers read it.
const (
	// GossipSecret is the name of the Secret.
	GossipSecret = "daymark-gossip"
	// GossipSecretKey is the key in the Secret whose value the speakers encrypt with. They decrypt with the value of every key.
	GossipSecretKey = "key"
)

// The EndpointSlice and the Lease that the speaker of a node keeps in the namespace of Daymark.
const (
	// SpeakerService is the value of the label kubernetes.io/service-name of the EndpointSlices. There is no such Service.
	SpeakerService = "daymark-speaker"
	// SpeakerManagedBy is the value of the label endpointslice.kubernetes.io/managed-by of the EndpointSlices.
	SpeakerManagedBy = "speaker.daymark.io"
	// SpeakerPort is the name of the port in the EndpointSlices that the speaker gossips on.
	SpeakerPort = "gossip"
	// LabelSpeaker is a label of the Leases, without a value.
	LabelSpeaker = "daymark.io/speaker"
	// AnnotationMissing of a Lease names the nodes whose speakers its speaker misses, separated by commas.
	AnnotationMissing = "daymark.io/missing"
)

// SpeakerObjectName is the name of the EndpointSlice and of the Lease of the speaker of a node. The prefix keeps them apart from the
// Lease of the controllers, whatever a node is called.
func SpeakerObjectName(node string) string { return "speaker-" + node }

// PortErrorConflict is the error of a port in status.loadBalancer of a Service: another Service has the same port at the same
// address, without sharing it.
const PortErrorConflict = "daymark.io/PortConflict"

// Condition types.
const (
	// ConditionAddressAssigned on a Service says whether it has the addresses that it should have, and why not.
	ConditionAddressAssigned = "daymark.io/AddressAssigned"
	// ConditionAnnounced on a Service says whether nodes announce its addresses, and why none does.
	ConditionAnnounced = "daymark.io/Announced"
	// ConditionProvenance on a Service: which pool gave each address in the status. The message is for programs.
	ConditionProvenance = "daymark.io/Provenance"

	// ConditionReady on every kind of this group says whether the object is understood, what it names exists, and it is in use, and
	// why not. Of a Speaker it says whether it works.
	ConditionReady = "Ready"
	// ConditionStalled on every kind but Speakers is there, and True, while the object is not understood: only an edit helps.
	// Programs that wait for objects heed it (kstatus).
	ConditionStalled = "Stalled"
	// ConditionSessionsEstablished on a BGPPeer says whether all nodes have their sessions with it, and why not. It is Unknown while no
	// node has a speaker.
	ConditionSessionsEstablished = "SessionsEstablished"
	// ConditionBFDUp on a BGPPeer with a BFDProfile says whether BFD watches all its sessions, and why not.
	ConditionBFDUp = "BFDUp"
	// ConditionExhausted on an IPAddressPool says whether it has no free address of some family.
	ConditionExhausted = "Exhausted"
	// ConditionOverlap on an IPAddressPool says whether another pool names some of its addresses. The older pool has them.
	ConditionOverlap = "Overlap"
	// ConditionMembershipKnown on a Speaker says whether it knows which other speakers are alive.
	ConditionMembershipKnown = "MembershipKnown"
	// ConditionSafeToStop on a Speaker says whether the node attracts nothing and has no open connections to what it attracted.
	ConditionSafeToStop = "SafeToStop"
	// ConditionConnectionsBreak on a Speaker says that open connections cannot be passed on to the nodes that know them.
	ConditionConnectionsBreak = "ConnectionsBreak"
	// ConditionAnswersLeaveElsewhere on a Speaker says whether traffic back leaves by another interface than the one that answers.
	ConditionAnswersLeaveElsewhere = "AnswersLeaveElsewhere"
	// ConditionServiceProxyUnhealthy on a Speaker says whether the node's service proxy (kube-proxy) does not work.
	ConditionServiceProxyUnhealthy = "ServiceProxyUnhealthy"
)

// ReasonAttractsNothing is the reason of ConditionServiceProxyUnhealthy when the node announces nothing because of it.
const ReasonAttractsNothing = "AttractsNothing"

// ReasonFailsOnMostNodes is the reason of ConditionServiceProxyUnhealthy when the proxies of most nodes do not work, so that no
// node is withdrawn because of it.
const ReasonFailsOnMostNodes = "FailsOnMostNodes"

// ReasonPoolMissing is the reason of ConditionProvenance when a pool that gave an address does not exist. The time of the last
// transition is when that was first seen.
const ReasonPoolMissing = "PoolMissing"

// ReasonAddressConflict is the reason of ConditionAnnounced when another host uses an address. Speakers that know nothing of that yet, since
// all have been restarted, look for that host for longer.
const ReasonAddressConflict = "AddressConflict"

// ReasonSpeakerGone is the reason of ConditionReady of a Speaker, which is Unknown then, when the speaker is gone though its node is
// ready. The controller writes it, and the speaker overwrites it when it is back.
const ReasonSpeakerGone = "SpeakerGone"

// ReasonWithdrawing is the reason of ConditionProvenance when Daymark serves the Service no more and waits until no node
// announces the addresses. The speakers stop by it, since they do not read the annotations of namespaces.
const ReasonWithdrawing = "Withdrawing"
