package announce

import (
	"net/netip"
	"time"

	"github.com/daymark-lb/daymark/api/v1beta1"
	"github.com/daymark-lb/daymark/internal/core/election"
	"github.com/daymark-lb/daymark/internal/core/lb"
)

// Plan is the whole of what one node should announce and serve. Each executor is given it and takes its part.
// Every list is in a total order, so that the same World gives the same Plan to the byte.
type Plan struct {
	// Contests are the addresses to answer ARP and NDP for, in order, those included that nobody can serve now. Which node
	// answers is for internal/core/election to say.
	Contests []Contest
	// Unheld says in words which addresses no node can answer for.
	Unheld []string
	// Sessions with routers, in order of name.
	Sessions []Session
	// Unnumbered are the interfaces to find a router at the other end of, sorted.
	Unnumbered []string
	// HealthPorts to serve, in order of port.
	HealthPorts []HealthPort
	// HealthPaths answers for every Service, whatever its traffic policy, on the fixed port.
	HealthPaths map[lb.Key]Health
}

// Contest is an address that one node should answer for.
type Contest struct {
	election.Contest
	// Interfaces of this node to answer on, by name, sorted.
	Interfaces []string
}

// Layer2Address is an address to answer ARP or NDP for.
type Layer2Address struct {
	Addr netip.Addr
	// Interfaces by name, sorted.
	Interfaces []string
	// Probe: nobody has held it before, so a foreign owner is looked for first. It counts only when the address is new to
	// the executor; without it, as in a hand-over between nodes, the address is announced at once.
	Probe bool
}

// Session is a BGP session with one router.
type Session struct {
	// Name is the BGPPeer's, with the address appended where one object stands for several routers.
	Name string
	// Peer is the name of the BGPPeer.
	Peer string
	// Problem says why the session can neither be started nor changed now, for example because its Secret is not to be
	// had. A session that runs is left exactly as it is, paths apart. Empty: all is known.
	Problem string
	// RoutersUnknown: which routers the peer has on this node cannot be told now. Its sessions that run stay, as with a Problem.
	RoutersUnknown bool

	// MyASN is our own AS number; LocalASN, when not 0, is shown to the peer in its place.
	MyASN    uint32
	LocalASN uint32
	// PeerASN expected; 0: the peer's own word is taken, as Dynamic says.
	PeerASN uint32
	Dynamic v1beta1.ASNType

	// Address of the router; a link-local one carries its zone.
	Address netip.Addr
	Port    uint16
	// Source address to dial from; invalid: what the routing table gives.
	Source   netip.Addr
	RouterID netip.Addr
	// NextHop4 and NextHop6 are this node's own addresses, the next hops of paths of a family that the session does not
	// itself run over: those of the other family have this end of the session.
	NextHop4 netip.Addr
	NextHop6 netip.Addr

	HoldTime      time.Duration
	KeepaliveTime time.Duration
	ConnectTime   time.Duration
	Password      string
	MultiHop      bool
	TTLSecurity   bool
	// RestartTime of graceful restart; 0: off.
	RestartTime time.Duration
	// Families exchanged, sorted, never empty.
	Families []lb.Family
	VRF      string
	// Links are the indexes of the interfaces that the session stands on, that of a link-local router and the VRF's; 0: none,
	// or it is not there. Another of the same name is another interface.
	Links [2]int
	// BFD parameters; nil: not watched. MultiHopBFD: the router is more than one hop away, so multihop BFD watches it.
	BFD         *lb.BFDProfile
	MultiHopBFD bool

	// Paths to announce, in order of prefix, each prefix once.
	Paths []Path
}

// Path is a prefix with the attributes it is announced with. Paths of the same advertisements share one Attributes.
type Path struct {
	Prefix     netip.Prefix
	Attributes *Attributes
}

// Attributes of a path. Two paths with equal attributes may travel in one UPDATE.
type Attributes struct {
	// LocalPref is for internal peers; nil: not set, 100 is sent.
	LocalPref *uint32
	MED       *uint32
	Prepend   int
	// Communities, standard and large, sorted.
	Communities []lb.Community
}

// HealthPort is a health-check port to serve (Service.spec.healthCheckNodePort).
type HealthPort struct {
	Port    uint16
	Service lb.Key
	Health
}

// Health is the answer to a health check: how many endpoints of the Service on this node can serve, and whether the
// node as a whole can.
type Health struct {
	LocalEndpoints int
	// NodeHealthy: the service proxy of the node works, as far as known.
	NodeHealthy bool
}
