package lb

import (
	"iter"
	"path"
	"slices"

	"github.com/daymark-lb/daymark/api/v1beta1"
)

// Known says which of the names that an advertisement may list are those of something that exists.
type Known struct {
	pools *Pools
	peers map[string]bool
	nodes []*Node
	links map[string][]Link
	// reported: the links are those that Speaker objects list, which have no more than SpeakerNetworkLimit.
	reported bool
}

// NewKnown is what exists: pools, peers, and the links of nodes, by node, as far as they say which they have. reported: the links are those
// that Speaker objects list.
func NewKnown(pools *Pools, peers []*Peer, nodes []*Node, links map[string][]Link, reported bool) *Known {
	k := &Known{pools, make(map[string]bool, len(peers)), nodes, links, reported}
	for _, peer := range peers {
		k.peers[peer.Name] = true
	}
	return k
}

// Pool reports whether there is a pool of a name.
func (k *Known) Pool(name string) bool { return k.pools.Named(name) != nil }

// Peer reports whether there is a peer of a name.
func (k *Known) Peer(name string) bool { return k.peers[name] }

// Interface reports whether a glob is that of an interface that can answer, of one of the nodes that selectors match. Where none of them says
// what it has, or one may have more than it says, every glob is.
func (k *Known) Interface(glob string, selectors Selectors) bool {
	is := func(l Link) bool {
		matched, _ := path.Match(glob, l.Name)
		return matched && (l.Answers(IPv4) || l.Answers(IPv6))
	}
	said := false
	for links := range k.LinksOf(selectors) {
		said = true
		if k.reported && len(links) >= v1beta1.SpeakerNetworkLimit || slices.ContainsFunc(links, is) {
			return true
		}
	}
	return !said
}

// Interfaces reports whether one of the nodes that selectors match says which interfaces it has.
func (k *Known) Interfaces(selectors Selectors) bool {
	for range k.LinksOf(selectors) {
		return true
	}
	return false
}

// LinksOf are the links of the nodes that selectors match, of each that says which it has.
func (k *Known) LinksOf(selectors Selectors) iter.Seq[[]Link] {
	return func(yield func([]Link) bool) {
		for _, n := range k.nodes {
			if links, said := k.links[n.Name]; said && selectors.Match(n.Labels) && !yield(links) {
				return
			}
		}
	}
}

// Lists are the lists of names of an advertisement that count.
type Lists struct {
	// Pools and PoolSelectors; none of both: all pools.
	Pools         []string
	PoolSelectors Selectors
	// Peers, Interfaces: empty for all.
	Peers, Interfaces []string
	// KeptPools, KeptPeers and KeptInterfaces: what the controller accepted last counts beside what is listed now.
	KeptPools, KeptPeers, KeptInterfaces bool
}

// A name may be a typing error. While a list has one that does not exist, and did not stand there before, what stood there before goes
// on beside the names that do exist. A name that stood there before is none: what it named has been deleted.

// isMistyped reports whether a list has a name that is unknown now and did not stand there before.
func isMistyped(now, before []string, exists func(string) bool) bool {
	return slices.ContainsFunc(now, func(name string) bool { return !slices.Contains(before, name) && !exists(name) })
}

// withBefore is a list with the names that stood there before.
func withBefore(now, before []string) []string {
	all := slices.Clone(before)
	for _, name := range now {
		if !slices.Contains(all, name) {
			all = append(all, name)
		}
	}
	return all
}

// WithoutUnknown are the names of a list that exist or stood there before.
func WithoutUnknown(list, before []string, exists func(string) bool) []string {
	return slices.DeleteFunc(slices.Clone(list), func(name string) bool { return !slices.Contains(before, name) && !exists(name) })
}

// keepPools has the pools of before count, too, if one that is named now is a typing error.
func (l *Lists) keepPools(before *Advertisement, exists func(string) bool) {
	switch {
	case !isMistyped(l.Pools, before.Pools, exists):
		return
	case len(before.Pools) == 0 && len(before.PoolSelectors) == 0:
		l.Pools, l.PoolSelectors = nil, nil
	default:
		l.Pools, l.PoolSelectors = withBefore(l.Pools, before.Pools), slices.Concat(before.PoolSelectors, l.PoolSelectors)
	}
	l.KeptPools = true
}

// keepNames is keepPools for a list that means all when it is empty.
func keepNames(now, before []string, exists func(string) bool) (names []string, kept bool) {
	switch {
	case !isMistyped(now, before, exists):
		return now, false
	case len(before) == 0:
		return nil, true
	default:
		return withBefore(now, before), true
	}
}

// Lists are those of an advertisement that count.
func (a *L2Advertisement) Lists(known *Known) Lists {
	lists := Lists{Pools: a.Pools, PoolSelectors: a.PoolSelectors, Interfaces: a.Interfaces}
	if before := a.Accepted; before != nil {
		lists.keepPools(&before.Advertisement, known.Pool)
		lists.Interfaces, lists.KeptInterfaces = keepNames(a.Interfaces, before.Interfaces, func(glob string) bool { return known.Interface(glob, a.NodeSelectors) })
	}
	return lists
}

// Lists are those of an advertisement that count.
func (a *BGPAdvertisement) Lists(known *Known) Lists {
	lists := Lists{Pools: a.Pools, PoolSelectors: a.PoolSelectors, Peers: a.Peers}
	if before := a.Accepted; before != nil {
		lists.keepPools(&before.Advertisement, known.Pool)
		lists.Peers, lists.KeptPeers = keepNames(a.Peers, before.Peers, known.Peer)
	}
	return lists
}

// Keeping returns the advertisement with the lists of names that count: itself if they are its own.
func (a *L2Advertisement) Keeping(known *Known) *L2Advertisement {
	lists := a.Lists(known)
	if !lists.KeptPools && !lists.KeptInterfaces {
		return a
	}
	kept := *a
	kept.Pools, kept.PoolSelectors, kept.Interfaces = lists.Pools, lists.PoolSelectors, lists.Interfaces
	return &kept
}

// Keeping returns the advertisement with the lists of names that count: itself if they are its own.
func (a *BGPAdvertisement) Keeping(known *Known) *BGPAdvertisement {
	lists := a.Lists(known)
	if !lists.KeptPools && !lists.KeptPeers {
		return a
	}
	kept := *a
	kept.Pools, kept.PoolSelectors, kept.Peers = lists.Pools, lists.PoolSelectors, lists.Peers
	return &kept
}
