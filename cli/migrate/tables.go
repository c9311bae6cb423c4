package migrate

// statusOnly are the kinds that only programs write.
var statusOnly = []string{"ConfigurationState", "ServiceL2Status", "ServiceBGPStatus"}

// elsewhere says of other groups of objects why they are not carried over.
var elsewhere = map[string]string{
	"frrk8s.metallb.io": "not carried over: Daymark has its own BGP and takes no configuration of FRR. Sessions of it belong into a BGPPeer",
	"cilium.io":         "not carried over: of Cilium CiliumLoadBalancerIPPool and CiliumL2AnnouncementPolicy are; sessions belong into a BGPPeer",
	"purelb.io":         "not carried over: of PureLB ServiceGroup is",
}

// tables say of each kind what becomes of each field of its spec.
var tables = map[string][]row{
	"IPAddressPool": {
		{"addresses", "`addresses`", (*conversion).addresses},
		same("autoAssign"),
		same("avoidBuggyIPs"),
		{"serviceAllocation.priority", "`serviceAllocation.priority`, between 0 and 1000000", (*conversion).priority},
		list("serviceAllocation.namespaces"),
		same("serviceAllocation.namespaceSelectors"),
		same("serviceAllocation.serviceSelectors"),
	},
	"L2Advertisement": {
		list("ipAddressPools"),
		same("ipAddressPoolSelectors"),
		same("nodeSelectors"),
		list("interfaces"),
		{"serviceSelectors", "`serviceSelectors`, without what leaves out Services that have changed over", (*conversion).serviceSelectors},
		{"preferredNodeSelectors", "`preferredNodeSelectors`", (*conversion).preferred},
		{"preferredNodeSelectors[].weight", "`preferredNodeSelectors[].weight`", nil},
		{"preferredNodeSelectors[].preference", "`preferredNodeSelectors[].selector`", nil},
	},
	"BGPAdvertisement": {
		same("aggregationLength"),
		same("aggregationLengthV6"),
		same("localPref"),
		{"communities", "`communities`; a name that Daymark does not accept is replaced by its value", (*conversion).communities},
		list("ipAddressPools"),
		same("ipAddressPoolSelectors"),
		same("nodeSelectors"),
		list("peers"),
		{"serviceSelectors", "`serviceSelectors`, without what leaves out Services that have changed over", (*conversion).serviceSelectors},
	},
	"BGPPeer": {
		same("myASN"),
		same("peerASN"),
		same("dynamicASN"),
		{"localASN", "`localASN`", saying("localASN", "MetalLB drops it in the mode frr-k8s; from now on the router is shown this number")},
		same("peerAddress"),
		same("interface"),
		{"sourceAddress", "`sourceAddress`", saying("sourceAddress", "MetalLB drops it in the mode frr-k8s; from now on it counts. "+
			"It can be that of one node only: for several nodes use sourceFrom")},
		same("peerPort"),
		{"holdTime", "`holdTime`, of at least 3s", (*conversion).holdTime},
		{"keepaliveTime", "`keepaliveTime`, of at least 1s; without `holdTime`, that is three times as long", (*conversion).keepaliveTime},
		same("connectTime"),
		{"routerID", "`routerID`", saying("routerID", "it must differ between nodes: for several nodes leave it away, or use routerIDFrom")},
		same("nodeSelectors"),
		{"password", "a Secret, and `passwordSecret`", (*conversion).password},
		{"passwordSecret", "`passwordSecret`; the Secret must be in Daymark's namespace", (*conversion).passwordSecret},
		{"passwordSecret.name", "`passwordSecret.name`", nil},
		{"passwordSecret.namespace", "Secrets are read in Daymark's namespace only", nil},
		same("bfdProfile"),
		{"enableGracefulRestart", "`gracefulRestart.enabled`, with the `restartTime` of FRR, 120s", (*conversion).gracefulRestart},
		same("ebgpMultiHop"),
		same("vrf"),
		dropped("disableMP", "the families of a session are in addressFamilies; MetalLB does not heed the field either"),
		{"dualStackAddressFamily", "`addressFamilies`: both", (*conversion).bothFamilies},
	},
	"BFDProfile": {
		same("receiveInterval"),
		same("transmitInterval"),
		same("detectMultiplier"),
		dropped("echoInterval", "Daymark does not send echo packets"),
		dropped("echoMode", "Daymark does not send echo packets; the intervals of the control packets find a failure as fast"),
		same("passiveMode"),
		to("minimumTtl", "minimumTTL"),
	},
	"Community": {
		{"communities", "`communities`", (*conversion).aliases},
		{"communities[].name", "`communities[].name`, if Daymark accepts it", nil},
		{"communities[].value", "`communities[].value`", nil},
	},
}
