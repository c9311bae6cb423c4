package announce

import (
	"net/netip"
	"slices"

	"github.com/daymark-lb/daymark/internal/core/lb"
)

// Computer computes one plan after the other, each of which is what Compute gives. Of most passes, and of those that clients wait for,
// only the members have changed; so it keeps what follows from the objects alone, which is most of the work. Of most others only few
// Services have, as World.Changes says, and what follows from the others is kept. A plan shares parts with those before it, which must not be changed. The zero
// value is ready for use, by one goroutine.
type Computer struct {
	basis basis
	kept  *derived
	// contested are the contests of the last plan.
	contested *contested
	numbers   segmentNumbers
}

// basis is all that derived follows from; but for the Services and their endpoints, which only the number of the reading stands for.
// What the kernels of nodes have concerns the Services at these addresses alone.
type basis struct {
	reading        uint64
	nodes          []*lb.Node
	pools          *lb.Pools
	l2             []*lb.L2Advertisement
	bgp            []*lb.BGPAdvertisement
	peers          []*lb.Peer
	options        Options
	node           string
	owned          ownedByNodes
	proxyUnhealthy []bool // in the order of the nodes
	ownProxyFailed bool
}

// derived is what follows from the objects alone, and from what stands against nodes and addresses.
type derived struct {
	demands []demand
	routes  []route
	routed  []RoutedAddress
	derivedPaths
	healthPorts []HealthPort
	healthPaths HealthPaths

	// at has the Services that it follows from, and affine those of addresses with session affinity, which change with each update.
	at     servicesAt
	affine map[netip.Addr][]*lb.Service
	near   *nearness
}

// Compute decides what the node w.Node announces and serves.
func (c *Computer) Compute(w *World) *Plan {
	r := newRulesWithout(w)
	anew := true
	var changed []netip.Addr
	switch now := basisOf(w); {
	case c.kept == nil, w.Reading == 0, !now.equal(&c.basis), !c.basis.known(w):
		c.basis, c.kept = now, r.derive()
	default:
		at := c.kept.ownedOtherwise(&c.basis.owned, &now.owned)
		changes := w.Changes
		if now.reading == c.basis.reading {
			changes = &Changes{} // those of the World are of a pass before
		}
		c.basis = now
		c.kept, changed, anew = c.kept.update(r, changes, at)
	}
	r.affine = c.kept.affine
	if members := worldMembers(w); anew || !members.equal(&c.contested.members) {
		c.contested = r.contest(c.kept.demands, &c.numbers)
	} else {
		c.contested = c.contested.update(r, c.kept.demands, changed)
	}
	return &Plan{
		Contests:    c.contested.list,
		Unheld:      c.contested.unheldTexts(),
		Detours:     c.contested.places.detours(),
		Unanswering: c.contested.places.unanswering(),
		Sessions:    r.sessions(c.kept),
		Routed:      c.kept.routed,
		Unnumbered:  r.unnumbered(),
		HealthPorts: c.kept.healthPorts,
		HealthPaths: c.kept.healthPaths,
		elections:   c.contested.electionContests(),
	}
}

// known reports whether it is known how the objects of a World differ from those of the basis.
func (b *basis) known(w *World) bool {
	return w.Reading == b.reading || w.Reading == b.reading+1 && w.Changes != nil
}

func basisOf(w *World) basis {
	b := basis{
		reading: w.Reading, nodes: w.Nodes, pools: w.Pools, l2: w.L2Advertisements, bgp: w.BGPAdvertisements, peers: w.Peers, options: w.Options,
		node: w.Node, owned: ownedByNodes{w.NodeAddresses, w.NodePrefixes}, ownProxyFailed: w.OwnProxyFailed,
	}
	b.proxyUnhealthy = make([]bool, len(w.Nodes))
	for i, n := range w.Nodes {
		b.proxyUnhealthy[i] = w.ProxyUnhealthy[n.Name]
	}
	return b
}

// equal reports whether two differ in nothing but the reading, and what the kernels of nodes have. Objects never change, so the same pointers are the same objects.
func (b *basis) equal(other *basis) bool {
	return b.node == other.node && b.ownProxyFailed == other.ownProxyFailed && b.pools == other.pools && b.options == other.options &&
		slices.Equal(b.nodes, other.nodes) && slices.Equal(b.l2, other.l2) && slices.Equal(b.bgp, other.bgp) && slices.Equal(b.peers, other.peers) &&
		slices.Equal(b.proxyUnhealthy, other.proxyUnhealthy)
}

func (r *rules) derive() *derived {
	near := newNearness(r)
	r.affine = affineServices(r.world.Services)
	return &derived{
		demands: r.demands(near), routes: r.ownRoutes(), routed: r.routed(), derivedPaths: newDerivedPaths(),
		healthPorts: r.healthPorts(), healthPaths: r.healthPaths(),
		at: newServicesAt(r.world.Services), affine: r.affine, near: near,
	}
}

// derivedPaths are the paths of the routes, which are worked out when they are asked for.
type derivedPaths struct {
	paths      map[advertisementSet][]Path
	attributes map[advertisementSet]map[variant]*Attributes
	limited    map[limitKey]*limitedPaths
}

func newDerivedPaths() derivedPaths {
	return derivedPaths{map[advertisementSet][]Path{}, map[advertisementSet]map[variant]*Attributes{}, map[limitKey]*limitedPaths{}}
}

// limitKey is the limit of a peer and the advertisements that are meant for it.
type limitKey struct {
	meant   advertisementSet
	maximum int
}

// limitedPaths are the paths for a peer within its maximumPrefixes, those beyond it, and both.
type limitedPaths struct {
	within, all []Path
	beyond      map[netip.Prefix]bool
}

// pathsTo are the paths to a peer. Peers that get the same advertisements share one list of paths.
func (d *derived) pathsTo(r *rules, peer *lb.Peer) *limitedPaths {
	key := limitKey{r.advertisementsFor(peer), peer.MaximumPrefixes}
	if known := d.limited[key]; known != nil {
		return known
	}
	all, known := d.paths[key.meant]
	if !known {
		d.attributes[key.meant] = map[variant]*Attributes{}
		all = r.paths(d.routes, key.meant, d.attributes[key.meant])
		d.paths[key.meant] = all
	}
	beyond := r.beyondMaximum(peer, all, d.routes)
	d.limited[key] = &limitedPaths{without(all, beyond), all, beyond}
	return d.limited[key]
}
