package announce

import (
	"net/netip"
	"slices"
	"time"

	"github.com/daymark-lb/daymark/api/v1beta1"
	"github.com/daymark-lb/daymark/internal/core/election"
	"github.com/daymark-lb/daymark/internal/core/lb"
)

// Plan is all that one node should announce and serve; each executor gets its part of it. Every list is in a total order,
// so that the same World always gives the same Plan.
type Plan struct {
	// Contests are the addresses to answer ARP and NDP for, in order, also those that no node can serve now. Which node
	// answers is decided by internal/core/election.
	Contests []Contest
	// Unheld says in words which addresses no node can answer for, though there are endpoints.
	Unheld []string
	// Detours are where answers leave this node elsewhere than they are given, in order.
	Detours []Detour
	// Unanswering are the interfaces of this node that should answer for addresses and do not, in order.
	Unanswering []Unanswering
	// Sessions with routers, in order of name.
	Sessions []Session
	// Routed are the addresses that nodes announce to routers, in order, as far as connections are passed on when the nodes change.
	Routed []RoutedAddress
	// Unnumbered are the interfaces to find a router at the other end of, sorted.
	Unnumbered []string
	// HealthPorts to serve, in order of port.
	HealthPorts []HealthPort
	// HealthPaths are the answers on the fixed port, for every Service, whatever its traffic policy.
	HealthPaths HealthPaths

	// elections are the contests without their interfaces; nil: they have to be made.
	elections []election.Contest
}

// Contest is an address that one node should answer for.
type Contest struct {
	election.Contest
	*Answering
	// KernelsAnswer as in Layer2Address.
	KernelsAnswer bool
	// Disputed: the controller has last heard that another host uses the address, or another one of its Service.
	Disputed bool
}

// Answering is how this node is to answer for addresses that it comes to hold. Most have one in common. It never changes.
type Answering struct {
	// Interfaces of this node to answer on, by name, sorted.
	Interfaces []string
	// Detection of conflicts about the addresses; empty: Probe.
	Detection v1beta1.ConflictDetection
	// Draining is how long connections are passed on after a move, as the longest of the advertisements says; 0: they are not.
	Draining time.Duration
}

// ElectionContests are the contests without their interfaces. They may be shared with other plans, and must not be changed.
func (p *Plan) ElectionContests() []election.Contest {
	if p.elections == nil {
		p.elections = electionContests(p.Contests)
	}
	return p.elections
}

func electionContests(of []Contest) []election.Contest {
	contests := make([]election.Contest, len(of))
	for i := range of {
		contests[i] = of[i].Contest
	}
	return contests
}

// Unshare leaves each address to one node, because not all speakers understand that several may answer. It reports whether an address was to
// be shared.
func (p *Plan) Unshare() (any bool) {
	if !slices.ContainsFunc(p.Contests, func(c Contest) bool { return c.Shared }) {
		return false
	}
	p.Contests, p.elections = slices.Clone(p.Contests), nil // those of other plans stay as they are
	for i := range p.Contests {
		p.Contests[i].Shared = false
	}
	return true
}

// Layer2Addresses are the addresses to answer for that an election among these contests has given to this node, to hold or to serve
// some clients of. Like the contests they are in order of address.
func (p *Plan) Layer2Addresses(decision *election.Decision, ways *Ways) []Layer2Address {
	i, holds, serves := 0, decision.Hold, decision.Serve
	if len(holds)+len(serves) == 0 {
		return nil
	}
	addresses := make([]Layer2Address, 0, len(holds)+len(serves))
	for len(holds)+len(serves) > 0 {
		var hold election.Hold
		var holder string
		if len(serves) == 0 || len(holds) > 0 && holds[0].Addr.Less(serves[0].Addr) {
			hold, holder, holds = holds[0], ways.Node, holds[1:]
		} else {
			hold, holder, serves = election.Hold{Addr: serves[0].Addr, Shares: serves[0].Shares}, serves[0].Holder, serves[1:]
		}
		for p.Contests[i].Addr != hold.Addr {
			i++
		}
		c := &p.Contests[i]
		addresses = append(addresses, Layer2Address{
			Addr: hold.Addr, Interfaces: c.Interfaces, Probe: hold.First, Withheld: hold.Withheld || hold.First && c.Disputed,
			Disputed: hold.Withheld && c.Disputed, OnTrial: hold.OnTrial, Detection: c.Detection, KernelsAnswer: c.KernelsAnswer,
			Sharing: ways.sharing(c, hold.Shares, holder),
		})
	}
	return addresses
}

// Layer2Address is an address to answer ARP or NDP for.
type Layer2Address struct {
	Addr netip.Addr
	// Interfaces by name, sorted.
	Interfaces []string
	// Probe: no node has announced it before, so the executor looks for a foreign owner first. It counts only when the
	// address is new to the executor. Without it, as in a hand-over between nodes, the address is announced at once.
	Probe bool
	// Withheld: another node has probed it before and had not announced it, or the Service says that another host uses it. A foreign owner
	// that answers slowly, or not every time, is waited for. It counts like Probe.
	Withheld bool
	// Disputed: both are so, most likely because of one host: it may be away for a moment, and is waited for like one that was found
	// here. It counts like Probe.
	Disputed bool
	// OnTrial: another node has announced it a moment ago, for the first time. It is announced at once, and left to a foreign owner that
	// turns out to have it. It counts only when the address is new to the executor.
	OnTrial bool
	// KernelsAnswer: the kernels of other nodes answer for the address, because their service proxies have it. That is no
	// conflict, and does not make those nodes rivals. It counts for an address that is known as well.
	KernelsAnswer bool
	// Detection of conflicts; empty: Probe. Unlike Probe it counts for an address that is known as well.
	Detection v1beta1.ConflictDetection
	// Sharing with other nodes; nil: it is never shared, as most are not. It counts for an address that is known as well.
	Sharing *Sharing
}

// Session is a BGP session with one router.
type Session struct {
	// Name is the BGPPeer's, with the address appended where one object stands for several routers.
	Name string
	// Peer is the name of the BGPPeer.
	Peer string
	// Problem says why the session can neither be started nor changed now, for example that its Secret does not exist. A
	// session that runs is left exactly as it is, but for the paths. Empty: nothing is wrong.
	Problem string
	// RoutersUnknown: it is not known now which routers the peer has on this node. Its sessions that run stay, as with a
	// Problem.
	RoutersUnknown bool
	// FromGateway: the router is a default gateway of the node.
	FromGateway bool
	// Former: it was one for the process before this one, and others are now. SessionMemory decides whether there is such a session.
	Former bool

	// MyASN is our own AS number; LocalASN, when not 0, is shown to the peer in its place.
	MyASN    uint32
	LocalASN uint32
	// PeerASN expected; 0: any that Dynamic allows.
	PeerASN uint32
	Dynamic v1beta1.ASNType

	// Address of the router; a link-local one carries its zone.
	Address netip.Addr
	Port    uint16
	// Source address to dial from; invalid: what the routing table gives.
	Source   netip.Addr
	RouterID netip.Addr
	// SourceGiven: the peer says from which address to dial. Source is invalid all the same if the node has no such one, and has had none.
	// RouterIDFromNode: an annotation of the node says, or last said, RouterID, which is invalid if none did.
	SourceGiven, RouterIDFromNode bool
	// NextHop4 and NextHop6 are the next hops of paths of the family that the session does not run over, where NextHopsFrom has
	// none; paths of its own family have this end of the session. Invalid: the router is not known to reach any such address.
	NextHop4 netip.Addr
	NextHop6 netip.Addr
	// NextHopsFrom are the next hops by this end of the session: the addresses of the interface that has it. Shared by all
	// sessions, not to be changed.
	NextHopsFrom map[netip.Addr]NextHops

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
	// VRFNamed: the peer names a VRF. VRFMissing: the node has none of that name.
	VRFNamed, VRFMissing bool
	// Links are the indexes of the interfaces that the session depends on: that of a link-local router and the VRF; 0: there
	// is none. An interface that was replaced by one of the same name has another index.
	Links [2]int
	// BFD parameters; nil: BFD does not watch the router. MultiHopBFD: the router is more than one hop away (RFC 5883).
	BFD         *lb.BFDProfile
	MultiHopBFD bool
	// BFDStrict: the session is not established before BFD is up. AwaitBFD: so it waits now; one that is established goes on.
	BFDStrict, AwaitBFD bool
	// BFDSeen: BFD with the router has been up, so that it will tell the router when this node is dead.
	BFDSeen bool

	// Hold: a session that the executor has never tried to connect is not connected yet, though for some seconds at most,
	// because BFD may still fail that was up with an earlier process, or this node does not pass on open connections of others yet.
	Hold bool
	// UpdateAfter is how long after the session is established the router is sent its first UPDATE: other nodes are told meanwhile that it
	// will use this one, too.
	UpdateAfter time.Duration
	// Leaving says why the node leaves: when the executor ends, the router must not keep the routes. Empty: it does not.
	Leaving string

	// AdminState of the BGPPeer; empty: Up. Only with Up there are Paths. ShutdownMessage is for Down.
	AdminState      v1beta1.AdminState
	ShutdownMessage string
	// Retiring: Paths are the least preferred ones, because they end soon: others take the session's place, or it comes into
	// Maintenance.
	Retiring bool
	// PathsBefore are, in Maintenance, what Paths are with Up: SessionMemory retires them.
	PathsBefore []Path

	// HeldDown: there are no Paths because BFD has failed: see HoldDowns.
	HeldDown bool
	// MaximumPrefixes is the limit of each family that Paths keep to; 0: none. Warnings say how they stand to it, and what of the session
	// is as it was because it is not known any more.
	MaximumPrefixes int
	Warnings        []string
	// Paths to announce, in order of prefix, each prefix once.
	Paths []Path
}

// NextHops are addresses of this node, of each family; invalid where there is none.
type NextHops struct{ IPv4, IPv6 netip.Addr }

// Path is a prefix and its attributes. Paths of the same advertisements share one Attributes.
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
	// Communities, sorted.
	Communities []lb.Community
	// Weight of the path among those of other nodes; 0: it has none. It takes the place of a link bandwidth in Communities.
	Weight lb.Weight
}

// Equal reports whether a router is sent the same by both.
func (a Attributes) Equal(b Attributes) bool {
	same := func(a, b *uint32) bool { return a == b || a != nil && b != nil && *a == *b }
	return same(a.LocalPref, b.LocalPref) && same(a.MED, b.MED) && a.Prepend == b.Prepend && a.Weight == b.Weight && slices.Equal(a.Communities, b.Communities)
}

// HealthPort is a health-check port to serve (Service.spec.healthCheckNodePort).
type HealthPort struct {
	Port    uint16
	Service lb.Key
	Health
}

// Health is the answer to a health check: how many endpoints of the Service on this node are ready, and whether the node
// as a whole can serve.
type Health struct {
	LocalEndpoints int
	// NodeHealthy: the service proxy of the node works, or is not known to fail.
	NodeHealthy bool
}
