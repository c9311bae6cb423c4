package announce

import (
	"maps"
	"net/netip"
	"slices"

	"github.com/daymark-lb/daymark/internal/core/lb"
)

// Computer computes one plan after the other, each of which is what Compute gives. Of most passes, and of those that clients wait for,
// only the members have changed; so it keeps what follows from the objects alone, which is most of the work. A plan shares parts with
// those before it, which must not be changed. The zero value is ready for use, by one goroutine.
type Computer struct {
	basis basis
	kept  *derived
}

// basis is all that derived follows from.
type basis struct {
	reading        uint64
	node           string
	nodeAddresses  map[netip.Addr]NodeAddress
	proxyUnhealthy []bool // in the order of the nodes
	ownProxyFailed bool
}

// derived is what follows from the objects alone, and from what stands against nodes and addresses.
type derived struct {
	demands     []demand
	routes      []route
	paths       map[advertisementSet][]Path
	limited     map[limitKey]*limitedPaths
	healthPorts []HealthPort
	healthPaths map[lb.Key]Health
}

// Compute decides what the node w.Node announces and serves.
func (c *Computer) Compute(w *World) *Plan {
	r := newRules(w)
	if now := basisOf(w); c.kept == nil || w.Reading == 0 || !now.equal(c.basis) {
		c.basis, c.kept = now, r.derive()
	}
	contests, unheld, detours := r.contests(c.kept.demands)
	return &Plan{
		Contests:    contests,
		Unheld:      unheld,
		Detours:     detours,
		Sessions:    r.sessions(c.kept),
		Unnumbered:  r.unnumbered(),
		HealthPorts: c.kept.healthPorts,
		HealthPaths: c.kept.healthPaths,
	}
}

func basisOf(w *World) basis {
	b := basis{reading: w.Reading, node: w.Node, nodeAddresses: w.NodeAddresses, ownProxyFailed: w.OwnProxyFailed}
	b.proxyUnhealthy = make([]bool, len(w.Nodes))
	for i, n := range w.Nodes {
		b.proxyUnhealthy[i] = w.ProxyUnhealthy[n.Name]
	}
	return b
}

func (b *basis) equal(other basis) bool {
	return b.reading == other.reading && b.node == other.node && b.ownProxyFailed == other.ownProxyFailed &&
		slices.Equal(b.proxyUnhealthy, other.proxyUnhealthy) && maps.Equal(b.nodeAddresses, other.nodeAddresses)
}

func (r *rules) derive() *derived {
	return &derived{
		demands: r.demands(), routes: r.ownRoutes(), paths: map[advertisementSet][]Path{}, limited: map[limitKey]*limitedPaths{},
		healthPorts: r.healthPorts(), healthPaths: r.healthPaths(),
	}
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
		all = r.paths(d.routes, key.meant)
		d.paths[key.meant] = all
	}
	beyond := r.beyondMaximum(peer, all, d.routes)
	d.limited[key] = &limitedPaths{without(all, beyond), all, beyond}
	return d.limited[key]
}
