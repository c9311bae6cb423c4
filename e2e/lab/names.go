package lab

import (
	"github.com/daymark-lb/daymark/e2e/lab/build"
	"github.com/daymark-lb/daymark/e2e/lab/check"
	"github.com/daymark-lb/daymark/e2e/lab/controlplane"
	"github.com/daymark-lb/daymark/e2e/lab/fault"
	"github.com/daymark-lb/daymark/e2e/lab/node"
	"github.com/daymark-lb/daymark/e2e/lab/probe"
	"github.com/daymark-lb/daymark/e2e/lab/router"
	"github.com/daymark-lb/daymark/e2e/lab/sandbox"
	"github.com/daymark-lb/daymark/e2e/lab/segment"
)

// What tests use of the packages below, by the names they use it by.
type (
	// T is what the lab needs of testing.T.
	T = check.T
	// RouterKind names the program that routes.
	RouterKind = router.Kind
	// RouterSettings say how the router speaks to the nodes.
	RouterSettings = router.Settings
	// ProxyKind names the program that carries connections to Services from the nodes to the pods.
	ProxyKind = node.ProxyKind
	// Client is a host that uses Services.
	Client = probe.Client
	// Crowd is many clients on the segment.
	Crowd = probe.Crowd
	// Answer is what a pod says of itself and of the client it saw.
	Answer = probe.Answer
	// Prober opens a new connection every 10 ms.
	Prober = probe.Prober
	// Connections are TCP connections that stay open.
	Connections = probe.Connections
	// Attempt is one connection of a prober.
	Attempt = probe.Attempt
	// Report is what a prober saw.
	Report = probe.Report
	// Watcher asks again and again who has some addresses.
	Watcher = probe.Watcher
	// Observations are what a Watcher saw.
	Observations = probe.Observations
	// Sample is who answered for an address between a question and the next.
	Sample = probe.Sample
	// RouteChange is what the next hops in the router's kernel became.
	RouteChange = probe.RouteChange
	// Link is a network interface of a node.
	Link = fault.Link
	// ForeignHost is a host on the segment that is neither node nor client.
	ForeignHost = fault.ForeignHost
	// Service is a Service of the namespace default.
	Service = controlplane.Service
)

// The routers, service proxies and numbers of the lab, as the packages below document them.
const (
	AnyRouter = router.Any
	FRR       = router.FRR
	BIRD      = router.BIRD
	GoBGP     = router.GoBGP
	NodesASN  = router.NodesASN
	RouterASN = router.ASN

	AnyProxy      = node.AnyProxy
	KubeProxy     = node.KubeProxy
	PacedProxy    = node.PacedProxy
	IPTablesProxy = node.IPTablesProxy
	IPVSProxy     = node.IPVSProxy
	OwnProxy      = node.OwnProxy
	PodPort       = node.PodPort

	SecondPool        = segment.SecondPool
	KubernetesVersion = build.KubernetesVersion
	Poll              = check.Poll
)

// Addresses of hosts on and behind the segment.
var (
	RouterV4    = segment.RouterV4
	RouterV6    = segment.RouterV6
	APIServerV4 = segment.APIServerV4
	ClientV4    = segment.ClientV4
	ForeignV4   = segment.ForeignV4
	FarClientV4 = segment.FarClientV4
)

// Functions of the packages below, which document them.
var (
	Main       = sandbox.Main
	Enter      = sandbox.Enter
	Inside     = sandbox.Inside
	SetUp      = sandbox.SetUp
	Detach     = sandbox.Detach
	OuterPID   = sandbox.OuterPID
	WorkFolder = sandbox.WorkFolder

	BuildKubernetes  = build.Kubernetes
	BuildDaymark     = build.Daymark
	BuildRouter      = build.Router
	BuildPlugin      = build.Plugin
	UseBinaries      = build.UseBinaries
	KubernetesFolder = build.KubernetesFolder

	Eventually = check.Eventually
	Always     = check.Always
	Need       = check.Need
	NeedKernel = check.NeedKernel

	ControlPlane = controlplane.ForTest
	Condition    = controlplane.Condition
)
